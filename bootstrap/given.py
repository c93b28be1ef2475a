"""What parameters point to, outside of themselves: certificates, keys, scripts, patches.

Checked before anything starts, all faults together, and read again by the steps that use it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from bootstrap import ssh_keys, tls
from bootstrap.params import Settings

_FILE_LIMIT_BYTES = 1024 * 1024
_SCRIPTS = ("OPENNEBULA_PREBOOTSTRAP_HOOK", "OPENNEBULA_POSTBOOTSTRAP_HOOK", "OPENNEBULA_BATCH_FILE")


class GivenError(ValueError):
    """Something that was given cannot be used; the text begins with the parameter's name."""


def faults(settings: Settings, faulty: frozenset[str] = frozenset()) -> list[str]:
    """A message for each thing that cannot be used; what has a fault already is left out."""
    service = settings["OPENNEBULA_SERVICE"]
    found: list[str] = []

    def note(names: Iterable[str], read: Callable[[], object]) -> None:
        if not faulty & {"OPENNEBULA_SERVICE", *names}:
            try:
                read()
            except GivenError as error:
                found.append(str(error))

    if service in ("all", "oned"):
        note(_names("TLS_CERT", "TLS_KEY"), lambda: tls_pair(settings))
        note(_names("ONEADMIN_SSH_PRIVKEY", "ONEADMIN_SSH_PUBKEY"), lambda: ssh_pair(settings))
    for name in _SCRIPTS:
        if settings[name] and (name != "OPENNEBULA_BATCH_FILE" or service in ("all", "oned")):
            note([name], lambda name=name: script(settings, name))  # type: ignore[misc]
    if settings["OPENNEBULA_ONECFG_PATCH"]:
        note(["OPENNEBULA_ONECFG_PATCH"], lambda: patch(settings))
    return found


def _names(*names: str) -> list[str]:
    return [*names, *(f"{name}_BASE64" for name in names)]


def tls_pair(settings: Settings) -> tls.Pair | None:
    """The operator's own certificate; None when there is none. Raises GivenError."""
    certificate_name, certificate = _either(settings, "TLS_CERT")
    key_name, key = _either(settings, "TLS_KEY")
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        given, other = (certificate_name, "TLS_KEY") if key is None else (key_name, "TLS_CERT")
        raise GivenError(f"{given}: given without {other}, expected both")
    try:
        return tls.check(certificate, key)
    except tls.TlsError as error:
        raise GivenError(f"{certificate_name} and {key_name}: {error}") from None


def ssh_pair(settings: Settings) -> ssh_keys.KeyPair | None:
    """oneadmin's own key pair; None when there is none. Raises GivenError."""
    private_name, private = _either(settings, "ONEADMIN_SSH_PRIVKEY", is_optional=True)
    public_name, public = _either(settings, "ONEADMIN_SSH_PUBKEY", is_optional=True)
    if private is None:
        if public is not None:
            raise GivenError(f"{public_name}: given without ONEADMIN_SSH_PRIVKEY, expected both")
        return None
    try:
        return ssh_keys.check(private, public)
    except ssh_keys.SshKeyError as error:
        names = private_name if public is None else f"{private_name} and {public_name}"
        raise GivenError(f"{names}: {error}") from None


def script(settings: Settings, name: str) -> Path:
    """An executable file. Raises GivenError."""
    file = Path(settings[name])
    if not file.is_file():
        found = "a directory" if file.is_dir() else "nothing"
        raise GivenError(f"{name}: expected an executable file at {file}, found {found}")
    if not file.stat().st_mode & 0o111 or not os.access(file, os.X_OK):
        raise GivenError(f"{name}: {file} is not executable (chmod +x)")
    return file


def patch(settings: Settings) -> str:
    """The text of the configuration patch. Raises GivenError."""
    content = _content("OPENNEBULA_ONECFG_PATCH", Path(settings["OPENNEBULA_ONECFG_PATCH"]))
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise GivenError(
            f"OPENNEBULA_ONECFG_PATCH: {settings['OPENNEBULA_ONECFG_PATCH']} is not UTF-8 text"
        ) from None


def _either(settings: Settings, name: str, *, is_optional: bool = False) -> tuple[str, bytes | None]:
    """From NAME_BASE64 or the file that NAME is; the parameter that it came from.

    is_optional: a file at the default place need not be there.
    """
    encoded = settings[f"{name}_BASE64"]
    if encoded and name in settings.given:
        raise GivenError(f"{name} and {name}_BASE64: given both, expected one of them")
    if encoded:
        return f"{name}_BASE64", tls.decoded(encoded)
    path = settings[name]
    if not path or (is_optional and name not in settings.given and not Path(path).exists()):
        return name, None
    return name, _content(name, Path(path))


def _content(name: str, file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(_FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise GivenError(f"{name}: cannot read {file}: {error.strerror}") from None
    if len(content) > _FILE_LIMIT_BYTES:
        raise GivenError(f"{name}: {file} is larger than {_FILE_LIMIT_BYTES // 1024} KiB")
    return content
