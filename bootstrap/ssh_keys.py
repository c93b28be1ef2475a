"""SSH keys: read and check an operator's own, make new ones. No file is written here."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

_RSA_BITS = 3072
# Host keys: file name and what makes it.
HOST_KEYS = ("ed25519", "ecdsa", "rsa")


class SshKeyError(ValueError):
    """A key that cannot be used; the text says why and never shows key material."""


@dataclass(frozen=True)
class KeyPair:
    """private: the key file's text. public: one line ``type base64 [comment]``."""

    private: str = field(repr=False)
    public: str


def check(private: bytes, public: bytes | None) -> KeyPair:
    """The pair, with the public part derived when it is None. Raises SshKeyError."""
    key = _load(private)
    derived = _line(key)
    text = private.decode().replace("\r\n", "\n").rstrip("\n") + "\n"
    if public is None:
        return KeyPair(text, derived)
    try:
        line = public.decode().strip()
        words = line.split()
        serialization.load_ssh_public_key(" ".join(words[:2]).encode())
    except (ValueError, UnsupportedAlgorithm):
        raise SshKeyError("the public key cannot be read, expected one line: ssh-rsa AAAA...") from None
    if "\n" in line or words[:2] != derived.split()[:2]:
        raise SshKeyError("the public key does not belong to the private one")
    return KeyPair(text, line)


def generate(kind: str = "rsa", comment: str = "") -> KeyPair:
    """A new pair; kind: one of HOST_KEYS."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(65537, _RSA_BITS)
    elif kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    return KeyPair(text, f"{_line(key)} {comment}".rstrip())


def _load(private: bytes) -> object:
    is_openssh = b"BEGIN OPENSSH" in private
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    try:
        return load(private, password=None)
    except TypeError:
        raise SshKeyError("the private key is protected by a passphrase, expected one without") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        if "password" in str(error).lower():
            raise SshKeyError("the private key is protected by a passphrase, expected one without") from None
        raise SshKeyError("the private key cannot be read, expected OpenSSH's format or PEM") from None


def _line(key: object) -> str:
    try:
        made: bytes = key.public_key().public_bytes(  # type: ignore[attr-defined]
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
    except (ValueError, UnsupportedAlgorithm):
        raise SshKeyError("keys of this kind do not work with SSH") from None
    return made.decode()
