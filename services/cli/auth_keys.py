"""What users of the drivers ssh and x509 log in with: keys, certificates, and tokens signed by them.

The openssl program does the cryptography: commands run without libraries beyond Python's own, and it asks for
the passphrase of a protected key itself.

A token is ``user:expiry`` signed by the private key (PKCS #1 v1.5 without a digest), in base64; one of x509
holds the certificates as well. Source: docs/authentication.md and the drivers' pages of OpenNebula's manual.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time

from services.cli.errors import CliError

_CERTIFICATE = re.compile(r"-+BEGIN CERTIFICATE-+\n[^-]*\n-+END CERTIFICATE-+")


def default_key() -> str:
    """The private key that ssh uses."""
    return os.path.join(os.environ.get("HOME", ""), ".ssh", "id_rsa")


def public_key(path: str) -> str:
    """The public part of an RSA key as one line of base64: the password of an ssh user. Raises CliError."""
    _require_readable(path, "Private key")
    pem = _openssl(["rsa", "-in", path, "-pubout"], f"Private key {path} is not an RSA key in PEM form")
    return "".join(line for line in pem.decode().splitlines() if "PUBLIC KEY" not in line)


def subject(path: str) -> str:
    """The subject of a certificate with its spaces escaped: the password of an x509 user. Raises CliError."""
    _require_readable(path, "Certificate")
    line = _openssl(
        ["x509", "-in", path, "-noout", "-subject", "-nameopt", "compat"],
        f"{path} is not a certificate in PEM form",
    )
    return escape(line.decode().strip().removeprefix("subject=").strip())


def escape(name: str) -> str:
    """A subject with white space as backslash and hexadecimal code (a password has no white space)."""
    return re.sub(r"\s", lambda found: f"\\{ord(found[0]):x}", name)


def ssh_token(user: str, key: str, valid_s: int) -> str:
    """A token of the driver ssh. Raises CliError."""
    return _signed(f"{user}:{int(time.time()) + valid_s}", key)


def x509_token(user: str, certificate: str, key: str, valid_s: int) -> str:
    """A token of the driver x509, with one certificate. Raises CliError."""
    _require_readable(certificate, "Certificate")
    text = _openssl(["x509", "-in", certificate], f"{certificate} is not a certificate in PEM form").decode()
    return _with_certificates(user, [text], key, valid_s)


def proxy_token(user: str, proxy: str, valid_s: int) -> str:
    """A token of the driver x509, with the certificates and the key of a proxy file. Raises CliError."""
    _require_readable(proxy, "Proxy certificate")
    with open(proxy, encoding="utf-8", errors="replace") as file:
        found = [f"{block}\n" for block in _CERTIFICATE.findall(file.read())]
    if not found:
        raise CliError(f"Proxy certificate {proxy} holds no certificate in PEM form.")
    return _with_certificates(user, found, proxy, valid_s)


def _with_certificates(user: str, certificates: list[str], key: str, valid_s: int) -> str:
    signed = _signed(f"{user}:{int(time.time()) + valid_s}", key)
    return base64.b64encode(f"{signed}:{':'.join(certificates)}".encode()).decode()


def _signed(text: str, key: str) -> str:
    _require_readable(key, "Private key")
    signature = _openssl(
        ["pkeyutl", "-sign", "-inkey", key, "-pkeyopt", "rsa_padding_mode:pkcs1"],
        f"Private key {key} cannot sign (an RSA key in PEM form is needed)",
        text.encode(),
    )
    return base64.b64encode(signature).decode()


def _require_readable(path: str, what: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise CliError(f"{what} {path} cannot be read: {error.strerror}.") from None


def _openssl(arguments: list[str], fault: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=False)
    except OSError:
        raise CliError(
            "The program openssl is needed for keys and certificates and is not installed."
        ) from None
    if done.returncode != 0:
        raise CliError(f"{fault}.")
    return done.stdout
