"""``onehost show``."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import units
from services.cli.documents import number_of, text_of
from services.cli.errors import CliError
from services.cli.table import Column
from services.cli.views import host as host_view
from services.cli.views.common import Page, dash

_FREE, _ISOLATED = "-1", "-2"  # what a CPU of a core is given to, besides the ids of machines


def show(host: Element, inv: Any) -> list[str]:
    """The lines of ``onehost show``."""
    page = Page(inv, 22)
    page.head(f"HOST {text_of(host, 'ID')} INFORMATION")
    page.field("ID", text_of(host, "ID"))
    page.field("NAME", text_of(host, "NAME"))
    page.field("CLUSTER", dash(text_of(host, "CLUSTER")))
    page.field("STATE", host_view.state(host, host_view.STATES))
    page.field("IM_MAD", text_of(host, "IM_MAD"))
    page.field("VM_MAD", text_of(host, "VM_MAD"))
    page.field("LAST MONITORING TIME", units.moment(number_of(host, "MONITORING/TIMESTAMP")))
    page.blank()
    _shares(page, host)
    page.blank()
    for store in host.findall("HOST_SHARE/DATASTORES/DS"):
        page.head(f"LOCAL SYSTEM DATASTORE #{text_of(store, 'ID')} CAPACITY")
        for name, tag in (("TOTAL:", "TOTAL_MB"), ("USED:", "USED_MB"), ("FREE:", "FREE_MB")):
            page.field(name, units.size(number_of(store, tag), "M"))
        page.blank()
    page.template("MONITORING INFORMATION", host.find("TEMPLATE"), ("VM", "PCI"))
    _pcis(page, host)
    _numa(page, host.findall("HOST_SHARE/NUMA_NODES/NODE"))
    page.blank()
    _wild(page, host)
    page.head("VIRTUAL MACHINES", 0)
    page.blank()
    page.add(_machines(host, inv))
    return page.lines


def _shares(page: Page, host: Element) -> None:
    part = host_view.share_of(host)
    page.head("HOST SHARES")
    page.field("RUNNING VMS", text_of(part, "RUNNING_VMS"))
    page.add([f"{'MEMORY':<80}"])
    page.field("  TOTAL", units.size(number_of(part, "TOTAL_MEM")))
    page.field("  TOTAL +/- RESERVED", units.size(number_of(part, "MAX_MEM")))
    page.field("  USED (REAL)", units.size(host_view.used_memory(host)))
    page.field("  USED (ALLOCATED)", units.size(number_of(part, "MEM_USAGE")))
    page.add([f"{'CPU':<80}"])
    page.field("  TOTAL", text_of(part, "TOTAL_CPU"))
    page.field("  TOTAL +/- RESERVED", text_of(part, "MAX_CPU"))
    page.field("  USED (REAL)", text_of(host, "MONITORING/CAPACITY/USED_CPU"))
    page.field("  USED (ALLOCATED)", text_of(part, "CPU_USAGE"))


def _section(page: Page, head: str, columns: list[Column], rows: list[list[str]]) -> None:
    """A table with empty lines around its head; nothing when it has no rows."""
    if rows:
        page.blank()
        page.head(head, 0)
        page.blank()
        page.table(columns, rows)


_PCI_COLUMNS = [
    Column("VM", "", 5),
    Column("ADDR", "", 7, left=True),
    Column("TYPE", "", 14, left=True),
    Column("NAME", "", 50, left=True),
]


def _pcis(page: Page, host: Element) -> None:
    rows = []
    for pci in host.findall("HOST_SHARE/PCI_DEVICES/PCI"):
        vm = text_of(pci, "VMID")
        tags = ("SHORT_ADDRESS", "TYPE", "DEVICE_NAME")
        rows.append(["" if vm == "-1" else vm, *(text_of(pci, tag) for tag in tags)])
    _section(page, "PCI DEVICES", _PCI_COLUMNS, rows)


_CORE_COLUMNS = [
    Column("ID", "", 4),
    Column("CORES", "", 5, left=True, adjust=True),
    Column("USED", "", 4, left=True),
    Column("FREE", "", 4, left=True),
]
_MEMORY_COLUMNS = [
    Column("NODE_ID", "", 8),
    Column("TOTAL", "", 8, left=True),
    Column("USED_REAL", "", 20, left=True),
    Column("USED_ALLOCATED", "", 20, left=True),
    Column("FREE", "", 8, left=True),
]
_PAGE_COLUMNS = [
    Column("NODE_ID", "", 8),
    Column("SIZE", "", 8, left=True),
    Column("TOTAL", "", 8, left=True),
    Column("FREE", "", 8, left=True),
    Column("USED", "", 8, left=True),
]


def _numa(page: Page, nodes: list[Element]) -> None:
    _section(page, "NUMA NODES", _CORE_COLUMNS, [_cores(node) for node in nodes])
    memory = [
        [
            text_of(node, "NODE_ID"),
            *(units.size(number_of(node, f"MEMORY/{tag}")) for tag in ("TOTAL", "USED", "USAGE", "FREE")),
        ]
        for node in nodes
        if node.find("MEMORY") is not None
    ]
    _section(page, "NUMA MEMORY", _MEMORY_COLUMNS, memory)
    pages = [
        [
            text_of(node, "NODE_ID"),
            units.size(number_of(part, "SIZE") / 1024, "M"),
            *(text_of(part, tag) for tag in ("PAGES", "FREE", "USAGE")),
        ]
        for node in nodes
        for part in node.findall("HUGEPAGE")
    ]
    _section(page, "NUMA HUGEPAGES", _PAGE_COLUMNS, pages)


def _cores(node: Element) -> list[str]:
    """Each CPU as one letter, a core a word: - free, x used, X used by one machine alone, I isolated."""
    words, used, free = [], 0, 0
    for core in node.findall("CORE"):
        word = ""
        for cpu in text_of(core, "CPUS").split(","):
            owner = cpu.partition(":")[2]
            if owner == _FREE:
                word, free = word + "-", free + 1
            else:
                alone = "X" if text_of(core, "FREE") == "0" else "x"
                word, used = word + ("I" if owner == _ISOLATED else alone), used + 1
        words.append(f"{word} ")
    return [text_of(node, "NODE_ID"), "".join(words), str(used), str(free)]


_WILD_COLUMNS = [
    Column("NAME", "", 30, left=True),
    Column("IMPORT_ID", "", 36),
    Column("CPU", "", 4),
    Column("MEMORY", "", 10),
]


def _wild(page: Page, host: Element) -> None:
    """Machines that the host reports and the front-end did not start."""
    page.head("WILD VIRTUAL MACHINES", 0)
    page.blank()
    page.table(_WILD_COLUMNS, [_wild_row(vm) for vm in host.findall("TEMPLATE/VM")])
    page.blank()


def _wild_row(vm: Element) -> list[str]:
    """Its name, and what the template for its import says of it."""
    from services.cli.commands.host_handlers import wild_template

    if not text_of(vm, "IMPORT_TEMPLATE"):
        return [text_of(vm, "VM_NAME") or text_of(vm, "DEPLOY_ID"), "-", "-", "-"]
    try:
        lines = [line.partition("=") for line in wild_template(vm).splitlines()]
    except CliError:
        lines = []
    found = {name.strip().upper(): value.strip().strip('"') for name, _, value in lines}
    return [text_of(vm, "VM_NAME"), *(found.get(name, "-") for name in ("DEPLOY_ID", "CPU", "MEMORY"))]


def _machines(host: Element, inv: Any) -> list[str]:
    from services.cli import listing
    from services.cli.views import vm as vm_view

    oid = text_of(host, "ID")

    def is_here(vm: Element) -> bool:
        record = vm_view.host_of(vm)
        return record is not None and record.findtext("HID") == oid

    return listing.rows_of(vm_view.LIST, inv, is_here)
