"""How VDCs are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.documents import ids_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, counted, plain

_EVERY_ONE = "-10"
_SORTS = ("CLUSTER", "HOST", "DATASTORE", "VNET")


def _members(sort: str) -> Any:
    """A column function: how many objects of a sort, or ALL."""

    def value(vdc: Element, _look: Any) -> str:
        found = vdc.findall(f"{sort}S/{sort}")
        if len(found) == 1 and found[0].findtext(f"{sort}_ID") == _EVERY_ONE:
            return "ALL"
        return str(len(found))

    return value


LIST = ListView(
    kinds.VDC,
    [
        Column("ID", "number of the VDC", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("GROUPS", "number of its groups", 8, counted("GROUPS")),
        Column("CLUSTERS", "number of its clusters, or ALL", 10, _members("CLUSTER")),
        Column("HOSTS", "number of its hosts, or ALL", 10, _members("HOST")),
        Column("VNETS", "number of its networks, or ALL", 10, _members("VNET")),
        Column("DATASTORES", "number of its datastores, or ALL", 10, _members("DATASTORE")),
    ],
    "ID NAME GROUPS CLUSTERS HOSTS VNETS DATASTORES",
)


def show(vdc: Element, inv: Any) -> list[str]:
    """The lines of ``onevdc show``."""
    page = Page(inv, 18)
    page.head(f"VDC {text_of(vdc, 'ID')} INFORMATION")
    page.field("ID", text_of(vdc, "ID"))
    page.field("NAME", text_of(vdc, "NAME"))
    groups = ids_of(vdc, "GROUPS")
    if groups:
        page.blank()
        page.table([Column("GROUPS", "", 7)], [[oid] for oid in groups])
    for sort in _SORTS:
        members = vdc.findall(f"{sort}S/{sort}")
        if members:
            page.blank()
            page.head(f"{sort}S")
            rows = [[text_of(m, "ZONE_ID"), _named(text_of(m, f"{sort}_ID"))] for m in members]
            page.table([Column("ZONE", "", 7), Column(sort, "", 9)], rows)
    page.blank()
    page.template("VDC TEMPLATE", vdc.find("TEMPLATE"))
    return page.lines


def _named(oid: str) -> str:
    return "ALL" if oid == _EVERY_ONE else oid
