"""Driver x509: the stored password is a certificate's subject, the secret a signed text with the certificate.

The secret is base64 of ``<signature>:<PEM>:<PEM>...``, the user's certificate first, then those up to one
that a trusted authority has issued; the signed text is ``<user>:<epoch seconds>``. Trusted
authorities are the files ``<hash>.<n>`` of ``auth/certificates``, their revocation lists ``<hash>.r<n>``.
Settings: ``auth/x509_auth.conf`` (``:ca_dir``, ``:check_crl``).
Source: x509 authentication page of release 6.0; RFC 5280; RFC 3820 for proxy certificates.
"""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import Certificate, CertificateRevocationList, Name

from services.common import paths
from services.oned.auth.drivers import rsa, settings
from services.oned.auth.drivers.base import Answer, Context, Login, Refusal, decoded, expiry

_T = TypeVar("_T")
_CA_FILE, _CRL_FILE = re.compile(r"[0-9a-f]{1,8}\.\d+"), re.compile(r"[0-9a-f]{1,8}\.r\d+")
_CHAIN_MAX = 10
# How OpenSSL calls the parts of a subject; others appear as their number.
_SHORT = {
    "2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L",
    "2.5.4.8": "ST", "2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title",
    "2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier", "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym", "2.5.4.97": "organizationIdentifier", "1.2.840.113549.1.9.1": "emailAddress",
    "0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
}  # fmt: skip


def authenticate(login: Login, context: Context) -> Answer:
    """Accept a text signed with the key of a trusted certificate of the user. Raises Refusal."""
    signature, *pems = decoded(login.secret).decode("utf-8", "replace").split(":")
    if not pems or len(pems) > _CHAIN_MAX:
        raise Refusal(f"the secret holds {len(pems)} certificates, expected 1 to {_CHAIN_MAX}")
    chain = [certificate(pem.encode()) for pem in pems]
    name, _, ends = rsa.signed_text(chain[0].public_key(), decoded(signature)).partition(":")
    if name != login.name:
        raise Refusal("the secret is for another user")
    until = expiry(ends, time.time(), "the x509 token")
    if subject(_holder(chain)) not in login.password.split("|"):
        raise Refusal("the certificate does not have the stored subject")
    _validate(chain)
    return Answer(until=min(until, *(_end(found) for found in chain)))


def certificate(data: bytes) -> Certificate:
    """The certificate of a PEM text. Raises Refusal."""
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError:
        raise Refusal("a certificate is not PEM text") from None


def subject(found: Certificate) -> str:
    """A certificate's subject as passwords hold it: ``/C=ES/CN=Some\\20User``."""
    return re.sub(r"\s", lambda blank: f"\\{ord(blank[0]):x}", _one_line(found.subject))


def _one_line(name: Name) -> str:
    parts = []
    for attribute in name:
        label = _SHORT.get(attribute.oid.dotted_string, attribute.oid.dotted_string)
        value = attribute.value
        data = value if isinstance(value, bytes) else value.encode()
        text = "".join(chr(byte) if 32 <= byte <= 126 else f"\\x{byte:02X}" for byte in data)
        parts.append(f"/{label}={text}")
    return "".join(parts)


def _holder(chain: list[Certificate]) -> Certificate:
    """The user's own certificate, behind the proxies that it made."""
    for child, issuer in zip(chain, chain[1:], strict=False):
        if not _is_proxy_of(child, issuer):
            return child
    return chain[-1]


# -- trust -------------------------------------------------------------------------------------------------
def _validate(chain: list[Certificate]) -> None:
    """Raise Refusal unless the chain leads to a trusted, self-signed authority, nothing in it revoked."""
    options = settings.read("x509_auth.conf", required=False)
    folder = Path(options.get(":ca_dir") or paths.etc() / "auth/certificates")
    authorities = _read_all(folder, _CA_FILE, x509.load_pem_x509_certificate)
    lists = _read_all(folder, _CRL_FILE, x509.load_pem_x509_crl)
    for child, issuer in zip(chain, chain[1:], strict=False):
        if not _has_issued(issuer, child):
            raise Refusal(f"{_one_line(child.subject)} was not issued by {_one_line(issuer.subject)}")
        if not (_is_authority(issuer) or _is_proxy_of(child, issuer)):
            raise Refusal(f"{_one_line(issuer.subject)} may not issue certificates")
    path, last = list(chain), chain[-1]
    while last.subject != last.issuer or last in chain:
        found = next((ca for ca in authorities if _has_issued(ca, last)), None)
        if found is None or len(path) > 2 * _CHAIN_MAX:
            raise Refusal(f"no trusted authority has issued {_one_line(last.subject)}")
        path.append(found)
        if found == last:
            break
        last = found
    for found in path:
        _refuse_outdated(found)
    for found, issuer in zip(path, [*path[1:], path[-1]], strict=True):
        _refuse_revoked(found, issuer, lists, required=bool(options.get(":check_crl")) and found is path[0])


def _refuse_outdated(found: Certificate) -> None:
    now = datetime.datetime.now(datetime.UTC)
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise Refusal(f"the certificate of {_one_line(found.subject)} does not hold now")


def _refuse_revoked(
    found: Certificate, issuer: Certificate, lists: list[CertificateRevocationList], *, required: bool
) -> None:
    of_issuer = [listed for listed in lists if listed.issuer == found.issuer]
    if required and not of_issuer:
        raise Refusal(f"there is no revocation list of {_one_line(found.issuer)}")
    for listed in of_issuer:
        key: Any = issuer.public_key()
        if not listed.is_signature_valid(key):
            raise Refusal(f"the revocation list of {_one_line(found.issuer)} is not signed by it")
        if listed.get_revoked_certificate_by_serial_number(found.serial_number) is not None:
            raise Refusal(f"the certificate of {_one_line(found.subject)} was revoked")


def _has_issued(issuer: Certificate, child: Certificate) -> bool:
    try:
        child.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_authority(found: Certificate) -> bool:
    try:
        return found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _is_proxy_of(child: Certificate, issuer: Certificate) -> bool:
    """Whether a user made the certificate for itself: its subject is the user's with one more name behind."""
    mine, theirs = child.subject.rdns, issuer.subject.rdns
    if len(mine) != len(theirs) + 1 or mine[: len(theirs)] != theirs:
        return False
    return [attribute.oid for attribute in mine[-1]] == [x509.NameOID.COMMON_NAME]


def _end(found: Certificate) -> float:
    return found.not_valid_after_utc.timestamp()


def _read_all(folder: Path, wanted: re.Pattern[str], load: Callable[[bytes], _T]) -> list[_T]:
    """The files of a folder with such names. Raises Refusal naming one that cannot be read."""
    file = folder
    try:
        found = []
        for file in sorted(folder.iterdir()):
            if wanted.fullmatch(file.name):
                found.append(load(file.read_bytes()))
        return found
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}") from None
    except ValueError:
        raise Refusal(f"{file}: is not in PEM form") from None
