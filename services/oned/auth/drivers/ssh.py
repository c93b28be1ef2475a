"""Driver ssh: the stored password is a user's RSA public key, the secret a text signed with the private one.

The text is ``<user>:<epoch seconds>``; the key is the base64 body of its PEM form, in one line.
Source: ssh authentication page of release 6.0; tokens of its clients.
"""

from __future__ import annotations

import time

from services.oned.auth.drivers import rsa
from services.oned.auth.drivers.base import Answer, Context, Login, Refusal, decoded, expiry


def authenticate(login: Login, context: Context) -> Answer:
    """Accept a text that the user's key has signed and that holds still. Raises Refusal."""
    key = rsa.public_key(_key_bytes(login.password))
    name, _, ends = rsa.signed_text(key, decoded(login.secret)).partition(":")
    if name != login.name:
        raise Refusal("the secret is for another user")
    return Answer(until=expiry(ends, time.time(), "the ssh token"))


def _key_bytes(stored: str) -> bytes:
    return stored.encode() if stored.startswith("-----BEGIN") else decoded(stored)
