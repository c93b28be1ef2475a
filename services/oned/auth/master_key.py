"""The key file ``.one/one_key``, with which secret attributes are encrypted: made once, mode 0600, then read.

Source: the key file of release 6.0.0.3 (64 hexadecimal digits, of which the first 32 are the key).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from services.oned.auth import password
from services.oned.auth.credentials import CredentialsError, create_file


@lru_cache(maxsize=8)
def read(file: Path) -> str:
    """The text of the key file, which is made when it is missing. Raises CredentialsError naming it."""
    try:
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_file(file, f"{password.generate()}\n")
        key = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{file}: {getattr(error, 'strerror', None) or 'is not text'}") from None
    if not key:
        raise CredentialsError(f"{file}: is empty, expected a key")
    return key[0]
