"""Driver server_cipher: a service proves itself with a text that was encrypted with the shared password.

The text is ``<server user>:<target user>:<epoch seconds>``, AES-256-CBC with a zero vector; the key is the
first 32 characters of the hex SHA-256 of the service's password, which is what the database holds.
Source: server_cipher tokens of release 6.0's services.
"""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from services.oned.auth.drivers.base import Answer, Context, Login, Refusal, decoded, expiry

KEY_BYTES, _BLOCK_BYTES = 32, 16


def authenticate(login: Login, context: Context) -> Answer:
    """Accept a text that the shared key opens, is for this server and target, and holds. Raises Refusal."""
    return check(_opened(login.password, decoded(login.secret)), login)


def check(text: str, login: Login) -> Answer:
    """Accept the text of a server's token when it names the server and the target. Raises Refusal."""
    parts = text.split(":")
    if parts[0] != login.name:
        raise Refusal("the token is another server's")
    # A token for one user must not open the account of another one to whoever gets hold of it.
    if len(parts) > 2 and login.target and ":".join(parts[1:-1]) != login.target:
        raise Refusal("the token is for another user")
    return Answer(until=expiry(parts[-1], time.time(), "the server's token"))


def _opened(password: str, data: bytes) -> str:
    key = password.encode()[:KEY_BYTES]
    if len(key) < KEY_BYTES:
        raise Refusal("the server's stored password is no SHA-256 digest")
    if not data or len(data) % _BLOCK_BYTES:
        raise Refusal("the token is damaged")
    opener = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK_BYTES))).decryptor()
    unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
    try:
        padded = opener.update(data) + opener.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError:
        raise Refusal("the token was not made with the server's password") from None
