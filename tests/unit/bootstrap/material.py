"""Certificates and keys for tests, made in memory."""

from __future__ import annotations

import datetime
from base64 import b64encode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def pair(
    *, days: float = 30, starts_in_days: float = -1, name: str = "own.example.org"
) -> tuple[bytes, bytes]:
    """An operator's own certificate and key (PEM), valid until ``days`` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    start = now + datetime.timedelta(days=min(starts_in_days, days - 1))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), key_text(key)


def key_text(key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    """The key as PEM."""
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def packed(content: bytes) -> str:
    """Base64, as an operator's ``base64 file`` prints it."""
    return b64encode(content).decode()
