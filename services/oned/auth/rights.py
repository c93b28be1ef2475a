"""The rights that a request can need; wire values of ACL rules."""

from __future__ import annotations

from enum import IntFlag


class Right(IntFlag):
    """Bits of an ACL rule's RIGHTS. CREATE is a right on a kind, the others on an object."""

    USE = 1
    MANAGE = 2
    ADMIN = 4
    CREATE = 8
