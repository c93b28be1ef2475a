"""What oneuser does beyond a single call: passwords."""

from __future__ import annotations

from typing import Any

from services.cli import secrets
from services.cli.errors import CliError

_WITHOUT_PASSWORD = ("public", "x509", "ssh")  # drivers whose users are created with a key or nothing


def _password(inv: Any, driver: str = "core") -> str:
    """The password that an argument, a file, a pipe or the terminal gives. Raises CliError."""
    given = inv.args.get("password")
    if inv.opts.read_file:
        if given is None:
            raise CliError("--read-file: the password argument must name the file.")
        given = secrets.from_file(given)
    elif given is None:
        if driver in _WITHOUT_PASSWORD:
            return "-"
        given = secrets.ask("Password", twice=True)
    if not given or any(letter.isspace() for letter in given):
        raise CliError("The password must not be empty and must not hold white space.")
    if inv.opts.sha256:
        import hashlib

        return hashlib.sha256(given.encode()).hexdigest()
    return str(given)


def create(inv: Any) -> int:
    """Add a user; prints the id."""
    driver = inv.opts.driver or "core"
    groups = [] if inv.opts.group is None else [inv.opts.group]
    inv.out(f"ID: {inv.call('user.allocate', inv.args['username'], _password(inv, driver), driver, groups)}")
    return 0


def passwd(inv: Any) -> int:
    """Change a password."""
    inv.call("user.passwd", inv.args["userid"], _password(inv))
    inv.tell(inv.args["userid"])
    return 0


def chauth(inv: Any) -> int:
    """Change the driver; the password stays unless one is given."""
    driver = inv.args.get("auth") or inv.opts.driver
    if not driver:
        raise CliError("oneuser chauth: the driver is missing (core, public, ldap, x509 ...).")
    password = _password(inv) if inv.args.get("password") is not None else ""
    inv.call("user.chauth", inv.args["userid"], driver, password)
    inv.tell(inv.args["userid"])
    return 0
