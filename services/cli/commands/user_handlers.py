"""What oneuser does beyond a single call: passwords, keys, umask."""

from __future__ import annotations

import os
from typing import Any

from services.cli import documents, secrets
from services.cli.errors import CliError

_HASHED = "server_cipher"  # its users' stored password is always a hash


def _driver(inv: Any, default: str = "") -> str:
    chosen = [
        name
        for name, is_chosen in (
            ("ssh", inv.opts.ssh),
            ("x509", inv.opts.x509),
            (inv.opts.driver or "", inv.opts.driver),
        )
        if is_chosen
    ]
    if len(set(chosen)) > 1:
        raise CliError(f"{inv.sub.path(inv.command.name)}: several drivers were given: {', '.join(chosen)}.")
    return chosen[0] if chosen else default


def _password(inv: Any, driver: str, given: str | None) -> str:
    """The password that an argument, a key, a pipe or the terminal gives. Raises CliError."""
    if given is not None:
        given = secrets.from_file(given) if inv.opts.read_file else given
        if driver == "x509":
            from services.cli import auth_keys

            given = auth_keys.escape(given)
    elif inv.opts.read_file:
        raise CliError("--read-file: the password argument must name the file.")
    else:
        given = _from_key(inv, driver)
    if given is None:
        if driver == "public":
            return "-"
        given = secrets.ask("Password", twice=True)
    if not given or any(letter.isspace() for letter in given):
        raise CliError("The password must not be empty and must not hold white space.")
    if inv.opts.sha256 or driver == _HASHED:
        import hashlib

        return hashlib.sha256(given.encode()).hexdigest()
    return given


def _from_key(inv: Any, driver: str) -> str | None:
    """What --key or --cert stands for; None when the driver uses neither."""
    if driver not in ("ssh", "x509"):
        return None
    from services.cli import auth_keys

    if driver == "ssh":
        if not inv.opts.key:
            raise CliError("--key is missing: the user's private key (or give the public key as password).")
        return auth_keys.public_key(inv.opts.key)
    certificate = inv.opts.cert or os.environ.get("X509_USER_CERT")
    if not certificate:
        raise CliError("--cert is missing: the user's certificate (or give its subject as password).")
    return auth_keys.subject(certificate)


def create(inv: Any) -> int:
    """Add a user; prints the id."""
    driver = _driver(inv, "core")
    password = _password(inv, driver, inv.args.get("password"))
    inv.out(f"ID: {inv.call('user.allocate', inv.args['username'], password, driver, inv.opts.group or [])}")
    return 0


def passwd(inv: Any) -> int:
    """Change a password."""
    inv.call("user.passwd", inv.args["userid"], _password(inv, _driver(inv), inv.args.get("password")))
    inv.tell(inv.args["userid"])
    return 0


def chauth(inv: Any) -> int:
    """Change the driver; the password stays unless one is given."""
    driver, argument, given = _driver(inv), inv.args.get("auth"), inv.args.get("password")
    if driver and argument is not None and given is None and argument != driver:
        given = argument  # chauth USER --ssh PUBLIC_KEY
    driver = driver or argument or ""
    if not driver:
        raise CliError("oneuser chauth: the driver is missing (core, public, ldap, x509 ...).")
    has_key = (driver == "ssh" and inv.opts.key) or (driver == "x509" and inv.opts.cert)
    password = _password(inv, driver, given) if given is not None or has_key else ""
    inv.call("user.chauth", inv.args["userid"], driver, password)
    inv.tell(inv.args["userid"])
    return 0


def umask(inv: Any) -> int:
    """Set or remove the attribute UMASK of users."""
    from services.cli.template_text import from_element

    mask = inv.args.get("mask") or ""

    def change(oid: int) -> None:
        template = documents.parse(inv.info(oid)).find("TEMPLATE")
        text = from_element(template, ("UMASK",)) if template is not None else ""
        inv.call("user.update", oid, f'{text}\nUMASK="{mask}"' if mask else text, 0)

    return int(inv.each(inv.args["userid_list"], change))


def key(inv: Any) -> int:
    """Print the public part of a private key."""
    from services.cli import auth_keys

    inv.out(auth_keys.public_key(inv.opts.key or auth_keys.default_key()))
    return 0


def encode(inv: Any) -> int:
    """Print user and password with what is special in addresses as %XX."""
    from urllib.parse import quote

    words = [word for word in (inv.args["username"], inv.args.get("password")) if word is not None]
    inv.out(":".join(quote(word, safe="-_.!~*'();/?:@&=+$,[]") for word in words))
    return 0


def search(inv: Any) -> int:
    """List the users of a driver that have a stored password."""
    driver, password = inv.args["driver"], inv.args["password"]
    if inv.opts.xml:
        from xml.etree import ElementTree

        pool = documents.parse(inv.call("userpool.info"))
        for member in list(pool):
            found = (member.findtext("AUTH_DRIVER"), member.findtext("PASSWORD"))
            if member.tag != "USER" or found != (driver, password):
                pool.remove(member)
        inv.print_document(ElementTree.tostring(pool, encoding="unicode"))
        return 0
    from services.cli import listing

    inv.opts.list = ["ID", "NAME", "AUTH", "PASSWORD"]
    inv.opts.filter = [f"AUTH={driver}", f"PASSWORD={password}"]
    listing.show(inv.load_view(), inv)
    return 0
