"""Passwords: how the core driver stores them, how they are compared, and how new ones are made.

Source: User and AuthRequest of release 6.0.0.3 (hex SHA-256; hex SHA-1 in databases of older releases).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

_WHITE_SPACE = " \t\n\v\f\r"


def digest(password: str) -> str:
    """What the core driver stores for a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def matches(stored: bytes, password: str) -> bool:
    """Whether a password is the one stored; takes equally long wherever they differ."""
    return hmac.compare_digest(hashlib.sha256(password.encode()).hexdigest().encode(), stored)


def matches_legacy(stored: bytes, password: str) -> bool:
    """Whether a password is the one that an old release stored as SHA-1."""
    return hmac.compare_digest(hashlib.sha1(password.encode()).hexdigest().encode(), stored)


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


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
