"""Messages as they go over the wire: read with programs that are not ours."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import zlib
from pathlib import Path

import im_send
import pytest
from driver import DriverError


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RSA key pair: key.pem, rsa.pem (BEGIN RSA PUBLIC KEY), spki.pem (BEGIN PUBLIC KEY)."""
    folder = tmp_path_factory.mktemp("keys")
    for words in (
        ("genrsa", "-traditional", "-out", "key.pem", "2048"),
        ("rsa", "-in", "key.pem", "-RSAPublicKey_out", "-out", "rsa.pem"),
        ("rsa", "-in", "key.pem", "-pubout", "-out", "spki.pem"),
    ):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    return folder


def _plain(message: bytes) -> tuple[list[str], bytes]:
    words = message.decode().split(" ")
    return words[:4], zlib.decompress(base64.b64decode(words[4], validate=True))


@pytest.mark.parametrize("form", ["rsa.pem", "spki.pem"])
@pytest.mark.parametrize("separator", ["\n", " "])
def test_encrypted(keys: Path, form: str, separator: str) -> None:
    """openssl reads every block with the private key; line ends that became blanks do not matter."""
    pem = (keys / form).read_text().strip().replace("\n", separator)
    sender = im_send.Sender("127.0.0.1", 4124, 7, pem)
    text = "VM=[ID=1]\n" * 100
    words, data = _plain(sender.message("STATE_VM", True, text))
    assert words[:3] == ["STATE_VM", "SUCCESS", "7"] and words[3].isdigit()
    assert len(data) % 256 == 0 and b"VM=" not in data
    said = b"".join(
        subprocess.run(
            ["openssl", "pkeyutl", "-decrypt", "-inkey", keys / "key.pem"],
            input=data[start : start + 256], capture_output=True, check=True,
        ).stdout
        for start in range(0, len(data), 256)
    )  # fmt: skip
    assert said.decode() == text


@pytest.mark.parametrize("pem", ["x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
def test_what_is_no_key(pem: str) -> None:
    """One clear error, at the start."""
    with pytest.raises(DriverError, match="NETWORK/PUBKEY is no RSA public key"):
        im_send.Sender("127.0.0.1", 4124, 7, pem)


def test_datagrams_and_streams() -> None:
    """Short ones by UDP, failures too; long lists of machines in parts, another long one by TCP."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.create_server(("127.0.0.1", 0)) as streams,
    ):
        port = streams.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        datagrams.settimeout(30)
        streams.settimeout(30)
        sender = im_send.Sender("127.0.0.1", port, 7)
        sender.datagrams("BEACON_HOST", False, "a fault")
        words, data = _plain(datagrams.recv(65536))
        assert (words[:2], data) == (["BEACON_HOST", "FAILURE"], b"a fault")

        # What does not get smaller: each machine's row takes more than 600 bytes on the wire.
        noise = (base64.b64encode(os.urandom(600)).decode() for _ in range(200))
        rows = "".join(f'VM=[ID="{number}",MONITOR="{text}"]\n' for number, text in enumerate(noise))
        sender.datagrams("MONITOR_VM", True, rows)
        got = b""
        while got.count(b"\n") < 200:
            message = datagrams.recv(65536)
            assert len(message) <= im_send.DATAGRAM_MAX_BYTES
            got += _plain(message)[1]
        assert got.decode() == rows

        sender.datagrams("SYSTEM_HOST", True, rows.replace("VM=", "XX="))
        connection, _ = streams.accept()
        with connection:
            whole = b"".join(iter(lambda: connection.recv(65536), b""))
        assert _plain(whole)[0][0] == "SYSTEM_HOST"


def test_nobody_listens() -> None:
    """Is an OSError, upon which the agent waits and tries again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError):
        im_send.Sender("127.0.0.1", port, 7).stream("STATE_VM", True, "x")
