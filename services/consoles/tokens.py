"""Tokens: each opens one machine's screen through the proxy, for a short time.

A token is a file ``one-<vm id>`` in ``<run>/sunstone_vnc_tokens`` that says ``token: host:port``, as
websockify reads it. Uses the standard library alone: client commands have no other. Source: token files of
OpenNebula 6.0, which has them in <var>; they are of one run, and <var> may be read-only.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from services.common import paths

TTL_S = 300
_RFB_FIRST_PORT = 5900  # qemu counts its screens from here


class TokenError(Exception):
    """There can be no token; the message says why."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy that runs: its port, whether it speaks TLS, and whether it has noVNC's pages.

    host: the name or address by which clients reach this machine; '' where nobody has said it.
    """

    port: int
    is_tls: bool = False
    has_pages: bool = False
    host: str = ""


def folder() -> Path:
    """Where the token files are; the proxy makes it."""
    return paths.run() / "sunstone_vnc_tokens"


def issue(vm_id: int, host: str, port: int) -> str:
    """A new token for a machine's screen at a host; one that it had before is void. Raises TokenError."""
    if not host or any(letter.isspace() for letter in host):
        raise TokenError(f"VM {vm_id}: its host must be a name or an address, found {host[:40]!r}")
    if not _RFB_FIRST_PORT <= port <= 65535:
        raise TokenError(f"VM {vm_id}: its port must be {_RFB_FIRST_PORT} to 65535, found {port}")
    token = secrets.token_hex(20)
    try:
        # Made beside the folder: the proxy reads every file that is in it.
        handle, draft = tempfile.mkstemp(prefix=".token-", dir=folder().parent)
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(f"{token}: {host}:{port}\n")
        if os.geteuid() == 0:  # the proxy is oneadmin's
            owner = folder().stat()
            os.chown(draft, owner.st_uid, owner.st_gid)
        Path(draft).replace(folder() / f"one-{vm_id}")
    except OSError as error:
        raise TokenError(f"{folder()}: {error.strerror}") from None
    return token


def forget_old(ttl_s: float = TTL_S) -> int:
    """Remove tokens that are older; how many. Sessions that they have opened go on."""
    removed = 0
    for file in folder().glob("one-*"):
        try:
            if time.time() - file.stat().st_mtime >= ttl_s:
                file.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # replaced by a newer one, or removed by who has issued it
    return removed


def make_folder() -> None:
    """An empty folder for oneadmin alone."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    folder().chmod(0o700)
    forget_old(0)


def announce(proxy: Proxy | None) -> None:
    """Note for commands on this machine which proxy runs, or that none does."""
    if proxy is None:
        _note().unlink(missing_ok=True)
        return
    _note().parent.mkdir(parents=True, exist_ok=True)
    draft = _note().with_suffix(".new")
    draft.write_text(json.dumps(asdict(proxy)), encoding="utf-8")
    draft.replace(_note())


def announced() -> Proxy | None:
    """The proxy that runs on this machine, None without one. Raises TokenError for who may not look."""
    try:
        return Proxy(**json.loads(_note().read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise TokenError(f"{_note()}: {error}") from None


def _note() -> Path:
    return paths.run() / "novnc.json"
