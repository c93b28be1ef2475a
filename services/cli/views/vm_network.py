"""Interfaces, forwarded ports and security groups in ``onevm show``."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from services.cli.documents import text_of
from services.cli.table import Column
from services.cli.views.common import Page

_MORE_ADDRESSES = ("EXTERNAL_IP", "IP6_LINK", "IP6_ULA", "IP6_GLOBAL", "IP6")
_ROUTER_ADDRESSES = ("VROUTER_IP", "VROUTER_IP6_LINK", "VROUTER_IP6_ULA", "VROUTER_IP6_GLOBAL")
_GUEST_ADDRESSES = ("GUEST_IP", "GUEST_IP_ADDRESSES")  # what a hypervisor has seen in the guest
_SSH_OFFSET = 21  # from the first forwarded port to that of the machine's port 22
_NIC_COLUMNS = [
    Column("ID", "", 3),
    Column("NETWORK", "", 20, left=True),
    Column("BRIDGE", "", 12, left=True),
    Column("IP", "", 15, left=True, adjust=True),
    Column("MAC", "", 17, left=True),
    Column("PCI_ID", "", 8, left=True),
]
_ALIAS_COLUMNS = _NIC_COLUMNS[:-1]


def nics(page: Page, vm: Element) -> None:
    """The sections VM NICS and VM ALIAS, when there are any, and PORT FORWARD."""
    found = vm.findall("TEMPLATE/NIC")
    passed = [pci for pci in vm.findall("TEMPLATE/PCI") if text_of(pci, "NIC_ID")]
    rows, shown = _rows([*found, *passed])
    reported = [
        address
        for tag in _GUEST_ADDRESSES
        for address in text_of(vm, f"MONITORING/{tag}").split(",")
        if address and address not in shown
    ]
    rows += [["-", "Additional IP", "-", address, "", ""] for address in dict.fromkeys(reported)]
    _section(page, "VM NICS", _NIC_COLUMNS, rows)
    aliases, _ = _rows(vm.findall("TEMPLATE/NIC_ALIAS"))
    _section(page, "VM ALIAS", _ALIAS_COLUMNS, [row[:-1] for row in aliases])
    _ports(page, vm, found)


def _section(page: Page, head: str, columns: list[Column], rows: list[list[str]]) -> None:
    if rows:
        page.blank()
        page.head(head)
        page.table(columns, rows)


def _rows(nics: list[Element]) -> tuple[list[list[str]], set[str]]:
    """A row for each interface, one more for each further address; and the addresses."""
    rows: list[list[str]] = []
    shown: set[str] = set()
    for nic in nics:
        more = [text_of(nic, tag) for tag in _MORE_ADDRESSES if text_of(nic, tag)]
        router = [text_of(nic, tag) for tag in _ROUTER_ADDRESSES if text_of(nic, tag)]
        values = [text_of(nic, tag, "-") for tag in ("NETWORK", "BRIDGE", "IP", "MAC")]
        rows.append([text_of(nic, "NIC_ID"), *values, text_of(nic, "PCI_ID")])
        rows += [["", "", "", address, "", ""] for address in more]
        rows += [["", "", "", f"{address} (VRouter)", "", ""] for address in router]
        shown |= {text_of(nic, "IP"), *more, *router}
    return rows, shown


def _ports(page: Page, vm: Element, nics: list[Element]) -> None:
    outer = next((text for nic in nics if (text := text_of(nic, "EXTERNAL_PORT_RANGE"))), "")
    records = vm.findall("HISTORY_RECORDS/HISTORY")
    first = outer.partition(":")[0]
    if not first.isdigit() or not records:
        return
    inner = next(
        (text_of(nic, "INTERNAL_PORT_RANGE") for nic in nics if text_of(nic, "EXTERNAL_PORT_RANGE")), ""
    )
    page.blank()
    page.head("PORT FORWARD")
    page.add([f"[{outer}]:[{inner.partition('/')[0]}]"])
    page.add([f"SSH on {text_of(records[-1], 'HOSTNAME')} at port {int(first) + _SSH_OFFSET}"])


_GROUP_COLUMNS = [
    Column("NIC_ID", "", 6),
    Column("NETWORK", "", 25, left=True),
    Column("SECURITY_GROUPS", "", 47, left=True),
]
_RULES_HEAD = "SECURITY GROUP   TYPE     PROTOCOL NETWORK                       RANGE          "
_RULE_COLUMNS = [
    Column("ID", "", 4),
    Column("NAME", "", 11, left=True),
    Column(" ", "", 8, left=True),
    Column("  ", "", 8, left=True),
    Column("VNET", "", 4),
    Column("START", "", 17, left=True, adjust=True),
    Column("SIZE", "", 6, left=True, adjust=True),
    Column("   ", "", 15, left=True, adjust=True),
]


def security(page: Page, vm: Element) -> None:
    """The section SECURITY, when there are rules."""
    rules = vm.findall("TEMPLATE/SECURITY_GROUP_RULE")
    if not rules:
        return
    nics = [*vm.findall("TEMPLATE/NIC"), *(p for p in vm.findall("TEMPLATE/PCI") if text_of(p, "NIC_ID"))]
    page.blank()
    page.head("SECURITY")
    page.blank()
    tags = ("NIC_ID", "NETWORK", "SECURITY_GROUPS")
    page.table(_GROUP_COLUMNS, [[text_of(nic, tag) for tag in tags] for nic in nics])
    page.blank()
    page.head(_RULES_HEAD)
    page.table(_RULE_COLUMNS, [_rule_row(rule) for rule in rules])


def _rule_row(rule: Element) -> list[str]:
    protocol, kind = text_of(rule, "PROTOCOL"), text_of(rule, "ICMP_TYPE")
    if protocol.upper() == "ICMP" and kind:
        protocol = f"{protocol}-{kind}"
    return [
        text_of(rule, "SECURITY_GROUP_ID"),
        text_of(rule, "SECURITY_GROUP_NAME"),
        text_of(rule, "RULE_TYPE"),
        protocol,
        text_of(rule, "NETWORK_ID"),
        text_of(rule, "IP") or text_of(rule, "MAC"),
        text_of(rule, "SIZE"),
        text_of(rule, "RANGE"),
    ]
