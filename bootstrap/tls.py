"""Certificates: read and check an operator's own, make a self-signed one. No file is written here."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SOON_DAYS = 30
# What marks a certificate as made here, so that it may be replaced.
_ORGANIZATION = "Onebox self-signed"
_COMMON_NAME_MAX = 64  # RFC 5280, upper bound of commonName


class TlsError(ValueError):
    """A key or certificate that cannot be used; the text says why and never shows key material."""


@dataclass(frozen=True)
class Pair:
    """A certificate (PEM, with its chain) and its key (PEM, unencrypted)."""

    certificate: str
    key: str = field(repr=False)
    expires: datetime.datetime
    names: tuple[str, ...]
    is_self_made: bool

    def days_left(self, now: datetime.datetime | None = None) -> float:
        """Days until it expires; negative afterwards."""
        return (self.expires - (now or _now())) / datetime.timedelta(days=1)


def check(certificate: bytes, key: bytes, now: datetime.datetime | None = None) -> Pair:
    """The pair, when it can be used now. Raises TlsError: unreadable, expired, not of each other."""
    pair = parse(certificate, key)
    moment = now or _now()
    [leaf, *_] = x509.load_pem_x509_certificates(certificate)
    if pair.expires <= moment:
        raise TlsError(f"the certificate expired on {pair.expires:%Y-%m-%d %H:%M} UTC")
    if leaf.not_valid_before_utc > moment:
        raise TlsError(f"the certificate is valid from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only")
    return pair


def parse(certificate: bytes, key: bytes) -> Pair:
    """The pair, whatever its dates. Raises TlsError."""
    try:
        [leaf, *_] = x509.load_pem_x509_certificates(certificate)
    except ValueError:
        raise TlsError("the certificate cannot be read, expected PEM (-----BEGIN CERTIFICATE-----)") from None
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except TypeError:
        raise TlsError("the key is protected by a passphrase, expected one without") from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsError("the key cannot be read, expected PEM (-----BEGIN PRIVATE KEY-----)") from None
    if _public(private.public_key()) != _public(leaf.public_key()):
        raise TlsError("the key does not belong to the certificate")
    organizations = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return Pair(
        certificate.decode(),
        key.decode(),
        leaf.not_valid_after_utc,
        _names(leaf),
        any(name.value == _ORGANIZATION for name in organizations),
    )


def self_signed(names: Sequence[str], valid_days: int) -> Pair:
    """A new pair for these host names and addresses; the first is the common name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
        x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_COMMON_NAME_MAX]),
    ])  # fmt: skip
    now = _now()
    public = key.public_key()
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, crl_sign=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # Clients whose clock is a little behind.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=valid_days))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        # A client can trust it by itself: it is its own authority.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    return parse(
        pem,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def decoded(text: str) -> bytes:
    """What base64 text that was checked before stands for."""
    return base64.b64decode(text)


def _public(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = found.get_values_for_type(x509.DNSName)
    return (*hosts, *map(str, found.get_values_for_type(x509.IPAddress)))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
