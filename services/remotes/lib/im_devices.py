"""Probes of the node's NUMA nodes and PCI cards. Memory and page sizes in kB.

Source: NUMA and PCI passthrough pages of the manual; the kernel's ABI documents for /sys/bus/node.
"""

from __future__ import annotations

import os
import re
import shlex

from driver import DriverError, run
from im_context import Context
from im_text import vector, yaml_settings

NODES = "/sys/bus/node/devices"
_PCI_DEVICES = "/sys/bus/pci/devices"
_NAMED = re.compile(r"(.*) \[([0-9a-fA-F]{4})\]\Z")
_FILTER = re.compile(r"[0-9a-fA-F*]{0,4}:[0-9a-fA-F*]{0,4}(:[0-9a-fA-F*]{0,4})?\Z")
_NO_DEVICES = "0:0"


def numa(at: Context) -> str:
    """The topology: HUGEPAGE, CORE and MEMORY_NODE of each NUMA node."""
    said = []
    for node in _nodes():
        said += [
            vector("HUGEPAGE", {"NODE_ID": node, "SIZE": size_kb, "PAGES": _page_count(node, size_kb, "nr")})
            for size_kb in _page_sizes_kb(node)
        ]
        said += [
            vector("CORE", {"NODE_ID": node, "ID": core, "CPUS": ",".join(map(str, cpus))})
            for core, cpus in _cores(node)
        ]
        memory_kb = _memory_kb(node)
        if memory_kb:
            parts = {"NODE_ID": node, "TOTAL": memory_kb.get("MemTotal", 0), "DISTANCE": _distance(node)}
            said.append(vector("MEMORY_NODE", parts))
    return "".join(said)


def numa_usage(at: Context) -> str:
    """What is used of it: free HUGEPAGEs, FREE and USED of each MEMORY_NODE."""
    said = []
    for node in _nodes():
        said += [
            vector("HUGEPAGE", {"NODE_ID": node, "SIZE": size_kb, "FREE": _page_count(node, size_kb, "free")})
            for size_kb in _page_sizes_kb(node)
        ]
        memory_kb = _memory_kb(node)
        if memory_kb:
            parts = {
                "NODE_ID": node,
                "FREE": memory_kb.get("MemFree", 0),
                "USED": memory_kb.get("MemUsed", 0),
            }
            said.append(vector("MEMORY_NODE", parts))
    return "".join(said)


def _nodes() -> list[int]:
    try:
        found = [re.match(r"node(\d+)\Z", entry) for entry in os.listdir(NODES)]
    except FileNotFoundError:
        return []
    return sorted(int(match[1]) for match in found if match)


def _sys(*parts: str) -> str:
    """The text of a file of the kernel; empty where it has none (cards and nodes come and go)."""
    try:
        with open(os.path.join(*parts), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _page_sizes_kb(node: int) -> list[int]:
    try:
        entries = os.listdir(os.path.join(NODES, f"node{node}", "hugepages"))
    except FileNotFoundError:
        return []
    found = [re.match(r"hugepages-(\d+)kB\Z", entry) for entry in entries]
    return sorted(int(match[1]) for match in found if match)


def _page_count(node: int, size_kb: int, which: str) -> str:
    return _sys(NODES, f"node{node}", "hugepages", f"hugepages-{size_kb}kB", f"{which}_hugepages") or "0"


def _cores(node: int) -> list[tuple[int, list[int]]]:
    """The cores of a node with their threads, by ID."""
    folder = os.path.join(NODES, f"node{node}")
    found: dict[tuple[int, ...], int] = {}
    for entry in os.listdir(folder):
        if re.match(r"cpu\d+\Z", entry):
            threads = tuple(cpu_list(_sys(folder, entry, "topology", "thread_siblings_list")))
            core = _sys(folder, entry, "topology", "core_id")
            if threads and core.isdigit():  # a processor that is switched off has no topology
                found[threads] = int(core)
    return sorted((core, list(threads)) for threads, core in found.items())


def cpu_list(text: str) -> list[int]:
    """The processors of a list as the kernel writes it: ``0,4`` or ``0-1``."""
    cpus: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus


def _memory_kb(node: int) -> dict[str, int]:
    text = _sys(NODES, f"node{node}", "meminfo")
    return {key: int(kb) for key, kb in re.findall(r"Node \d+ (Mem\w+):\s+(\d+) kB", text)}


def _distance(node: int) -> str:
    """The nodes by distance, this one first."""
    distances = [int(word) for word in _sys(NODES, f"node{node}", "distance").split()]
    others = sorted(range(len(distances)), key=lambda other: (distances[other], other != node, other))
    return " ".join(map(str, others))


# -- PCI ---------------------------------------------------------------------------------------------------
def pci(at: Context) -> str:
    """The cards that ``etc/im/HYPERVISOR-probes.d/pci.conf`` picks, as PCI vectors.

    Raises DriverError for settings that cannot be read, and when cards are wanted and lspci is missing.
    """
    folder = f"{at.hypervisor}-probes.d"
    settings = yaml_settings(at.read("etc", "im", folder, "pci.conf"), f"etc/im/{folder}/pci.conf")
    filters = [part.strip() for row in _list(settings.get("filter", _NO_DEVICES)) for part in row.split(",")]
    addresses = _list(settings.get("short_address", []))
    try:
        names = [re.compile(row, re.IGNORECASE) for row in _list(settings.get("device_name", []))]
    except re.error as error:
        raise DriverError(
            f"etc/im/{folder}/pci.conf: device_name is no regular expression: {error}"
        ) from None
    said: dict[str, str] = {}
    for wanted in filters:
        if not _FILTER.match(wanted):
            raise DriverError(
                f"etc/im/{folder}/pci.conf: filter must be vendor:device or vendor:device:class, "
                f"found {wanted!r}"
            )
        if wanted == _NO_DEVICES:
            continue
        for row in run(["lspci", "-mmnn", "-d", wanted]).splitlines():
            card = _card(row)
            if card is None or (addresses and card["SHORT_ADDRESS"] not in addresses):
                continue
            if names and not any(pattern.search(card["DEVICE_NAME"]) for pattern in names):
                continue
            said[card["SHORT_ADDRESS"]] = vector("PCI", card)
    return "".join(said.values())


def _list(value: str | list[str]) -> list[str]:
    if isinstance(value, list):
        return value
    return [value] if value else []


def _card(row: str) -> dict[str, str] | None:
    """The attributes of one line of lspci; None for a card in a PCI domain other than the first."""
    words = shlex.split(row)
    found = [_NAMED.match(word) for word in words[1:4]]
    address = re.match(r"(?:0000:)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\Z", words[0]) if words else None
    if address is None or len(found) < 3 or not all(found):
        return None
    (class_name, class_id), (vendor_name, vendor), (device_name, device) = (
        (match[1], match[2]) for match in found if match
    )
    bus, slot, function = address.groups()
    short = f"{bus}:{slot}.{function}"
    node = _sys(_PCI_DEVICES, f"0000:{short}", "numa_node")
    return {
        "TYPE": f"{vendor}:{device}:{class_id}",
        "VENDOR": vendor,
        "VENDOR_NAME": vendor_name,
        "DEVICE": device,
        "DEVICE_NAME": device_name,
        "CLASS": class_id,
        "CLASS_NAME": class_name,
        "ADDRESS": f"0000:{bus}:{slot}:{function}",
        "SHORT_ADDRESS": short,
        "DOMAIN": "0000",
        "BUS": bus,
        "SLOT": slot,
        "FUNCTION": function,
        "NUMA_NODE": node if node.isdigit() else "-",
    }
