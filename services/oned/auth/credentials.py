"""The credential files below ``.one``: oneadmin's is read, those of the services are written once.

Directory mode 0700, files 0600. Nothing here prints or logs a secret.
"""

from __future__ import annotations

import os
from pathlib import Path

from services.oned.auth import password
from services.oned.errors import OneError
from services.oned.model.base import check_name
from services.oned.model.fresh_zone import FirstUser
from services.oned.model.user import CORE

SERVICE_FILES = ("sunstone_auth", "occi_auth", "ec2_auth", "onegate_auth", "oneflow_auth")
_SERVERADMIN = "serveradmin"


class CredentialsError(OneError):
    """A credential file is missing, unusable or cannot be written; the message names it."""


def first_users(folder: Path) -> tuple[FirstUser, FirstUser]:
    """oneadmin and serveradmin of a new zone; writes the services' files.

    Files that exist are kept, and serveradmin gets the password they hold: a start that was cut short, or a
    second process, ends with the same one. Raises CredentialsError.
    """
    file = folder / "one_auth"
    name, secret = _read(file)
    try:
        check_name(name, spaces=False)
    except OneError as error:
        raise CredentialsError(f"{file}: {error.message}") from None
    if name == _SERVERADMIN:
        raise CredentialsError(f"{file}: the name {_SERVERADMIN} is reserved, expected another one")
    problem = password.problem(secret)
    if problem:
        raise CredentialsError(f"{file}: {problem}.")
    # The cipher driver takes this digest as its key, and clients make it from the password.
    key = password.digest(_service_password(folder))
    return (
        FirstUser(name, CORE, password.hashed(secret), password.generate()),
        FirstUser(_SERVERADMIN, "server_cipher", key, password.generate()),
    )


def _service_password(folder: Path) -> str:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The first file decides: whoever creates it sets the password for all.
        create_file(folder / SERVICE_FILES[0], f"{_SERVERADMIN}:{password.generate()}\n")
        name, secret = _read(folder / SERVICE_FILES[0])
        for other in SERVICE_FILES[1:]:
            create_file(folder / other, f"{name}:{secret}\n")
    except OSError as error:
        raise CredentialsError(
            f"{folder}: the services' credentials cannot be written: {error.strerror}"
        ) from None
    for other in SERVICE_FILES:
        if _read(folder / other) != (_SERVERADMIN, secret) or not secret:
            raise CredentialsError(
                f"{folder / other}: is of another zone, but the database is new. "
                f"Check DB in oned.conf, or move the files {', '.join(SERVICE_FILES)} away."
            )
    return secret


def _read(file: Path) -> tuple[str, str]:
    try:
        text = file.read_text(encoding="utf-8").rstrip()
    except OSError as error:
        raise CredentialsError(
            f"{file}: cannot be read ({error.strerror}), expected name:password in it"
        ) from None
    except UnicodeDecodeError:
        raise CredentialsError(f"{file}: is not UTF-8 text, expected name:password in it") from None
    name, colon, secret = text.partition(":")
    if not colon:
        raise CredentialsError(f"{file}: must be of the form name:password")
    return name, secret


def create_file(file: Path, text: str) -> None:
    """Write a file of mode 0600 in one step, unless it exists; durable when this returns. Raises OSError."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.link(draft, file)  # unlike a rename, this fails when another process was faster
    except FileExistsError:
        pass
    finally:
        draft.unlink()
