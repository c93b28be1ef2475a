"""How security groups are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.documents import ids_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, counted, group_text, plain, user_text

LIST = ListView(
    kinds.SECGROUP,
    [
        Column("ID", "number of the security group", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
        Column("UPDATED", "machines that have its rules", 8, counted("UPDATED_VMS")),
        Column("OUTDATED", "machines that still have earlier rules", 8, counted("OUTDATED_VMS")),
        Column("ERROR", "machines whose rules could not be set", 8, counted("ERROR_VMS")),
    ],
    "ID USER GROUP NAME UPDATED OUTDATED ERROR",
)

_RULE_COLUMNS = [
    Column("TYPE", "", 8, left=True),
    Column("PROTOCOL", "", 8, left=True),
    Column("ICMP_TYPE", "", 9, left=True),
    Column("ICMVP6_TYPE", "", 11, left=True),  # the heading is spelt so in OpenNebula's command
    Column("NETWORK", "", 35, left=True, adjust=True),
    Column("RANGE", "", 16, left=True, adjust=True),
]


def show(group: Element, inv: Any) -> list[str]:
    """The lines of ``onesecgroup show``."""
    page = Page(inv, 15)
    page.head(f"SECURITY GROUP {text_of(group, 'ID')} INFORMATION")
    page.owner(group)
    page.permissions(group)
    page.blank()
    page.head("VIRTUAL MACHINES")
    for name in ("UPDATED", "OUTDATED", "ERROR"):
        page.field(name, ",".join(ids_of(group, f"{name}_VMS")))
    page.blank()
    page.head("RULES")
    rules = group.findall("TEMPLATE/RULE")
    page.table(
        _RULE_COLUMNS,
        [
            [
                *(text_of(rule, tag) for tag in ("RULE_TYPE", "PROTOCOL", "ICMP_TYPE", "ICMPV6_TYPE")),
                _network(rule),
                text_of(rule, "RANGE"),
            ]
            for rule in rules
        ],
    )
    page.blank()
    page.template("TEMPLATE CONTENTS", group.find("TEMPLATE"), ("RULE",))
    return page.lines


def _network(rule: Element) -> str:
    """Whom a rule lets talk: ``VNet 3: Start: 10.0.0.1, Size: 5 ``."""
    network, size = text_of(rule, "NETWORK_ID"), text_of(rule, "SIZE")
    parts = [f"VNet {network}"] if network else []
    if size:
        first = text_of(rule, "IP") or text_of(rule, "MAC")
        parts.append(f"Start: {first}, Size: {size}" if first else f"Size: {size}")
    return (": ".join(parts) or "Any") + " "
