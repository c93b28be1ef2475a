"""Which front-end a command talks to, and in whose name.

User and password: --user/--password (asked for on the terminal when only the user is given), else the file
that ONE_AUTH names, else ~/.one/one_auth, else oneadmin's own file on the front-end.
Endpoint: --endpoint, ONE_XMLRPC, ~/.one/one_endpoint, http://localhost:2633/RPC2.
Source: command line interface page of OpenNebula's manual; spec of authentication.
"""

from __future__ import annotations

import os

from services.cli.errors import CliError
from services.common.oca import Client

DEFAULT_ENDPOINT = "http://localhost:2633/RPC2"


def client(user: str | None, password: str | None, endpoint: str | None, cacert: str | None = None) -> Client:
    """A client for the options given. Raises CliError when credentials are missing."""
    timeout_s = os.environ.get("ONE_XMLRPC_TIMEOUT", "")
    try:
        limit_s = float(timeout_s) if timeout_s else None
    except ValueError:
        raise CliError(f"ONE_XMLRPC_TIMEOUT: expected seconds, found {timeout_s!r}") from None
    return Client(endpoint or _endpoint(), _session(user, password), limit_s, cacert)


def advice(user: str | None) -> str:
    """What to do when the front-end does not accept the credentials."""
    if user:
        return f"Check the password of {user}."
    used = next((path for path in _auth_files() if os.path.exists(path)), "")
    return (
        f"The user or password in {used} is wrong, or its login token is over "
        "(oneuser login makes a new one)."
    )


def home_file(name: str) -> str:
    """A file of ~/.one."""
    return os.path.join(os.environ.get("HOME", ""), ".one", name)


def _endpoint() -> str:
    given = os.environ.get("ONE_XMLRPC")
    if given:
        return given
    try:
        with open(home_file("one_endpoint"), encoding="utf-8") as file:
            return file.read().strip() or DEFAULT_ENDPOINT
    except OSError:
        return DEFAULT_ENDPOINT


def _session(user: str | None, password: str | None) -> str:
    if user:
        if password is None:
            from services.cli import secrets

            password = secrets.ask("Password")
        return f"{user}:{password}"
    if password is not None:
        raise CliError("--password needs --user.")
    tried = []
    for path in _auth_files():
        try:
            with open(path, encoding="utf-8") as file:
                session = file.read().rstrip()
        except FileNotFoundError:
            tried.append(path)
            continue
        except OSError as error:
            raise CliError(f"Credentials in {path} cannot be read: {error.strerror}.") from None
        if ":" not in session:
            raise CliError(f"Credentials in {path}: expected one line user:password.")
        return session
    raise CliError(
        f"No credentials: {' and '.join(tried)} {'does' if len(tried) == 1 else 'do'} not exist. "
        "Write user:password to one of them, set ONE_AUTH, or use --user."
    )


def _auth_files() -> list[str]:
    if os.environ.get("ONE_AUTH"):
        return [os.environ["ONE_AUTH"]]
    from services.common import paths  # only without ONE_AUTH: pathlib costs 8 ms

    return [home_file("one_auth"), str(paths.auth_dir() / "one_auth")]
