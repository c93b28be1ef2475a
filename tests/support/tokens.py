"""Login tokens as OpenNebula's clients make them, with the openssl program instead of our own code."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import time
from pathlib import Path


def openssl(*args: str, stdin: bytes = b"") -> bytes:
    """What an openssl command prints."""
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, check=True).stdout


def new_key(file: Path) -> Path:
    """A new RSA private key."""
    openssl("genrsa", "-out", str(file), "2048")
    return file


def public_key(key: Path) -> str:
    """The public key as the ssh driver's password: the body of its PEM form in one line."""
    lines = openssl("rsa", "-in", str(key), "-pubout").decode().splitlines()
    return "".join(line for line in lines if "PUBLIC KEY" not in line)


def signed(key: Path, text: str) -> str:
    """Base64 of a text "encrypted" with a private key, in one line."""
    signature = openssl("pkeyutl", "-sign", "-inkey", str(key), stdin=text.encode())
    return base64.b64encode(signature).decode()


def ssh_token(key: Path, name: str, valid_s: int = 3600) -> str:
    """The token of ``oneuser login --ssh``."""
    return signed(key, f"{name}:{int(time.time()) + valid_s}")


def cipher_token(password: str, server: str, target: str, valid_s: int = 1800) -> str:
    """The token of a service: the second part of its secret, behind the target user."""
    key = hashlib.sha256(password.encode()).hexdigest()[:32].encode().hex()
    text = f"{server}:{target}:{int(time.time()) + valid_s}"
    data = openssl("enc", "-aes-256-cbc", "-K", key, "-iv", "0" * 32, stdin=text.encode())
    return base64.b64encode(data).decode()


class Authority:
    """A certificate authority in a folder, whose certificate users' certificates are signed with."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key, self.certificate = folder / "ca.key", folder / "ca.pem"
        openssl("genrsa", "-out", str(self.key), "2048")
        openssl(
            "req", "-x509", "-new", "-key", str(self.key), "-out", str(self.certificate), "-days", "30",
            "-subj", f"/O=Test/CN={name}",
        )  # fmt: skip

    @property
    def hash(self) -> str:
        """The name under which a folder of trusted certificates has it, without the number."""
        return openssl("x509", "-in", str(self.certificate), "-noout", "-hash").decode().strip()

    def trust(self, folder: Path) -> None:
        """Put the certificate into a folder of trusted ones."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.hash}.0").write_bytes(self.certificate.read_bytes())

    def issue(self, key: Path, subject: str, *, days: int = 30, serial: int = 1) -> str:
        """The PEM of a certificate for a key."""
        return issue(self.certificate, self.key, key, subject, days=days, serial=serial)


def issue(
    certificate: Path, signer: Path, key: Path, subject: str, *, days: int = 30, serial: int = 1
) -> str:
    """The PEM of a certificate for a key, signed by the owner of another certificate."""
    request = openssl("req", "-new", "-key", str(key), "-subj", subject)
    return openssl(
        "x509", "-req", "-CA", str(certificate), "-CAkey", str(signer), "-days", str(days),
        "-set_serial", str(serial), stdin=request,
    ).decode()  # fmt: skip


def x509_token(key: Path, name: str, certificates: list[str], valid_s: int = 3600) -> str:
    """The token of ``oneuser login --x509``."""
    text = ":".join([signed(key, f"{name}:{int(time.time()) + valid_s}"), *certificates])
    return base64.b64encode(text.encode()).decode()
