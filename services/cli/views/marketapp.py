"""How appliances of marketplaces are listed and shown."""

from __future__ import annotations

import time
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.documents import number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, lock_text, plain

STATES = ("INIT", "READY", "LOCKED", "ERROR", "DISABLED")
TYPES = ("UNKNOWN", "IMAGE", "VMTEMPLATE", "SERVICE_TEMPLATE")
_SHORT_STATES = ("init", "rdy", "lock", "err", "dis")
_SHORT_TYPES = ("unk", "img", "tpl", "srv")


def named(app: Element, tag: str, names: tuple[str, ...]) -> str:
    """The name of a state or type; its number when that is unknown."""
    number = number_of(app, tag)
    return names[number] if 0 <= number < len(names) else str(number)


def _day(app: Element, _look: Any) -> str:
    return time.strftime("%m/%d/%y", time.localtime(number_of(app, "REGTIME")))


LIST = ListView(
    kinds.APP,
    [
        Column("ID", "number of the appliance", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 20, plain("NAME"), left=True, expand=-1),
        Column("VERSION", "its version", 10, plain("VERSION")),
        Column("SIZE", "its size", 5, lambda a, _: units.size(number_of(a, "SIZE"), "M")),
        Column("STAT", "its state", 4, lambda a, _: named(a, "STATE", _SHORT_STATES)),
        Column("TYPE", "img, tpl or srv", 4, lambda a, _: named(a, "TYPE", _SHORT_TYPES)),
        Column("REGTIME", "day of its registration", 8, _day),
        Column("MARKET", "its marketplace", 10, plain("MARKETPLACE"), left=True),
        Column("ZONE", "number of its zone", 4, plain("ZONE_ID")),
    ],
    "ID NAME VERSION SIZE STAT TYPE REGTIME MARKET ZONE",
)


def show(app: Element, inv: Any) -> list[str]:
    """The lines of ``onemarketapp show``."""
    page = Page(inv, 15)
    page.head(f"MARKETPLACE APP {text_of(app, 'ID')} INFORMATION")
    page.field("ID", text_of(app, "ID"))
    page.field("NAME", text_of(app, "NAME"))
    page.field("TYPE", named(app, "TYPE", TYPES))
    page.field("USER", text_of(app, "UNAME"))
    page.field("GROUP", text_of(app, "GNAME"))
    page.field("MARKETPLACE", text_of(app, "MARKETPLACE"))
    page.field("STATE", named(app, "STATE", _SHORT_STATES))
    page.field("LOCK", lock_text(app))
    page.blank()
    page.permissions(app)
    page.blank()
    page.head("DETAILS")
    for tag in ("SOURCE", "MD5", "PUBLISHER"):
        page.field(tag, text_of(app, tag))
    page.field(
        "REGISTER TIME", time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(number_of(app, "REGTIME")))
    )
    for tag in ("VERSION", "DESCRIPTION"):
        page.field(tag, text_of(app, tag))
    page.field("SIZE", units.size(number_of(app, "SIZE"), "M"))
    for tag in ("ORIGIN_ID", "FORMAT"):
        page.field(tag, text_of(app, tag))
    page.blank()
    page.head("IMPORT TEMPLATE")
    page.add([decoded(text_of(app, "APPTEMPLATE64")).rstrip("\n")])
    page.blank()
    page.template("MARKETPLACE APP TEMPLATE", app.find("TEMPLATE"))
    page.blank()
    return page.lines


def decoded(text: str) -> str:
    """A template that is kept as base64; what is none is shown as it is."""
    import base64
    import binascii

    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, ValueError):
        return text
