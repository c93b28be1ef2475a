"""Messages of agents: what is read, and what hostile senders cannot do."""

from __future__ import annotations

import base64
import os
import zlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.common.config import ConfigError
from services.oned.monitor import messages
from services.oned.monitor.messages import MessageError, Reader, parse


def packed(text: bytes) -> bytes:
    return base64.b64encode(zlib.compress(text, 9))


def test_a_message_of_an_agent() -> None:
    message = parse(b"MONITOR_HOST SUCCESS 12 1800000000 " + packed(b"USEDCPU=5\n"), 5.0)
    assert (message.kind, message.is_success, message.host_id) == ("MONITOR_HOST", True, 12)
    assert (message.epoch_s, message.received_s) == (1_800_000_000, 5.0)
    assert Reader().text(message.payload) == "USEDCPU=5\n"


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\0"])
def test_a_beacon_may_carry_nothing(ending: bytes) -> None:
    message = parse(b"BEACON_HOST FAILURE 0 1" + ending, 5.0)
    assert not message.is_success and Reader().text(message.payload) == ""


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0" * 65_000, b"<?xml version='1.0'?><x/>", b"MONITOR_HOST", b"\xff\xfe\xfd"),
        *(b"MONITOR_HOST SUCCESS -1 1 eA==", b"MONITOR_HOST SUCCESS 99999999999999999999 1 eA=="),
        *(b"MONITOR_HOST OTHER 1 1 eA==", b"MONITOR_HOST SUCCESS 1 1 <x>", b"MONITOR_HOST SUCCESS 1 1 e A"),
        *(b"START_MONITOR SUCCESS 1 1 eA==", b"LOG SUCCESS 1 1 eA==", b"monitor_host SUCCESS 1 1 eA=="),
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(MessageError):
        parse(data, 5.0)


@pytest.mark.parametrize(
    "payload",
    [
        b"====",
        base64.b64encode(b"no zlib"),
        base64.b64encode(zlib.compress(b"cut off" * 100)[:-6]),
        packed(b"x" * (messages.TEXT_MAX_BYTES + 1)),
    ],
)
def test_payloads_that_are_refused(payload: bytes) -> None:
    with pytest.raises(MessageError):
        Reader().text(payload)


def test_a_bomb_is_not_inflated() -> None:
    """400 KB that would become 400 MB: no more than the limit is ever made of them."""
    bomb = base64.b64encode(zlib.compress(b"\0" * 400_000_000, 9))
    assert len(bomb) < messages.STREAM_MAX_BYTES
    with pytest.raises(MessageError, match="longer than"):
        Reader().text(bomb)


# -- encryption --------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


def encrypted(key: rsa.RSAPrivateKey, text: bytes) -> bytes:
    size = key.key_size // 8 - 11
    blocks = [text[at : at + size] for at in range(0, len(text), size)]
    return packed(b"".join(key.public_key().encrypt(block, padding.PKCS1v15()) for block in blocks))


def key_file(key: rsa.RSAPrivateKey, folder: Path) -> Path:
    file = folder / "key.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return file


def test_encrypted_payloads(key: rsa.RSAPrivateKey, tmp_path: Path) -> None:
    text = b"USEDCPU=5\n" * 100
    reader = Reader.of_file(key_file(key, tmp_path))
    assert reader.text(encrypted(key, text)) == text.decode()


def test_with_a_key_nothing_else_is_taken(key: rsa.RSAPrivateKey) -> None:
    reader = Reader(key)
    for payload in (packed(b"USEDCPU=5\n"), packed(b"x" * 2560), b""):
        with pytest.raises(MessageError, match="not encrypted"):
            reader.text(payload)


def test_forged_blocks_cost_next_to_nothing(key: rsa.RSAPrivateKey) -> None:
    """2 MiB of them are more than 8,000; a real key's work is counted. Text may be cut anywhere by blocks."""
    counted = Counted(key)
    reader = Reader(counted)  # type: ignore[arg-type]
    size, number = 256, messages.TEXT_MAX_BYTES // 256
    one = key.public_key().encrypt(b"x", padding.PKCS1v15())
    for payload in (bytes(size * number), os.urandom(size * number), one * number):
        with pytest.raises(MessageError, match="not encrypted"):
            reader.text(packed(payload))
    assert counted.calls < 100
    text = "x" + "é" * 1000
    assert reader.text(encrypted(key, text.encode())) == text
    with pytest.raises(MessageError, match="not encrypted"):
        reader.text(encrypted(key, text.encode()[:-1]))


class Counted:
    """A key that counts its work."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key, self.key_size, self.calls = key, key.key_size, 0

    def decrypt(self, data: bytes, how: padding.PKCS1v15) -> bytes:
        self.calls += 1
        return self._key.decrypt(data, how)


def test_key_files_that_cannot_be_used(tmp_path: Path) -> None:
    assert Reader.of_file(None).text(packed(b"x")) == "x"
    file = tmp_path / "key"
    with pytest.raises(ConfigError, match="cannot be read"):
        Reader.of_file(file)
    file.write_text("secret nonsense")
    with pytest.raises(ConfigError, match="must hold an RSA key") as refusal:
        Reader.of_file(file)
    assert "nonsense" not in str(refusal.value)
