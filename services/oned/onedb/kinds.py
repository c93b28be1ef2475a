"""The words by which commands name kinds of objects."""

from __future__ import annotations

from services.oned.fsck.documents import MODELS
from services.oned.model.base import PoolObject
from services.oned.onedb.errors import OnedbError

_WORDS = {"NET": "vnet"}
KINDS: dict[str, type[PoolObject]] = {
    _WORDS.get(model.KIND, model.KIND.lower()): model
    for model in sorted(MODELS, key=lambda model: model.KIND)
}


def model_of(word: str) -> type[PoolObject]:
    """The kind of objects that a word names, in any case. Raises OnedbError."""
    found = KINDS.get(word.strip().lower())
    if found is None:
        raise OnedbError(f"Object type '{word}' not supported, expected one of {', '.join(KINDS)}")
    return found
