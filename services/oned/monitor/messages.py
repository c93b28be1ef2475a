"""Messages of the agents: reading and checking them, bounded in every way.

``TYPE STATUS HOST_ID EPOCH PAYLOAD`` in one line. The payload is base64 of a zlib stream; with a key pair,
what it inflates to is a row of RSA blocks (PKCS#1 1.5). Source: monitoring messages of release 6.0.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.common.config import ConfigError

DATAGRAM_MAX_BYTES = 65_535
STREAM_MAX_BYTES = 1024 * 1024
TEXT_MAX_BYTES = 2 * 1024 * 1024
KINDS = ("BEACON_HOST", "SYSTEM_HOST", "MONITOR_HOST", "STATE_VM", "MONITOR_VM")
_LINE = re.compile(
    rb"([A-Z_]{1,32}) (SUCCESS|FAILURE) (-1|\d{1,9}) (\d{1,12})(?: ([A-Za-z0-9+/=]*))?[\r\n\0]*\Z"
)
_FOREIGN = "the payload is not encrypted for this front-end"


# In place of a host's id: disks on storage that the front-end itself looks at.
FRONT_END = -1


class MessageError(ValueError):
    """A message that cannot be used; the text says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an agent, or of the front-end. received_s: epoch second when it came, by our clock."""

    kind: str
    is_success: bool
    host_id: int
    epoch_s: int
    payload: bytes
    received_s: float


def parse(data: bytes, received_s: float) -> Message:
    """A message from its line. Raises MessageError."""
    found = _LINE.match(data)
    if found is None:
        raise MessageError("no monitor message")
    kind, status, host_id, epoch_s, payload = found.groups()
    name = kind.decode("ascii")
    if name not in KINDS or (int(host_id) == FRONT_END and name != "MONITOR_VM"):
        raise MessageError("no message of an agent")
    return Message(name, status == b"SUCCESS", int(host_id), int(epoch_s), payload or b"", received_s)


class Reader:
    """Turns payloads into texts; with a private key it accepts only what was encrypted for it."""

    def __init__(self, key: rsa.RSAPrivateKey | None = None) -> None:
        self._key = key

    @classmethod
    def of_file(cls, path: Path | None) -> Reader:
        """A reader with the private key (PEM) of a file, or without one. Raises ConfigError."""
        if path is None:
            return cls()
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise ConfigError(f"NETWORK/PRIKEY: {path} cannot be read: {error.strerror}") from None
        except (ValueError, TypeError):
            raise ConfigError(f"NETWORK/PRIKEY: {path} must hold an RSA key (PEM) without password") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ConfigError(f"NETWORK/PRIKEY: {path} must hold an RSA key (PEM)")
        return cls(key)

    def text(self, payload: bytes) -> str:
        """The text of a payload. Raises MessageError."""
        try:
            packed = base64.b64decode(payload, validate=True)
        except binascii.Error:
            raise MessageError("the payload is no base64") from None
        data = _inflated(packed) if packed else b""
        return self._decrypted(self._key, data) if self._key else data.decode("utf-8", "replace")

    def _decrypted(self, key: rsa.RSAPrivateKey, data: bytes) -> str:
        size = (key.key_size + 7) // 8
        blocks = [data[at : at + size] for at in range(0, len(data), size)]
        # A block has random bytes in it: none comes twice, unless somebody copies what he cannot make.
        if not data or len(data) % size or len(set(blocks)) < len(blocks):
            raise MessageError(_FOREIGN)
        decoder = codecs.getincrementaldecoder("utf-8")()
        parts = []
        try:
            for block in blocks:
                # What was made with another key may come out as random bytes instead of an error. They are no
                # text, mostly, and that has to be seen at the first of some thousand blocks.
                parts.append(decoder.decode(key.decrypt(block, padding.PKCS1v15())))
            return "".join(parts) + decoder.decode(b"", final=True)
        except ValueError:
            raise MessageError(_FOREIGN) from None


def _inflated(packed: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(packed, TEXT_MAX_BYTES)
    except zlib.error:
        raise MessageError("the payload is no zlib stream") from None
    if stream.unconsumed_tail or not stream.eof:
        raise MessageError(f"the payload is cut off or longer than {TEXT_MAX_BYTES} bytes")
    return text
