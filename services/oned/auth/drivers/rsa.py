"""Reading what an RSA private key has "encrypted" (PKCS #1 v1.5, type 1): signatures that hold the text."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from services.oned.auth.drivers.base import Refusal


def signed_text(key: object, signature: bytes) -> str:
    """The text that the owner of the private key has signed. Raises Refusal."""
    if not isinstance(key, RSAPublicKey):
        raise Refusal("the key is not an RSA key")
    try:
        return key.recover_data_from_signature(signature, padding.PKCS1v15(), None).decode()
    except (InvalidSignature, ValueError):
        raise Refusal("the secret was not made with the user's key") from None


def public_key(data: bytes) -> RSAPublicKey:
    """The RSA key of a DER or PEM text. Raises Refusal."""
    for load in (load_der_public_key, load_pem_public_key):
        try:
            key = load(data)
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, RSAPublicKey):
            return key
    raise Refusal("the stored password is not an RSA public key")
