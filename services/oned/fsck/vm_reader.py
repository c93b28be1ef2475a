"""Reading many virtual machines fast: only what checks look at, in a third of the time for all of it."""

from __future__ import annotations

from collections.abc import Iterable

from services.common import xmldoc
from services.common.template import Template, Value
from services.oned.fsck.columns import Fields, fields, text, whole
from services.oned.lifecycle.states import LcmState, VmState
from services.oned.model import vm_usage
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM

_ATTRIBUTES = frozenset({"CPU", "MEMORY", "VROUTER_ID"})
# Vectors, and of each the parts that count.
_VECTORS = {
    "DISK": frozenset({
        "CLONE", "CLONE_TARGET", "DATASTORE_ID", "DISK_ID", "DISK_SNAPSHOT_TOTAL_SIZE", "IMAGE_ID",
        "LN_TARGET", "PERSISTENT", "SIZE", "TYPE",
    }),
    "NIC": frozenset({"AR_ID", "MAC", "NETWORK_ID", "NIC_ID", "SECURITY_GROUPS"}),
    "NIC_ALIAS": frozenset({"AR_ID", "MAC", "NETWORK_ID", "NIC_ID"}),
    "NUMA_NODE": frozenset({"MEMORY", "MEMORY_NODE_ID", "PREV_MEMORY_NODE_ID"}),
    "PCI": frozenset({"ADDRESS", "AR_ID", "MAC", "NETWORK_ID", "NIC_ID", "SECURITY_GROUPS", "TYPE"}),
    "TOPOLOGY": frozenset({"HUGEPAGE_SIZE"}),
    "GRAPHICS": frozenset({"PORT", "PREVIOUS_PORT", "TYPE"}),
    "VMGROUP": frozenset({"ROLE", "VMGROUP_ID"}),
}  # fmt: skip


def read_vm(given: Fields) -> VM:
    """The VM of a document, without what no check needs; never to be stored. Raises ValueError."""
    vm = VM(int(text(given, "ID")), text(given, "NAME"))
    vm.uid, vm.gid = whole(given, "UID"), whole(given, "GID")
    vm.state = VmState(whole(given, "STATE"))
    vm.lcm_state = LcmState(whole(given, "LCM_STATE"))
    vm.template = Template(_template(given.get("TEMPLATE", ())))
    for element in given.get("HISTORY_RECORDS", ()):
        vm.history = _record(fields(element))
    vm.counted = vm_usage.counted(vm)
    return vm


def _template(element: Iterable[xmldoc.etree._Element]) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    for child in element:
        name = str(child.tag)
        if name in _ATTRIBUTES:
            found.append((name, child.text or ""))
        elif name in _VECTORS:
            wanted = _VECTORS[name]
            found.append((name, {str(part.tag): part.text or "" for part in child if part.tag in wanted}))
    return found


def _record(given: Fields) -> HistoryRecord:
    numbers = {name: whole(given, name) for name in ("OID", "SEQ", "HID", "CID", "DS_ID", "STIME", "ETIME")}
    return HistoryRecord(
        numbers["OID"],
        numbers["SEQ"],
        text(given, "HOSTNAME"),
        numbers["HID"],
        numbers["CID"],
        "",
        "",
        numbers["DS_ID"],
        stime=numbers["STIME"],
        etime=numbers["ETIME"],
        action=whole(given, "ACTION"),
    )
