"""``onevm show``."""

from __future__ import annotations

import time
from typing import Any
from xml.etree.ElementTree import Element

from services.cli import units
from services.cli.documents import number_of, text_of
from services.cli.table import Column
from services.cli.views import vm as vm_view
from services.cli.views import vm_network, vm_states, vm_storage, vm_waiting
from services.cli.views.common import Page, dash, lock_text

_SHOWN_APART = (
    "DISK",
    "NIC",
    "NIC_ALIAS",
    "SNAPSHOT",
    "SECURITY_GROUP_RULE",
    "NUMA_NODE",
    "TOPOLOGY",
)
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
    vm_storage.disks(page, vm)
    vm_storage.disk_snapshots(page, vm)
    vm_network.nics(page, vm)
    vm_network.security(page, vm)
    vm_storage.snapshots(page, vm)
    _history(page, vm)
    vm_waiting.actions(page, vm)
    _user_template(page, vm, () if inv.opts.all else ("SCHED_ACTION",))
    _topology(page, vm)
    page.blank()
    page.template("VIRTUAL MACHINE TEMPLATE", vm.find("TEMPLATE"), () if inv.opts.all else _SHOWN_APART)
    return page.lines


def _user_template(page: Page, vm: Element, without: tuple[str, ...]) -> None:
    found = vm.find("USER_TEMPLATE")
    if found is not None and any(part.tag not in without for part in found):
        page.blank()
        page.template("USER TEMPLATE", found, without)


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
    if text_of(vm, "TEMPLATE/VROUTER_ID"):
        page.field("VIRTUAL ROUTER ID", text_of(vm, "TEMPLATE/VROUTER_ID"))


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


_NUMA_COLUMNS = [
    Column("ID", "", 4),
    Column("CPUS_IDS", "", 5, adjust=True),
    Column("MEMORY", "", 10),
    Column("TOTAL_CPUS", "", 10),
]
_TOPOLOGY_COLUMNS = [Column("CORES", "", 6), Column("SOCKETS", "", 8), Column("THREADS", "", 8)]


def _topology(page: Page, vm: Element) -> None:
    nodes, topology = vm.findall("TEMPLATE/NUMA_NODE"), vm.findall("TEMPLATE/TOPOLOGY")
    if nodes:
        page.blank()
        page.head("NUMA NODES", 0)
        page.blank()
        rows = [
            [
                text_of(node, "NODE_ID"),
                text_of(node, "CPUS"),
                units.size(number_of(node, "MEMORY")),
                text_of(node, "TOTAL_CPUS"),
            ]
            for node in nodes
        ]
        page.table(_NUMA_COLUMNS, rows)
    if topology:
        page.blank()
        page.head("TOPOLOGY", 0)
        page.blank()
        tags = ("CORES", "SOCKETS", "THREADS")
        page.table(_TOPOLOGY_COLUMNS, [[text_of(one, tag) for tag in tags] for one in topology])


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
