"""Passwords: how the core driver stores them, how they are proved, and how new ones are made.

New ones are stored as scrypt (``$scrypt$ln=14,r=8,p=5$<salt>$<key>``), which is slow on purpose. What this
process has proved once it remembers by keyed digests, so the slow work is done once for a password and
process. Digests of older databases are accepted: hex SHA-256 (release 6.0) and hex SHA-1 (before it).
Source: User and AuthRequest of release 6.0.0.3; RFC 7914; cost as OWASP advises for 16 MiB.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import threading
from dataclasses import dataclass

_WHITE_SPACE = " \t\n\v\f\r"
_SALT_BYTES, _KEY_BYTES = 16, 32
_FORM = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
_REMEMBERED_MAX = 8192
_process_key = secrets.token_bytes(32)
_proved: dict[bytes, bool] = {}
_disproved: dict[bytes, bool] = {}  # apart from the others, so that guessing does not push those out
# Each proof takes 16 MiB and most of a processor; more at once would only be slower.
_turns = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one proof costs: 2^log2_n * r * 128 bytes of memory, p times over."""

    log2_n: int
    r: int
    p: int


COST = Cost(14, 8, 5)
_COST_MAX = Cost(17, 16, 16)  # a stored text that asks for more is not one of ours


def digest(password: str) -> str:
    """Hex SHA-256: how release 6.0 stores core passwords, and the form that the cipher driver's key is in."""
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).hexdigest()


def hashed(password: str) -> str:
    """What the core driver stores for a new password. Slow: not inside a transaction."""
    salt = secrets.token_bytes(_SALT_BYTES)
    cost = COST
    with _turns:
        key = _text(_derived(password, salt, cost))
    stored = f"$scrypt$ln={cost.log2_n},r={cost.r},p={cost.p}${_text(salt)}${key}"
    _remember(_proved, fingerprint(password, stored))
    return stored


def is_current(stored: str) -> bool:
    """Whether a stored password has today's form; others are replaced at the next login."""
    return stored.startswith("$scrypt$")


def known(stored: str, password: str) -> bool | None:
    """Whether a password is the stored one, where that takes no time to tell; None: ask prove()."""
    if not is_current(stored):
        return _is_legacy(stored, password)
    mark = fingerprint(password, stored)
    if mark in _proved:
        return True
    return False if mark in _disproved else None


def prove(stored: str, password: str) -> bool:
    """Whether a password is the stored one. Slow: not inside a transaction."""
    found = _FORM.fullmatch(stored)
    if found is None:
        return _is_legacy(stored, password)
    cost = Cost(*(int(number) for number in found.groups()[:3]))
    salt, expected = (base64.b64decode(text + "=" * (-len(text) % 4)) for text in found.groups()[3:])
    with _turns:
        told = known(stored, password)
        if told is not None:  # somebody else asked the same while this one waited
            return told
        try:
            is_same = _is_bearable(cost) and hmac.compare_digest(
                _derived(password, salt, cost, len(expected)), expected
            )
        except ValueError:  # a cost that OpenSSL refuses; such a text proves nobody
            is_same = False
        _remember(_proved if is_same else _disproved, fingerprint(password, stored))
    return is_same


def fingerprint(*texts: str) -> bytes:
    """A digest of secrets that means something in this process only; to remember them by."""
    mark = hashlib.blake2b(key=_process_key, digest_size=32)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        mark.update(len(data).to_bytes(8, "little"))
        mark.update(data)
    return mark.digest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def problem(password: str) -> str | None:
    """Why a password cannot be used, or None. The text never holds the password."""
    if not password:
        return "Invalid password, it cannot be empty"
    if any(char in _WHITE_SPACE for char in password):
        return "Invalid password, white space is not allowed"
    return None


def generate() -> str:
    """A new random secret: 64 hexadecimal digits."""
    return secrets.token_hex(32)


def _is_legacy(stored: str, password: str) -> bool:
    data = password.encode("utf-8", "surrogatepass")
    return any(
        hmac.compare_digest(
            hashlib.new(name, data).hexdigest().encode(), stored.encode("utf-8", "surrogatepass")
        )
        for name in ("sha256", "sha1")
    )


def _is_bearable(cost: Cost) -> bool:
    return cost.log2_n <= _COST_MAX.log2_n and cost.r <= _COST_MAX.r and cost.p <= _COST_MAX.p


def _derived(password: str, salt: bytes, cost: Cost, length: int = _KEY_BYTES) -> bytes:
    n = 1 << cost.log2_n
    memory = 128 * cost.r * (n + cost.p + 2)
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=n,
        r=cost.r,
        p=cost.p,
        maxmem=memory + 1024 * 1024,
        dklen=length,
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _remember(marks: dict[bytes, bool], mark: bytes) -> None:
    if len(marks) >= _REMEMBERED_MAX:
        marks.clear()
    marks[mark] = True
