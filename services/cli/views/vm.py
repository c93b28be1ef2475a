"""How VMs are listed."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds, units
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import group_text, plain, user_text
from services.cli.views.vm_states import ACTIVE, POWEROFF, SUSPENDED, short_state


def last_history(vm: Element) -> Element | None:
    """The newest history record, or None."""
    records = vm.find("HISTORY_RECORDS")
    return records[-1] if records is not None and len(records) else None


def host_of(vm: Element) -> Element | None:
    """The history record of the host that the VM is on, or None when it is on none."""
    return last_history(vm) if vm.findtext("STATE") in (ACTIVE, SUSPENDED, POWEROFF) else None


def _host(vm: Element, _look: Any) -> str:
    record = host_of(vm)
    return record.findtext("HOSTNAME", "") if record is not None else ""


def _cluster(vm: Element, look: Any) -> str:
    record = host_of(vm)
    cluster = record.findtext("CID", "") if record is not None else ""
    if look.numeric or not cluster.lstrip("-").isdigit():
        return cluster
    return look.names.name_of(kinds.CLUSTER, int(cluster)) or cluster


def _cpu(vm: Element, _look: Any) -> str:
    template = vm.find("TEMPLATE")
    return template.findtext("CPU", "") if template is not None else ""


def _memory(vm: Element, look: Any) -> str:
    template = vm.find("TEMPLATE")
    size_mb = template.findtext("MEMORY", "") if template is not None else ""
    if not size_mb.isdigit():
        return size_mb
    return units.size(int(size_mb) * 1024, raw=True) if look.kilobytes else units.size(int(size_mb), "M")


def _time(vm: Element, look: Any) -> str:
    end = int(vm.findtext("ETIME", "0") or 0) or look.now_s
    return units.duration(end - int(vm.findtext("STIME", "0") or 0)) + "m"  # the column ends before it


def addresses(vm: Element) -> list[str]:
    """The IP addresses of a VM's interfaces and aliases."""
    template = vm.find("TEMPLATE")
    found = []
    for nic in template if template is not None else ():
        if nic.tag in ("NIC", "NIC_ALIAS", "PCI"):
            for tag in ("IP", "IP6", "IP6_GLOBAL", "EXTERNAL_IP"):
                if nic.findtext(tag):
                    found.append(nic.findtext(tag, ""))
    return found


LIST = ListView(
    kinds.VM,
    [
        Column("ID", "number of the virtual machine", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("USER", "its owner", 8, user_text, left=True),
        Column("GROUP", "its group", 8, group_text, left=True),
        Column("STAT", "state, shortened to four letters", 4, lambda vm, look: short_state(vm)),
        Column("CPU", "share of physical CPUs it may use", 4, _cpu),
        Column("MEM", "memory it was given", 7, _memory),
        Column("HOST", "host it runs on", 10, _host, left=True, expand=-1),
        Column("CLUSTER", "cluster of that host", 10, _cluster, left=True),
        Column("TIME", "age; of a finished machine, how long it lived", 10, _time),
        Column(
            "IP",
            "addresses of its network interfaces",
            15,
            lambda vm, look: ",".join(addresses(vm)),
            left=True,
        ),
    ],
    "ID USER GROUP NAME STAT CPU MEM HOST TIME",
    layouts={"user": "ID NAME IP STAT CPU MEM HOST TIME"},
)
