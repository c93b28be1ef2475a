"""How access rules are listed."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.acl_rules import RESOURCES, RIGHTS, mask
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import plain


def _part(index: int) -> Any:
    """A column function: one part of the rule in words (USER RESOURCE/ID RIGHTS ZONE)."""

    def value(rule: Element, _look: Any) -> str:
        parts = rule.findtext("STRING", "").split()
        return parts[index] if index < len(parts) else ""

    return value


_resource, _rights = _part(1), _part(2)

LIST = ListView(
    kinds.ACL,
    [
        Column("ID", "number of the rule", 4, plain("ID"), adjust=True),
        Column("USER", "user or group that it applies to, or all", 8, _part(0)),
        Column(
            "RES_VHNIUTGDCOZSvRMAPt",
            "sorts of objects it applies to, a letter each",
            22,
            lambda rule, look: mask(RESOURCES, _resource(rule, look).split("/")[0]),
        ),
        Column(
            "RID",
            "which of them, of a group, of a cluster, or all",
            5,
            lambda rule, look: _resource(rule, look).partition("/")[2],
        ),
        Column("ZONE", "zone it applies in", 5, _part(3)),
        Column(
            "OPE_UMAC",
            "use, manage, admin, create",
            8,
            lambda rule, look: mask(RIGHTS, _rights(rule, look)),
        ),
        Column("STRING", "the rule in words", None, plain("STRING"), left=True, adjust=True),
    ],
    "ID USER RES_VHNIUTGDCOZSvRMAPt RID OPE_UMAC ZONE",
)
