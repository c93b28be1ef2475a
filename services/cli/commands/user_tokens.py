"""Login tokens: made with a password, a key or a certificate, and kept in credentials files."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from services.cli import credentials, documents, secrets
from services.cli.documents import number_of, text_of
from services.cli.errors import CliError
from services.common.oca import OneError

_VALID_S = 36_000  # 10 hours
_SELF = -1  # the id that stands for the caller
_ALL_GROUPS = -1
_FOR_EVER = -1


def create(inv: Any) -> int:
    """Make a token; prints it and keeps it as credentials."""
    name = inv.args.get("username")
    if name is not None:
        _connect_as(inv, name)
    else:
        name = text_of(_own(inv), "NAME")
    group = _ALL_GROUPS if inv.opts.group is None else inv.opts.group
    token = inv.call("user.login", name, "", _valid_s(inv), group)
    if _valid_s(inv) == 0:  # ends tokens and makes none; what is kept as credentials stays
        inv.out(f"Tokens of {name} have ended.")
        return 0
    path = _credentials_path()
    if _may_write(inv, path):
        _write(path, f"{name}:{token}")
    inv.out(f"Authentication Token is:\n{name}:{token}")
    return 0


def use(inv: Any) -> int:
    """Write a credentials file for a token that exists; prints the variables that use it."""
    opts = inv.opts
    chosen = [name for name in ("token", "group", "global") if getattr(opts, name) is not None]
    if len(chosen) != 1:
        raise CliError("oneuser token-set: give one of --token, --group and --global.")
    name = inv.args.get("username")
    if name is not None:
        _require_name(inv, name)
        _connect_as(inv, name)
    user = _own(inv)
    egid = None if opts.token is not None else _ALL_GROUPS if opts.group is None else opts.group
    tokens = _tokens(user, opts.token or "", egid)
    if not tokens:
        raise CliError("No valid token was found.")
    if opts.token is not None and len(tokens) > 1:
        raise CliError(f"Several tokens start with {opts.token!r}; give more of it.")
    session = f"{text_of(user, 'NAME')}:{text_of(tokens[0], 'TOKEN')}"
    path = _token_path(session)
    _write(path, session)
    inv.out(f"export ONE_AUTH={path}; export ONE_EGID={text_of(tokens[0], 'EGID', '-1')}")
    return 0


def delete(inv: Any) -> int:
    """End one token and remove its credentials file."""
    name, start = inv.args.get("username"), inv.args.get("token")
    if start is None:  # a single word is the token
        name, start = None, name
    if name is not None:
        _connect_as(inv, name)
    user = _own(inv)
    tokens = _tokens(user, start or "", None, with_expired=True)
    if len(tokens) != 1:
        found = "no token starts" if not tokens else f"{len(tokens)} tokens start"
        raise CliError(f"oneuser token-delete: {found} with {start!r}.")
    name, token = text_of(user, "NAME"), text_of(tokens[0], "TOKEN")
    inv.call("user.login", name, token, 0, _ALL_GROUPS)
    inv.out("Token removed.")
    path = _token_path(f"{name}:{token}")
    if os.path.exists(path):
        os.unlink(path)
        inv.out(f"Removing {path}")
    return 0


def delete_all(inv: Any) -> int:
    """End every token of a user."""
    name = inv.args["username"]
    _require_name(inv, name)
    inv.call("user.login", name, "", 0, _ALL_GROUPS)
    if inv.opts.verbose:
        inv.out(f"{inv.kind.name} {name}: {inv.sub.done}")
    return 0


def _require_name(inv: Any, text: str) -> None:
    if text.isdigit():
        raise CliError(f"oneuser {inv.sub.name}: expected the name of a user, found the number {text}.")


def _valid_s(inv: Any) -> int:
    return _VALID_S if inv.opts.time is None else int(inv.opts.time)


def _own(inv: Any) -> Any:
    return documents.parse(inv.call("user.info", _SELF, False))


def _connect_as(inv: Any, name: str) -> None:
    """Let the further calls be made in the name of a user, who is checked at once. Raises CliError."""
    inv.connect(name, _secret(inv, name))
    try:
        inv.call("user.info", _SELF, False)
    except OneError as error:
        raise CliError(f"{error} Check what {name} logs in with.") from None


def _secret(inv: Any, name: str) -> str:
    opts = inv.opts
    if sum(bool(chosen) for chosen in (opts.ssh, opts.x509, opts.x509_proxy)) > 1:
        raise CliError(f"oneuser {inv.sub.name}: --ssh, --x509 and --x509_proxy exclude each other.")
    if opts.stdin_password:
        secret = sys.stdin.read().strip()
        if not secret:
            raise CliError("--stdin_password: standard input is empty.")
        return secret
    if not (opts.ssh or opts.x509 or opts.x509_proxy):
        return secrets.ask("Password")
    from services.cli import auth_keys

    valid_s = _valid_s(inv) or _VALID_S
    if valid_s < 0:
        raise CliError("--time: tokens of keys and certificates end; expected seconds.")
    if opts.ssh:
        return auth_keys.ssh_token(name, opts.key or auth_keys.default_key(), valid_s)
    if opts.x509:
        return auth_keys.x509_token(
            name, _path(opts.cert, "cert", "X509_USER_CERT"), _path(opts.key, "key", "X509_USER_KEY"), valid_s
        )
    return auth_keys.proxy_token(name, _path(opts.proxy, "proxy", "X509_PROXY_CERT"), valid_s)


def _path(given: str | None, option: str, variable: str) -> str:
    found = given or os.environ.get(variable)
    if not found:
        raise CliError(f"--{option} is missing (or the variable {variable}).")
    return found


def _tokens(user: Any, start: str, egid: int | None, with_expired: bool = False) -> list[Any]:
    """The tokens that start so and are for that group, the one that lives longest first."""
    now = time.time()
    found = [
        token
        for token in user.findall("LOGIN_TOKEN")
        if text_of(token, "TOKEN").startswith(start)
        and (egid is None or number_of(token, "EGID") == egid)
        and (
            with_expired
            or number_of(token, "EXPIRATION_TIME") == _FOR_EVER
            or number_of(token, "EXPIRATION_TIME") > now
        )
    ]

    def left(token: Any) -> float:
        ends = number_of(token, "EXPIRATION_TIME")
        return float("inf") if ends == _FOR_EVER else ends

    return sorted(found, key=left, reverse=True)


# -- credentials files ---------------------------------------------------------------------------------
def _credentials_path() -> str:
    return os.environ.get("ONE_AUTH") or credentials.home_file("one_auth")


def _token_path(session: str) -> str:
    """Where the credentials of one token are kept: a name made of them, as OpenNebula's commands make it."""
    import hashlib

    name = hashlib.md5(session.encode(), usedforsecurity=False).hexdigest()
    return credentials.home_file(f"{name}.token")


def _may_write(inv: Any, path: str) -> bool:
    """Whether the credentials file is new, or may be overwritten."""
    if inv.opts.force or not os.path.isfile(path):
        return True
    inv.out(f"  * Do you want to overwrite the file {path}? (Y|N): ")
    sys.stdout.flush()
    answer = sys.stdin.readline().strip().lower()
    if answer in ("y", "yes"):
        inv.out(f"overwriting {path} ...")
        return True
    if answer not in ("", "n", "no"):
        raise CliError(f"Expected Y or N, found {answer!r}; {path} was not changed.")
    inv.out(f"File {path} exists, use --force to overwrite.")
    return False


def _write(path: str, session: str) -> None:
    """Replace a credentials file; only its owner can read it."""
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(session)
        os.replace(temporary, path)
    except OSError as error:
        raise CliError(f"Credentials file {path} cannot be written: {error.strerror}.") from None
