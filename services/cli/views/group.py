"""How groups are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.documents import ids_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views import quotas
from services.cli.views.common import Page, counted, plain

LIST = ListView(
    kinds.GROUP,
    [
        Column("ID", "number of the group", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("USERS", "number of its members", 5, counted("USERS")),
        *quotas.list_columns((9, 17, 11), ("%3s / %3s", "%7s / %7s", "%4s / %4s")),
    ],
    "ID NAME USERS VMS MEMORY CPU",
    prepare=quotas.prepare("GROUP"),
)


def show(group: Element, inv: Any) -> list[str]:
    """The lines of ``onegroup show``."""
    page = Page(inv, 15)
    page.head(f"GROUP {text_of(group, 'ID')} INFORMATION")
    page.field("ID", text_of(group, "ID"))
    page.field("NAME", text_of(group, "NAME"))
    page.blank()
    page.template("GROUP TEMPLATE", group.find("TEMPLATE"))
    page.blank()
    admins = set(ids_of(group, "ADMINS"))
    page.table(
        [Column("USER ID", "", 7), Column("ADMIN", "", 5, left=True)],
        [[oid, "*" if oid in admins else ""] for oid in ids_of(group, "USERS")],
    )
    page.blank()
    quotas.sections(page, group)
    return page.lines
