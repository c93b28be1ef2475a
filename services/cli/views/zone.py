"""How zones are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.documents import parse, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, dash, plain
from services.common.oca import EndpointError, OneError

_PATIENCE_S = 5.0  # for each server that is asked for its state
_STATES = {"0": "solo", "1": "candidate", "2": "follower", "3": "leader"}


def _endpoint(zone: Element, _look: Any = None) -> str:
    return text_of(zone, "TEMPLATE/ENDPOINT")


def _current(zone: Element, look: Any) -> str:
    return "*" if _endpoint(zone).strip() == look.inv.client.endpoint else ""


def _index(zone: Element, look: Any) -> str:
    status = _status(look.inv, _endpoint(zone))
    return dash(text_of(status, "FEDLOG_INDEX")) if status is not None else "-"


def _status(inv: Any, endpoint: str) -> Element | None:
    """What a server says of its place in the zone, or None. All zones of a federation share their users."""
    try:
        with inv.client.to(endpoint, _PATIENCE_S) as client:
            return parse(client.call("zone.raftstatus"))
    except (OneError, EndpointError):
        return None


LIST = ListView(
    kinds.ZONE,
    [
        Column("CURRENT", "* where the commands are connected to", 1, _current),
        Column("ID", "number of the zone", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("ENDPOINT", "address of its XML-RPC interface", 45, _endpoint, left=True),
        Column("FED_INDEX", "last federation record that it has", 10, _index, left=True),
    ],
    "CURRENT ID NAME ENDPOINT FED_INDEX",
)

_SERVER_COLUMNS = [
    Column("ID", "", 2),
    Column("NAME", "", 15, left=True),
    Column("ENDPOINT", "", 63, left=True),
]
_SYNC_COLUMNS = [
    Column("ID", "", 2),
    Column("NAME", "", 15, left=True),
    Column("STATE", "", 10, left=True),
    Column("TERM", "", 10, left=True),
    Column("INDEX", "", 10, left=True),
    Column("COMMIT", "", 10, left=True),
    Column("VOTE", "", 5, left=True),
    Column("FED_INDEX", "", 10, left=True),
]


def show(zone: Element, inv: Any) -> list[str]:
    """The lines of ``onezone show``; each server is asked for its state."""
    page = Page(inv, 18)
    page.head(f"ZONE {text_of(zone, 'ID')} INFORMATION")
    page.field("ID", text_of(zone, "ID"))
    page.field("NAME", text_of(zone, "NAME"))
    page.blank()
    servers = zone.findall("SERVER_POOL/SERVER")
    if servers:
        page.blank()
        page.head("ZONE SERVERS")
        page.table(
            _SERVER_COLUMNS, [[text_of(s, tag) for tag in ("ID", "NAME", "ENDPOINT")] for s in servers]
        )
        page.blank()
        page.head("HA & FEDERATION SYNC STATUS")
        page.table(_SYNC_COLUMNS, [_sync_row(inv, server) for server in servers])
    page.blank()
    page.template("ZONE TEMPLATE", zone.find("TEMPLATE"))
    return page.lines


def _sync_row(inv: Any, server: Element) -> list[str]:
    status = _status(inv, text_of(server, "ENDPOINT"))
    head = [text_of(server, "ID"), text_of(server, "NAME")]
    if status is None:
        return [*head, "error", "-", "-", "-", "-", "-"]
    tags = ("TERM", "LOG_INDEX", "COMMIT", "VOTEDFOR", "FEDLOG_INDEX")
    return [*head, _STATES.get(text_of(status, "STATE"), "error"), *(text_of(status, tag) for tag in tags)]
