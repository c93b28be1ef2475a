"""Attributes that the database keeps encrypted (``HOST_ENCRYPTED_ATTR`` and its kin).

A setting names an attribute (``NSX_PASSWORD``) or a part of a vector (``CONTEXT/PASSWORD``). A value is
base64 of AES-256-CBC with a zero vector; the key is the first 32 characters of the key file, the same one and
the same form that release 6.0 uses, so either reads what the other has written. A value that the key opens
counts as encrypted already. Encryption happens where OpenNebula does it: when a template is updated, and when
VMs, networks, datastores and documents are made.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache, partial

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from services.common import xmldoc
from services.common.template import Template
from services.oned.auth import master_key
from services.oned.config import OnedConf
from services.oned.model import restricted

_BLOCK_BYTES, _KEY_BYTES = 16, 32
# The templates of VMs and networks are made from these templates, so the same attributes are secret in them.
_SETTINGS = {
    "CLUSTER": "CLUSTER_ENCRYPTED_ATTR",
    "DATASTORE": "DATASTORE_ENCRYPTED_ATTR",
    "DOCUMENT": "DOCUMENT_ENCRYPTED_ATTR",
    "HOST": "HOST_ENCRYPTED_ATTR",
    "IMAGE": "IMAGE_ENCRYPTED_ATTR",
    "NET": "VNET_ENCRYPTED_ATTR",
    "VNTEMPLATE": "VNET_ENCRYPTED_ATTR",
    "VM": "VM_ENCRYPTED_ATTR",
    "TEMPLATE": "VM_ENCRYPTED_ATTR",
    "USER": "USER_ENCRYPTED_ATTR",
}


def encrypt(conf: OnedConf, kind: str, template: Template) -> None:
    """Encrypt the secret attributes of a template of that kind of objects, those that are not yet."""
    _change(conf, kind, template, _encrypted)


def decrypt(conf: OnedConf, kind: str, template: Template) -> None:
    """Put the secret attributes of a template in clear."""
    _change(conf, kind, template, _in_clear)


def decrypted_body(conf: OnedConf, kind: str, body: str) -> str:
    """A document with its secret attributes in clear."""
    names = _names(conf, kind)
    if not names:
        return body
    key = _key(conf)

    def in_clear(found: re.Match[str]) -> str:
        text = _opened(key, found[2])
        return found[0] if text is None else f"{found[1]}{xmldoc.cdata(text)}{found[3]}"

    for head, parts in names.items():
        if parts:
            body = _vector(head).sub(partial(_in_vector, in_clear, parts), body)
        else:
            body = _element(head).sub(in_clear, body)
    return body


def _in_vector(in_clear: Callable[[re.Match[str]], str], parts: set[str], found: re.Match[str]) -> str:
    text = found[0]
    for part in parts:
        text = _element(part).sub(in_clear, text)
    return text


def _change(conf: OnedConf, kind: str, template: Template, how: Callable[[bytes, str], str]) -> None:
    """Change the secret values where they stand; the order of the attributes stays."""
    names = _names(conf, kind)
    if not names.keys() & template.names():
        return
    key = _key(conf)
    for head in names.keys() & template.names():
        parts = names[head]
        if not parts:
            values = template.get_all(head)
            template.remove(head)
            for value in values:
                template.add(head, how(key, value) if isinstance(value, str) else value)
            continue
        for vector in template.vectors(head):
            for part in parts & vector.keys():
                if vector[part]:
                    vector[part] = how(key, vector[part])


def _encrypted(key: bytes, text: str) -> str:
    return _closed(key, text) if _opened(key, text) is None else text


def _in_clear(key: bytes, text: str) -> str:
    opened = _opened(key, text)
    return text if opened is None else opened


# -- which, and with what ----------------------------------------------------------------------------------
def _names(conf: OnedConf, kind: str) -> dict[str, set[str]]:
    setting = _SETTINGS.get(kind)
    return {} if setting is None else restricted.names(conf.settings, setting)


def _key(conf: OnedConf) -> bytes:
    return master_key.read(conf.key_file).encode()[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0")


@lru_cache(maxsize=256)
def _element(name: str) -> re.Pattern[str]:
    """The element of a text, as documents write it; encrypted values need no escapes."""
    return re.compile(rf"(<{re.escape(name)}>)<!\[CDATA\[([A-Za-z0-9+/=]+)\]\]>(</{re.escape(name)}>)")


@lru_cache(maxsize=256)
def _vector(name: str) -> re.Pattern[str]:
    return re.compile(rf"<{re.escape(name)}>(?:<[^!].*?)</{re.escape(name)}>", re.DOTALL)


def sealed(password: str, text: str) -> str:
    """A text that opens with the first 32 characters of a password, in the same form."""
    return _closed(password.encode()[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0"), text)


# -- one value ---------------------------------------------------------------------------------------------
def _closed(key: bytes, text: str) -> str:
    padder = PKCS7(_BLOCK_BYTES * 8).padder()
    closer = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK_BYTES))).encryptor()
    padded = padder.update(text.encode()) + padder.finalize()
    return base64.b64encode(closer.update(padded) + closer.finalize()).decode()


def _opened(key: bytes, text: str) -> str | None:
    """What an encrypted value says, or None when it is not one."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not data or len(data) % _BLOCK_BYTES:
        return None
    opener = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK_BYTES))).decryptor()
    unpadder = PKCS7(_BLOCK_BYTES * 8).unpadder()
    try:
        padded = opener.update(data) + opener.finalize()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError:  # wrong padding, or no text
        return None
