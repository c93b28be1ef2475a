"""How virtual routers are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.documents import text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, dash, group_text, lock_text, plain, user_text

LIST = ListView(
    kinds.VROUTER,
    [
        Column("ID", "number of the virtual router", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
    ],
    "ID USER GROUP NAME",
)

_NIC_COLUMNS = [
    Column("ID", "", 3),
    Column("NETWORK", "", 20, left=True),
    Column("MANAGEMENT", "", 10, left=True),
    Column("IP", "", 15, left=True, adjust=True),
]


def show(router: Element, inv: Any) -> list[str]:
    """The lines of ``onevrouter show``."""
    page = Page(inv, 15)
    page.head(f"VIRTUAL ROUTER {text_of(router, 'ID')} INFORMATION")
    page.owner(router)
    page.field("LOCK", lock_text(router))
    page.blank()
    page.permissions(router)
    nics = router.findall("TEMPLATE/NIC")
    if nics:
        page.blank()
        page.head("VIRTUAL ROUTER NICS")
        page.table(_NIC_COLUMNS, [row for nic in nics for row in _nic_rows(nic)])
    page.blank()
    page.template("TEMPLATE CONTENTS", router.find("TEMPLATE"), () if inv.opts.all else ("NIC",))
    page.blank()
    page.id_list("VIRTUAL MACHINES", router, "VMS")
    return page.lines


def _nic_rows(nic: Element) -> list[list[str]]:
    """One row a card, and one for each IPv6 address; only floating addresses are the router's own."""
    is_floating = text_of(nic, "FLOATING_IP").upper() == "YES"
    first = [
        text_of(nic, "NIC_ID"),
        dash(text_of(nic, "NETWORK")),
        text_of(nic, "VROUTER_MANAGEMENT", "NO"),
        dash(text_of(nic, "IP") if is_floating else ""),
    ]
    more = ("IP6_LINK", "IP6_ULA", "IP6_GLOBAL") if is_floating else ()
    return [first, *(["", "", "", text_of(nic, tag)] for tag in more if text_of(nic, tag))]
