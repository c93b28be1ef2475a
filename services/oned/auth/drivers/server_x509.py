"""Driver server_x509: a service proves itself with a text signed by the key of a certificate.

The stored password is the certificate's subject. Settings: ``auth/server_x509_auth.conf`` (``:srv_user``,
``:one_cert``). Source: server_x509 tokens of release 6.0's services.
"""

from __future__ import annotations

import hmac
from pathlib import Path

from cryptography.x509 import Certificate

from services.common import paths
from services.oned.auth.drivers import rsa, server_cipher, settings, x509
from services.oned.auth.drivers.base import Answer, Context, Login, Refusal, decoded


def authenticate(login: Login, context: Context) -> Answer:
    """Accept a text that the certificate's key has signed, for this server and target. Raises Refusal."""
    options = settings.read("server_x509_auth.conf", required=False)
    server = options.get(":srv_user")
    if not server:
        raise Refusal("server_x509_auth.conf sets no :srv_user")
    certificate = _certificate(Path(options.get(":one_cert") or paths.etc() / "auth/cert.pem"))
    if not hmac.compare_digest(login.password.encode(), x509.subject(certificate).encode()):
        raise Refusal("the server's stored password is not the certificate's subject")
    if login.name != server:
        raise Refusal(f"server_x509_auth.conf lets only {server} in")
    # Clients encode twice: the signature, and then the token.
    token = decoded(login.secret).decode("ascii", "replace")
    return server_cipher.check(rsa.signed_text(certificate.public_key(), decoded(token)), login)


def _certificate(file: Path) -> Certificate:
    try:
        return x509.certificate(file.read_bytes())
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}") from None
