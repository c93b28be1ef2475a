"""How images are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.documents import ids_of, number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, group_text, lock_text, plain, user_text

TYPES = ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT")
_SHORT_TYPES = ("OS", "CD", "DB", "KL", "RD", "CX")
_SHORT_STATES = ("init", "rdy", "used", "disa", "lock", "err", "clon", "dele", "used", "lock", "lock")
_YES_NO = {"1": "Yes", "0": "No"}


def _named(image: Element, tag: str, names: tuple[str, ...]) -> str:
    number = image.findtext(tag, "")
    return names[int(number)] if number.isdigit() and int(number) < len(names) else number


def _persistent(image: Element) -> str:
    return _YES_NO.get(image.findtext("PERSISTENT", ""), "No")


def _size(image: Element, look: Any) -> str:
    return units.size(number_of(image, "SIZE"), "M", raw=look.kilobytes)


LIST = ListView(
    kinds.IMAGE,
    [
        Column("ID", "number of the image", 4, plain("ID"), adjust=True),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("DATASTORE", "its datastore", 10, plain("DATASTORE"), left=True),
        Column("SIZE", "its size", 7, _size),
        Column(
            "TYPE", "its type, in two letters", 4, lambda i, _: _named(i, "TYPE", _SHORT_TYPES), left=True
        ),
        Column("REGTIME", "when it was registered", 15, lambda i, _: units.moment(number_of(i, "REGTIME"))),
        Column("PERSISTENT", "whether it keeps what is written to it", 3, lambda i, _: _persistent(i)),
        Column("STAT", "its state", 4, lambda i, _: _named(i, "STATE", _SHORT_STATES), left=True),
        Column("RVMS", "machines that use it", 4, plain("RUNNING_VMS")),
    ],
    "ID USER GROUP NAME DATASTORE SIZE TYPE PERSISTENT STAT RVMS",
)

_SNAPSHOT_COLUMNS = [
    Column("AC", "", 2, left=True),
    Column("ID", "", 3),
    Column("PARENT", "", 6),
    Column("DATE", "", 15),
    Column("SIZE", "", 8, left=True),
    Column("NAME", "", 37, left=True),
]


def show(image: Element, inv: Any) -> list[str]:
    """The lines of ``oneimage show``."""
    page = Page(inv, 15)
    page.head(f"IMAGE {text_of(image, 'ID')} INFORMATION")
    page.owner(image)
    page.field("LOCK", lock_text(image))
    page.field("DATASTORE", text_of(image, "DATASTORE"))
    page.field("TYPE", _named(image, "TYPE", TYPES))
    page.field("REGISTER TIME", units.moment(number_of(image, "REGTIME")))
    page.field("PERSISTENT", _persistent(image))
    page.field("SOURCE", text_of(image, "SOURCE"))
    for tag in ("PATH", "FORMAT"):
        if text_of(image, tag):
            page.field(tag, text_of(image, tag))
    page.field("SIZE", units.size(number_of(image, "SIZE"), "M"))
    page.field("STATE", _named(image, "STATE", _SHORT_STATES))
    page.field("RUNNING_VMS", text_of(image, "RUNNING_VMS"))
    page.blank()
    page.permissions(image)
    snapshots = image.findall("SNAPSHOTS/SNAPSHOT")
    if snapshots:
        page.blank()
        page.head("IMAGE SNAPSHOTS")
        page.table(_SNAPSHOT_COLUMNS, [_snapshot_row(snapshot) for snapshot in snapshots])
    page.blank()
    page.template("IMAGE TEMPLATE", image.find("TEMPLATE"))
    page.blank()
    page.head("VIRTUAL MACHINES", 0)
    page.blank()
    if ids_of(image, "VMS"):
        page.add(_machines(image, inv))
    return page.lines


def _snapshot_row(snapshot: Element) -> list[str]:
    size = text_of(snapshot, "SIZE")
    return [
        "=>" if text_of(snapshot, "ACTIVE") == "YES" else "",
        text_of(snapshot, "ID"),
        text_of(snapshot, "PARENT"),
        units.moment(number_of(snapshot, "DATE")),
        units.size(int(size), "M") if size.isdigit() else "-",
        text_of(snapshot, "NAME"),
    ]


def _machines(image: Element, inv: Any) -> list[str]:
    from services.cli import listing
    from services.cli.views import vm as vm_view

    wanted = set(ids_of(image, "VMS"))
    return listing.rows_of(vm_view.LIST, inv, lambda vm: vm.findtext("ID", "") in wanted)
