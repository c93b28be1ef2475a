"""How virtual networks are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, table
from services.cli.documents import ids_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, dash, group_text, joined, lock_text, loose_table, plain, user_text

LIST = ListView(
    kinds.VNET,
    [
        Column("ID", "number of the network", 4, plain("ID"), adjust=True),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("CLUSTERS", "clusters that can use it", 10, joined("CLUSTERS"), left=True),
        Column("BRIDGE", "bridge of its machines on the hosts", 8, plain("BRIDGE"), left=True, expand=-1),
        Column("LEASES", "number of addresses in use", 6, plain("USED_LEASES")),
    ],
    "ID USER GROUP NAME CLUSTERS BRIDGE LEASES",
)

_RANGE_FORM = "%-10s %34s %34s"
_LEASE_NAMES = ("AR", "OWNER", "MAC", "IP", "PORT_FORWARD", "IP6")


def show(network: Element, inv: Any) -> list[str]:
    """The lines of ``onevnet show``."""
    page = Page(inv, 25)
    page.head(f"VIRTUAL NETWORK {text_of(network, 'ID')} INFORMATION")
    page.owner(network)
    page.field("LOCK", lock_text(network))
    page.field("CLUSTERS", ",".join(ids_of(network, "CLUSTERS")))
    page.field("BRIDGE", text_of(network, "BRIDGE"))
    for name, tag in (("VN_MAD", "VN_MAD"), ("PHYSICAL DEVICE", "PHYDEV"), ("VLAN ID", "VLAN_ID")):
        if text_of(network, tag):
            page.field(name, text_of(network, tag))
    page.field("AUTOMATIC VLAN ID", _yes(network, "VLAN_ID_AUTOMATIC"))
    if text_of(network, "OUTER_VLAN_ID"):
        page.field("OUTER VLAN ID", text_of(network, "OUTER_VLAN_ID"))
    page.field("AUTOMATIC OUTER VLAN ID", _yes(network, "OUTER_VLAN_ID_AUTOMATIC"))
    page.field("USED LEASES", text_of(network, "USED_LEASES"))
    page.blank()
    page.permissions(network)
    page.blank()
    page.template("VIRTUAL NETWORK TEMPLATE", network.find("TEMPLATE"))
    page.blank()
    page.head("ADDRESS RANGE POOL")
    ranges = network.findall("AR_POOL/AR")
    for part in ranges:
        _range(page, part, inv.is_styled)
    page.blank()
    page.head("LEASES")
    leases = [_lease(part, lease) for part in ranges for lease in part.findall("LEASES/LEASE")]
    page.add(loose_table(_LEASE_NAMES, leases, inv.is_styled, left=(3, 10)))
    page.blank()
    page.id_list("VIRTUAL ROUTERS", network, "VROUTERS")
    if inv.opts.show_ar:
        for part in ranges:
            page.blank()
            page.template(f"TEMPLATE FOR AR {text_of(part, 'AR_ID')}", part, ("LEASES",))
    return page.lines


def _yes(network: Element, tag: str) -> str:
    return "YES" if network.findtext(tag) == "1" else "NO"


def _range(page: Page, part: Element, styled: bool) -> None:
    page.head(f"AR {text_of(part, 'AR_ID')}", underlined=True)
    width, page.width = page.width, 15
    page.field("SIZE", text_of(part, "SIZE"))
    page.field("LEASES", text_of(part, "USED_LEASES"))
    for tag in ("VN_MAD", "IPAM_MAD"):
        if part.find(tag) is not None:
            page.field(tag, text_of(part, tag))
    page.width = width
    page.blank()
    page.add([table.heading(_RANGE_FORM % ("RANGE", "FIRST", "LAST"), styled, underlined=False)])
    for tag in ("MAC", "IP", "IP6_GLOBAL", "IP6_ULA", "IP6"):
        if tag == "MAC" or part.find(tag) is not None:
            page.add([_RANGE_FORM % (tag, text_of(part, tag), text_of(part, f"{tag}_END"))])
    page.blank()


def _lease(part: Element, lease: Element) -> list[str]:
    owner = next(
        (f"{letter}:{text_of(lease, tag)}" for letter, tag in _OWNERS.items() if lease.find(tag) is not None),
        "",
    )
    outside, inside = text_of(lease, "EXTERNAL_PORT_RANGE"), text_of(lease, "INTERNAL_PORT_RANGE")
    return [
        text_of(part, "AR_ID"),
        owner,
        text_of(lease, "MAC"),
        dash(text_of(lease, "IP")),
        f"[{outside}]:[{inside.split('/')[0]}]" if outside else "-",
        dash(text_of(lease, "IP6") or text_of(lease, "IP6_GLOBAL")),
    ]


_OWNERS = {"V": "VM", "N": "VNET", "R": "VROUTER"}
