"""What a node shall be like: the choices of ``./onebox node``, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onebox_cli.ui import Failure

USER = "oneadmin"
USER_ID = 9869  # OpenNebula's packages use it too, so that shared folders agree
HOME = Path("/var/lib/one")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_PATH = re.compile(r"/[A-Za-z0-9_./-]+")
_KEY = re.compile(r"(ssh-(rsa|ed25519)|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?")


@dataclass(frozen=True)
class Bridge:
    """A bridge, and the interface that it takes in (empty: none)."""

    name: str
    port: str = ""


@dataclass(frozen=True)
class Wanted:
    """datastores: DATASTORE_LOCATION; remotes: SCRIPTS_REMOTE_DIR; keys: who may come in."""

    datastores: Path = HOME / "datastores"
    remotes: Path = Path("/var/tmp/one")
    keys: tuple[str, ...] = ()
    bridges: tuple[Bridge, ...] = ()


def of(datastores: str, remotes: str, keys: Sequence[str], bridges: Sequence[str]) -> Wanted:
    """The choices from their texts. Raises Failure for what cannot be meant."""
    return Wanted(
        _folder("--datastores", datastores),
        _folder("--remotes", remotes),
        tuple(key for text in keys for key in _keys(text)),
        tuple(_bridge(text) for text in bridges),
    )


def _folder(option: str, text: str) -> Path:
    path = Path(text)
    # It is written into settings of other programs, each with its own rules for quoting.
    if not _PATH.fullmatch(text) or ".." in path.parts or len(path.parts) < 3:
        raise Failure(
            f"{option} {text!r}: expected a full path below the first level, of letters, digits, . _ - and /"
        )
    return path


def _keys(text: str) -> list[str]:
    """The public keys of a file, or the key itself."""
    found, lines = text, [text]
    if not _KEY.fullmatch(text.strip()):
        try:
            lines = Path(text).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise Failure(
                f"--key: expected a public key or a file of them, cannot read {found[:60]!r}: {error}"
            ) from None
    kept = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    wrong = [line for line in kept if not _KEY.fullmatch(line)]
    if wrong or not kept:
        # A private key must not be shown.
        raise Failure(
            f"--key: {found[:60]!r} has {len(kept)} lines, {len(wrong)} of them no public SSH key",
            advice="give the front-end's id_rsa.pub",
        )
    return kept


def _bridge(text: str) -> Bridge:
    name, _, port = text.partition(":")
    for part in filter(None, (name, port)):
        if not _NAME.fullmatch(part):
            raise Failure(f"--bridge {text!r}: expected NAME or NAME:INTERFACE, as br0 or br0:eth1")
    if not name:
        raise Failure(f"--bridge {text!r}: expected NAME or NAME:INTERFACE")
    return Bridge(name, port)
