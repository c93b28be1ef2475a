"""``onevm show``."""

from __future__ import annotations

import time
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import units
from services.cli.documents import number_of, text_of
from services.cli.table import Column
from services.cli.views import vm as vm_view
from services.cli.views import vm_states, vm_waiting
from services.cli.views.common import Page, dash, lock_text

_SHOWN_APART = ("DISK", "NIC", "NIC_ALIAS", "SNAPSHOT", "SECURITY_GROUP_RULE")
_NOT_SAMPLES = ("CPU", "MEMORY", "NETTX", "NETRX", "ID", "TIMESTAMP")


def show(vm: Element, inv: Any) -> list[str]:
    """The lines of ``onevm show``."""
    page = Page(inv, 20)
    page.head(f"VIRTUAL MACHINE {text_of(vm, 'ID')} INFORMATION")
    _information(page, vm, inv)
    page.blank()
    vm_waiting.waiting(page, vm, inv)
    _monitoring(page, vm)
    page.permissions(vm)
    _disks(page, vm)
    _nics(page, vm)
    _security(page, vm)
    _history(page, vm)
    vm_waiting.actions(page, vm)
    page.blank()
    page.template("USER TEMPLATE", vm.find("USER_TEMPLATE"), () if inv.opts.all else ("SCHED_ACTION",))
    page.blank()
    page.template("VIRTUAL MACHINE TEMPLATE", vm.find("TEMPLATE"), () if inv.opts.all else _SHOWN_APART)
    return page.lines


def _information(page: Page, vm: Element, inv: Any) -> None:
    page.owner(vm)
    page.field("STATE", vm_states.state_name(vm))
    page.field("LCM_STATE", vm_states.lcm_state_name(vm))
    page.field("LOCK", lock_text(vm))
    page.field("RESCHED", "Yes" if text_of(vm, "RESCHED") == "1" else "No")
    record = vm_view.host_of(vm)
    if record is not None:
        page.field("HOST", text_of(record, "HOSTNAME"))
        page.field("CLUSTER ID", text_of(record, "CID"))
        page.field("CLUSTER", _cluster_name(record, inv))
    page.field("START TIME", units.moment(number_of(vm, "STIME")))
    page.field("END TIME", units.moment(number_of(vm, "ETIME")))
    page.field("DEPLOY ID", dash(text_of(vm, "DEPLOY_ID")))


def _cluster_name(record: Element, inv: Any) -> str:
    from services.cli import kinds
    from services.cli.documents import parse
    from services.common.oca import OneError

    cluster = number_of(record, "CID")
    if cluster < 0:
        return "-"
    try:
        return text_of(parse(inv.call(f"{kinds.CLUSTER.rpc}.info", cluster)), "NAME")
    except OneError:
        return "-"  # the user may not see it, or it is gone


def _monitoring(page: Page, vm: Element) -> None:
    page.head("VIRTUAL MACHINE MONITORING")
    found = vm.find("MONITORING")
    if found is not None:
        for name in ("CPU", "MEMORY", "NETTX", "NETRX"):
            text = found.findtext(name)
            if text is None:
                continue
            amount = number_of(found, name)
            if name == "MEMORY":
                text = units.size(amount)
            elif name != "CPU":
                text = units.size(amount // 1024)
            page.field(name, text)
        for child in found:
            if child.tag not in _NOT_SAMPLES and not len(child):
                page.field(child.tag, child.text or "")
    page.blank()


_DISK_COLUMNS = [
    Column("ID", "", 3),
    Column("DATASTORE", "", 10, left=True),
    Column("TARGET", "", 6, left=True),
    Column("IMAGE", "", 35, left=True),
    Column("SIZE", "", 9, left=True),
    Column("TYPE", "", 4, left=True),
    Column("SAVE", "", 4),
]


def _disks(page: Page, vm: Element) -> None:
    template = vm.find("TEMPLATE")
    disks = template.findall("DISK") if template is not None else []
    context = template.find("CONTEXT") if template is not None else None
    if not disks and context is None:
        return
    sizes = {text_of(row, "ID"): text_of(row, "SIZE") for row in vm.findall("MONITORING/DISK_SIZE")}
    rows = [_disk_row(disk, sizes) for disk in disks]
    if context is not None and context.findtext("DISK_ID"):
        oid = text_of(context, "DISK_ID")
        used = f"{_size(sizes.get(oid, ''))}/-"
        rows.append([oid, "-", dash(text_of(context, "TARGET")), "CONTEXT", used, "-", "-"])
    page.blank()
    page.head("VM DISKS")
    page.table(_DISK_COLUMNS, rows)


def _size(size_mb: str) -> str:
    return units.size(int(size_mb), "M") if size_mb.isdigit() else "-"


def _disk_row(disk: Element, sizes: dict[str, str]) -> list[str]:
    oid = text_of(disk, "DISK_ID")
    volatile = f"{text_of(disk, 'FORMAT')} - {text_of(disk, 'TYPE')}" if text_of(disk, "FORMAT") else "-"
    return [
        oid,
        dash(text_of(disk, "DATASTORE")),
        dash(text_of(disk, "TARGET")),
        text_of(disk, "IMAGE") or volatile,
        f"{_size(sizes.get(oid, ''))}/{_size(text_of(disk, 'SIZE'))}",
        dash(text_of(disk, "TYPE").lower()),
        dash(text_of(disk, "SAVE")),
    ]


_ADDRESSES = ("IP", "IP6_LINK", "IP6_ULA", "IP6_GLOBAL", "IP6")
_NIC_COLUMNS = [
    Column("ID", "", 3),
    Column("NETWORK", "", 20, left=True),
    Column("BRIDGE", "", 12, left=True),
    Column("IP", "", 15, left=True),
    Column("MAC", "", 17, left=True),
    Column("PCI_ID", "", 8, left=True),
]


def _nics(page: Page, vm: Element) -> None:
    template = vm.find("TEMPLATE")
    rows: list[list[str]] = []
    for nic in template if template is not None else ():
        if nic.tag not in ("NIC", "NIC_ALIAS"):
            continue
        found = [text_of(nic, tag) for tag in _ADDRESSES if text_of(nic, tag)]
        first = [dash(text_of(nic, "NETWORK")), dash(text_of(nic, "BRIDGE")), found[0] if found else "-"]
        rows.append([text_of(nic, "NIC_ID"), *first, text_of(nic, "MAC"), text_of(nic, "PCI_ID")])
        rows += [["", "", "", address, "", ""] for address in found[1:]]
    if rows:
        page.blank()
        page.head("VM NICS")
        page.table(_NIC_COLUMNS, rows)


_GROUP_COLUMNS = [
    Column("NIC_ID", "", 6),
    Column("NETWORK", "", 25, left=True),
    Column("SECURITY_GROUPS", "", 47, left=True),
]
_RULE_COLUMNS = [
    Column("ID", "", 4),
    Column("NAME", "", 11, left=True),
    Column("TYPE", "", 8, left=True),
    Column("PROTOCOL", "", 8, left=True),
    Column("NETWORK", "", 29, left=True),
    Column("RANGE", "", 14, left=True),
]


def _security(page: Page, vm: Element) -> None:
    nics = [nic for nic in vm.findall("TEMPLATE/NIC") if text_of(nic, "SECURITY_GROUPS")]
    if not nics:
        return
    page.blank()
    page.head("SECURITY")
    page.blank()
    tags = ("NIC_ID", "NETWORK", "SECURITY_GROUPS")
    page.table(_GROUP_COLUMNS, [[text_of(nic, tag) for tag in tags] for nic in nics])
    page.blank()
    page.table(_RULE_COLUMNS, [_rule_row(rule) for rule in vm.findall("TEMPLATE/SECURITY_GROUP_RULE")])


def _rule_row(rule: Element) -> list[str]:
    network = ""
    if text_of(rule, "IP"):
        network = f"{text_of(rule, 'IP')}/{text_of(rule, 'SIZE')}"
    elif text_of(rule, "NETWORK_ID"):
        network = f"VNet {text_of(rule, 'NETWORK_ID')}"
    tags = ("SECURITY_GROUP_ID", "SECURITY_GROUP_NAME", "RULE_TYPE", "PROTOCOL")
    return [*(text_of(rule, tag) for tag in tags), network, text_of(rule, "RANGE")]


_HISTORY_COLUMNS = [
    Column("SEQ", "", 3),
    Column("UID", "", 4, left=True),
    Column("REQ", "", 5, left=True),
    Column("HOST", "", 12, left=True),
    Column("ACTION", "", 10, left=True),
    Column("DS", "", 4),
    Column("START", "", 15),
    Column("TIME", "", 11),
    Column("PROLOG", "", 10),
]


def _history(page: Page, vm: Element) -> None:
    records = vm.findall("HISTORY_RECORDS/HISTORY")
    if records:
        page.blank()
        page.head("VIRTUAL MACHINE HISTORY")
        now_s = int(time.time())
        page.table(_HISTORY_COLUMNS, [_history_row(record, now_s) for record in records])


def _history_row(record: Element, now_s: int) -> list[str]:
    start, end = number_of(record, "STIME"), number_of(record, "ETIME") or now_s
    prolog_start, prolog_end = number_of(record, "PSTIME"), number_of(record, "PETIME") or now_s
    uid, request = text_of(record, "UID"), text_of(record, "REQUEST_ID")
    return [
        text_of(record, "SEQ"),
        "-" if uid in ("", "-1") else uid,
        "-" if request in ("", "-1") else request,
        text_of(record, "HOSTNAME"),
        vm_states.action_name(number_of(record, "ACTION")),
        text_of(record, "DS_ID"),
        units.moment(start),
        units.duration(end - start) + "m",
        units.clock(prolog_end - prolog_start if prolog_start else 0),
    ]
