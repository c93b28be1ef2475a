"""How VM groups are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.documents import text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, dash, group_text, lock_text, plain, user_text


def _vms(group: Element, _look: Any) -> str:
    return str(
        sum(len((role.findtext("VMS") or "").split(",")) for role in _roles(group) if text_of(role, "VMS"))
    )


def _roles(group: Element) -> list[Element]:
    return group.findall("ROLES/ROLE")


def _role_names(group: Element, _look: Any) -> str:
    return ", ".join(role.findtext("NAME", "") for role in _roles(group))


LIST = ListView(
    kinds.VMGROUP,
    [
        Column("ID", "number of the VM group", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
        Column("VMS", "number of its machines", 4, _vms, left=True),
        Column("ROLES", "names of its roles", 36, _role_names, left=True),
    ],
    "ID USER GROUP NAME VMS ROLES",
)

_ROLE_COLUMNS = [
    Column("ID", "", 4, left=True),
    Column("NAME", "", 8, left=True),
    Column("POLICY", "", 12, left=True),
    Column("AFFINED_HOSTS", "", 18, left=True),
    Column("ANTI_AFFINED_HOST", "", 18, left=True),
    Column("VIRTUAL_MACHINES", "", 20, left=True),
]


def show(group: Element, inv: Any) -> list[str]:
    """The lines of ``onevmgroup show``."""
    page = Page(inv, 15)
    page.head(f"VM GROUP {text_of(group, 'ID')} INFORMATION")
    page.owner(group)
    page.field("LOCK", lock_text(group))
    page.permissions(group, blank=True)
    page.blank()
    page.head("ROLES")
    page.table(
        _ROLE_COLUMNS,
        [
            [
                text_of(role, "ID"),
                text_of(role, "NAME"),
                *(dash(text_of(role, tag)) for tag in ("POLICY", "HOST_AFFINED", "HOST_ANTI_AFFINED")),
                text_of(role, "VMS"),
            ]
            for role in _roles(group)
        ],
    )
    page.blank()
    page.template("TEMPLATE CONTENTS", group.find("TEMPLATE"))
    return page.lines
