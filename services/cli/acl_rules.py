"""Access rules: from the words that users write to the numbers that the interface takes.

A rule has four parts: whose (``#5`` a user, ``@100`` a group, ``*`` all), what (sorts of objects joined by
+, a slash and which: ``#5`` one, ``@100`` a group's, ``%100`` a cluster's, ``*`` all), rights joined by +,
and the zone. Each becomes a hexadecimal number. Source: system interface page of OpenNebula's manual.
"""

from __future__ import annotations

import re

from services.cli.errors import CliError, hint

_WHO = {"#": 0x1_0000_0000, "@": 0x2_0000_0000, "*": 0x4_0000_0000, "%": 0x8_0000_0000}
# The letter of each sort in the mask of ``oneacl list``, in the order of their bits, and its name.
RESOURCES = {
    "V": "VM",
    "H": "HOST",
    "N": "NET",
    "I": "IMAGE",
    "U": "USER",
    "T": "TEMPLATE",
    "G": "GROUP",
    "D": "DATASTORE",
    "C": "CLUSTER",
    "O": "DOCUMENT",
    "Z": "ZONE",
    "S": "SECGROUP",
    "v": "VDC",
    "R": "VROUTER",
    "M": "MARKETPLACE",
    "A": "MARKETPLACEAPP",
    "P": "VMGROUP",
    "t": "VNTEMPLATE",
}
RIGHTS = {"u": "USE", "m": "MANAGE", "a": "ADMIN", "c": "CREATE"}
# Bit 43 is unused (it was the bit of a sort that is gone).
_BITS = {name: 36 + index + (index > 6) for index, name in enumerate(RESOURCES.values())}
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")


def encode(parts: list[str]) -> list[str]:
    """The hexadecimal numbers of three or four parts. Raises CliError, which names the part."""
    whose, what, rights, *zone = parts
    if all(_HEXADECIMAL.fullmatch(part) for part in parts):
        return parts  # already numbers
    numbers = [_ids(whose, "user"), _resource(what), _rights(rights), *(_ids(part, "zone") for part in zone)]
    return [f"{number:x}" for number in numbers]


def _ids(text: str, part: str) -> int:
    if not re.fullmatch(r"[#@%]\d+|\*", text, re.ASCII):
        raise CliError(f"ACL rule, {part}: expected #ID, @ID, %ID or *, found {text!r}.")
    return _WHO[text[0]] + int(text[1:] or 0)


def _resource(text: str) -> int:
    sorts, slash, ids = text.partition("/")
    if not slash:
        raise CliError(f"ACL rule, resource: expected SORT+SORT/WHICH such as VM+IMAGE/*, found {text!r}.")
    number = 0
    for sort in sorts.upper().split("+"):
        if sort not in _BITS:
            raise CliError(f"ACL rule, resource: there is no sort {sort!r}.{hint(sort, _BITS)}")
        number |= 1 << _BITS[sort]
    return number + _ids(ids, "resource")


def _rights(text: str) -> int:
    names = list(RIGHTS.values())
    number = 0
    for right in text.upper().split("+"):
        if right not in names:
            raise CliError(f"ACL rule, rights: there is no right {right!r}.{hint(right, names)}")
        number |= 1 << names.index(right)
    return number


def mask(letters: dict[str, str], text: str) -> str:
    """The letters of the words that a text joins by +, and dashes for the others."""
    words = text.split("+")
    return "".join(letter if word in words else "-" for letter, word in letters.items())
