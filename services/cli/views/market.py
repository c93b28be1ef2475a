"""How marketplaces are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.documents import number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, counted, group_text, plain, user_text


def _available(market: Element, _look: Any) -> str:
    total = number_of(market, "TOTAL_MB")
    return f"{int(number_of(market, 'FREE_MB') * 100 / total + 0.5)}%" if total else "-"


LIST = ListView(
    kinds.MARKET,
    [
        Column("ID", "number of the marketplace", 4, plain("ID"), adjust=True),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("SIZE", "its size", 10, lambda m, _: units.size(number_of(m, "TOTAL_MB"), "M")),
        Column("AVAIL", "how much of it is free", 10, _available, left=True),
        Column("APPS", "number of its appliances", 6, counted("MARKETPLACEAPPS")),
        Column("MAD", "its driver", 7, plain("MARKET_MAD"), left=True),
        Column("ZONE", "number of its zone", 4, plain("ZONE_ID")),
    ],
    "ID NAME SIZE AVAIL APPS MAD ZONE",
)


def show(market: Element, inv: Any) -> list[str]:
    """The lines of ``onemarket show``."""
    page = Page(inv, 15)
    page.head(f"MARKETPLACE {text_of(market, 'ID')} INFORMATION")
    page.owner(market)
    page.field("MARKET_MAD", text_of(market, "MARKET_MAD"))
    page.blank()
    page.head("MARKETPLACE CAPACITY")
    for name, tag in (("TOTAL:", "TOTAL_MB"), ("FREE:", "FREE_MB"), ("USED: ", "USED_MB")):
        page.field(name, units.size(number_of(market, tag), "M"))
    page.blank()
    page.permissions(market)
    page.blank()
    page.template("MARKETPLACE TEMPLATE", market.find("TEMPLATE"))
    page.blank()
    page.id_list("MARKETAPPS", market, "MARKETPLACEAPPS")
    return page.lines
