"""How templates of virtual networks are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.documents import number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, group_text, lock_text, plain, user_text

LIST = ListView(
    kinds.VNTEMPLATE,
    [
        Column("ID", "number of the template", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
        Column("REGTIME", "when it was registered", 15, lambda t, _: units.moment(number_of(t, "REGTIME"))),
    ],
    "ID USER GROUP NAME REGTIME",
)


def show(template: Element, inv: Any) -> list[str]:
    """The lines of ``onevntemplate show``."""
    page = Page(inv, 15)
    page.head(f"TEMPLATE {text_of(template, 'ID')} INFORMATION")
    page.owner(template)
    page.field("LOCK", lock_text(template))
    page.field("REGISTER TIME", units.moment(number_of(template, "REGTIME")))
    page.blank()
    page.permissions(template)
    page.blank()
    page.template("TEMPLATE CONTENTS", template.find("TEMPLATE"))
    return page.lines
