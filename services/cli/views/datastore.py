"""How datastores are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.documents import ids_of, number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, counted, dash, group_text, joined, plain, user_text

_TYPES = ("IMAGE", "SYSTEM", "FILE")
_SHORT_TYPES = ("img", "sys", "fil")
_STATES = ("READY", "DISABLED")
_SHORT_STATES = ("on", "off")
_DISK_TYPES = [
    "FILE",
    "CD_ROM",
    "BLOCK",
    "RBD",
    "RBD_CDROM",
    "GLUSTER",
    "GLUSTER_CDROM",
    "SHEEPDOG",
    "SHEEPDOG_CDROM",
    "ISCSI",
]


def _named(store: Element, tag: str, names: Any) -> str:
    number = store.findtext(tag, "")
    return names[int(number)] if number.isdigit() and int(number) < len(names) else dash(number)


def _is_local(store: Element) -> bool:
    """Whether every host has its own part, so that there is no size of the whole."""
    return text_of(store, "TEMPLATE/SHARED").upper() == "NO"


def _size(store: Element, tag: str) -> str:
    return "-" if _is_local(store) else units.size(number_of(store, tag), "M")


def _available(store: Element, _look: Any) -> str:
    total = number_of(store, "TOTAL_MB")
    if _is_local(store) or not total:
        return "-"
    return f"{int(number_of(store, 'FREE_MB') * 100 / total + 0.5)}%"


LIST = ListView(
    kinds.DATASTORE,
    [
        Column("ID", "number of the datastore", 4, plain("ID"), adjust=True),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
        Column("NAME", "its name", 10, plain("NAME"), left=True, expand=-1),
        Column("SIZE", "its size", 6, lambda s, _: _size(s, "TOTAL_MB")),
        Column("AVAIL", "how much of it is free", 3, _available, left=True),
        Column("CLUSTERS", "clusters that can use it", 8, joined("CLUSTERS"), left=True),
        Column("IMAGES", "number of images in it", 6, counted("IMAGES")),
        Column("TYPE", "img, sys or fil", 4, lambda s, _: _named(s, "TYPE", _SHORT_TYPES), left=True),
        Column("DS", "driver that stores images", 7, plain("DS_MAD"), left=True),
        Column("TM", "driver that moves images", 7, plain("TM_MAD"), left=True),
        Column("STAT", "on or off", 4, lambda s, _: _named(s, "STATE", _SHORT_STATES), left=True),
    ],
    "ID NAME SIZE AVAIL CLUSTERS IMAGES TYPE DS TM STAT",
)


def show(store: Element, inv: Any) -> list[str]:
    """The lines of ``onedatastore show``."""
    page = Page(inv, 15)
    page.head(f"DATASTORE {text_of(store, 'ID')} INFORMATION")
    page.owner(store)
    page.field("CLUSTERS", ",".join(ids_of(store, "CLUSTERS")))
    page.field("TYPE", _named(store, "TYPE", _TYPES))
    page.field("DS_MAD", text_of(store, "DS_MAD"))
    page.field("TM_MAD", text_of(store, "TM_MAD"))
    page.field("BASE PATH", text_of(store, "BASE_PATH"))
    page.field("DISK_TYPE", _named(store, "DISK_TYPE", _DISK_TYPES))
    page.field("STATE", _named(store, "STATE", _STATES))
    page.blank()
    page.head("DATASTORE CAPACITY")
    for name, tag in (("TOTAL:", "TOTAL_MB"), ("FREE:", "FREE_MB"), ("USED:", "USED_MB")):
        page.field(name, _size(store, tag))
    limit = text_of(store, "TEMPLATE/LIMIT_MB")
    page.field("LIMIT:", units.size(int(limit), "M") if limit.isdigit() else "-")
    page.blank()
    page.permissions(store)
    page.blank()
    page.template("DATASTORE TEMPLATE", store.find("TEMPLATE"))
    page.blank()
    page.id_list("IMAGES", store, "IMAGES")
    return page.lines
