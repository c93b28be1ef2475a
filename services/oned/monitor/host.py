"""What a report about a host changes: its capacity, its state, and one more monitoring sample.

Source: host states of the operations guide; HOST_SHARE and MONITORING of the host XSD of release 6.0.
"""

from __future__ import annotations

import logging
import time

from services.common import xmldoc
from services.common.template import Template, TemplateValueError, Vector
from services.oned.model.host import Host, HostState
from services.oned.monitor.vm import Machines, apply_machines, lose_host, machines
from services.oned.store import Tx, monitoring

_log = logging.getLogger("InM")

# attribute of a report: where it goes in a sample. What is measured anew each time has no place in TEMPLATE.
_CAPACITY = {
    "FREECPU": "FREE_CPU",
    "FREEMEMORY": "FREE_MEMORY",
    "USEDCPU": "USED_CPU",
    "USEDMEMORY": "USED_MEMORY",
}
_SYSTEM = ("NETRX", "NETTX")
_DISK = {
    "DS_LOCATION_TOTAL_MB": "MAX_DISK",
    "DS_LOCATION_FREE_MB": "FREE_DISK",
    "DS_LOCATION_USED_MB": "USED_DISK",
}
# What goes into the share, beside what VMs hold of it.
_DEVICES = ("PCI", "CORE", "HUGEPAGE", "MEMORY_NODE")
_NOT_KEPT = ("OID", "ERROR", "IM_MAD", "VM_MAD", "SYNC_STATE", "MISSING_STATE")
_ZOMBIES = ("ZOMBIES", "TOTAL_ZOMBIES")
_KEPT_STATES = (HostState.DISABLED, HostState.OFFLINE)


def apply_host_report(
    tx: Tx,
    host_id: int,
    ok: bool,
    values: Template,
    message: str,
    now_s: int | None = None,
    asked_s: int | None = None,
    is_kept: bool = True,
) -> None:
    """Apply what the monitoring driver of a host has said, in this transaction.

    ok: the driver reached the host and ``values`` are its attributes; otherwise ``message`` says what failed.
    asked_s: epoch second at which it was asked, for what it says of machines.
    is_kept: whether the sample is stored.
    A host that is gone or offline ignores reports. A disabled host stays disabled. A report with a value that
    cannot be read counts as a failure.
    """
    host = Host.find(tx, host_id)
    if host is None or host.state is HostState.OFFLINE:
        return
    before = host.to_xml()
    found = machines(tx, values)
    moment = int(time.time()) if now_s is None else now_s
    if ok:
        try:
            sample = sample_xml(host_id, moment, values)
            _take(tx, host, values)
            _list_zombies(host, found)
        except TemplateValueError as error:
            host = Host.from_xml(before)
            ok, message = False, f"the report cannot be used: {error}"
        else:
            if is_kept:
                monitoring.add_host_sample(tx, host_id, moment, sample)
    if not ok:
        _fail(tx, host, message, moment)
    if host.to_xml() != before:
        host.save(tx)
    if ok:
        apply_machines(tx, host, found, moment if asked_s is None else asked_s)


def apply_system(tx: Tx, host_id: int, values: Template, now_s: int) -> bool:
    """Take over what an agent says of its host's capacity and devices: the host is monitored with that.

    False for one that is gone or offline. A value that cannot be read is the host's error.
    """
    host = Host.find(tx, host_id)
    if host is None or host.state is HostState.OFFLINE:
        return False
    before = host.to_xml()
    kept = {name: host.template.get(name) for name in _ZOMBIES}
    try:
        _take(tx, host, values)
    except TemplateValueError as error:
        host = Host.from_xml(before)
        _fail(tx, host, f"the report cannot be used: {error}", now_s)
    for name, value in kept.items():
        if value is not None:
            host.template.set(name, value)
    if host.to_xml() != before:
        host.save(tx)
    return True


def apply_machine_states(tx: Tx, host_id: int, values: Template, asked_s: int) -> None:
    """Take over what an agent says of its host's machines. asked_s: as for apply_vm_state()."""
    host = Host.find(tx, host_id)
    if host is None or host.state is HostState.OFFLINE:
        return
    found = machines(tx, values)
    if found.missing:
        before = host.to_xml()
        _list_zombies(host, found)
        if host.to_xml() != before:
            host.save(tx)
    apply_machines(tx, host, found, asked_s)


def apply_failure(tx: Tx, host_id: int, message: str, now_s: int) -> bool:
    """Note that a host is not monitored, with the reason; False for one that is gone or offline."""
    host = Host.find(tx, host_id)
    if host is None or host.state is HostState.OFFLINE:
        return False
    _fail(tx, host, message, now_s)
    host.save(tx)
    return True


def _fail(tx: Tx, host: Host, message: str, moment_s: int) -> None:
    if host.state not in _KEPT_STATES:
        if host.state is not HostState.ERROR:
            lose_host(tx, host)
        host.state = HostState.ERROR
    reason = message.strip() or "no message from the driver"
    text = f"Error monitoring Host {host.name} ({host.oid}): {reason}"
    stamp = time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(moment_s))
    host.template.set("ERROR", f"{stamp} : {text}")
    tx.after_commit(lambda: _log.error("%s", text))


def _take(tx: Tx, host: Host, values: Template) -> None:
    """Merge a report into the host. Raises TemplateValueError naming the attribute that cannot be read."""
    rest = values.copy()
    share = host.share
    share.total_cpu = _amount(rest, "TOTALCPU", share.total_cpu)
    share.total_mem = _amount(rest, "TOTALMEMORY", share.total_mem)
    for name, place in _DISK.items():
        if name in rest:
            share.datastores.set(place, str(_amount(rest, name, 0)))
    share.datastores.remove("DS")
    for vector in rest.vectors("DS"):
        share.datastores.add("DS", vector)
    devices, cores, pages, memory = (rest.vectors(name) for name in _DEVICES)
    share.pci.report(devices)
    share.numa.report(cores, pages, memory)
    share.numa.reserve(host.template.get("ISOLCPUS") or "")
    found = [vector for vector in rest.vectors("VM") if _is_wild(tx, vector)]
    for name in (*_CAPACITY, *_SYSTEM, *_DISK, *_DEVICES, *_NOT_KEPT, "TOTALCPU", "TOTALMEMORY", "DS", "VM"):
        rest.remove(name)
    for name in ("ERROR", "VM", "VM_POLL", "WILDS", "TOTAL_WILDS"):
        host.template.remove(name)
    host.template.merge(rest)
    _list_wilds(host.template, found)
    host.reserve(tx)
    if host.state not in _KEPT_STATES:
        host.state = HostState.MONITORED


def _is_wild(tx: Tx, machine: Vector) -> bool:
    """Whether a machine on the host is neither ours nor imported."""
    text = machine.get("ID", "")
    if text != "-1":
        return False
    return monitoring.imported_vm(tx, machine.get("DEPLOY_ID", "")) is None


def _list_wilds(template: Template, machines: list[Vector]) -> None:
    for machine in machines:
        template.add("VM", machine)
    if machines:
        names = [machine.get("VM_NAME") or machine.get("DEPLOY_ID", "") for machine in machines]
        template.set("TOTAL_WILDS", str(len(machines)))
        template.set("WILDS", ", ".join(names))


def _list_zombies(host: Host, found: Machines) -> None:
    for name in _ZOMBIES:
        host.template.remove(name)
    zombies = found.zombies(host)
    if zombies:
        host.template.set("TOTAL_ZOMBIES", str(len(zombies)))
        host.template.set("ZOMBIES", ", ".join(map(str, zombies)))


def _amount(values: Template, name: str, default: int) -> int:
    """A measured amount as a whole number. Raises TemplateValueError for text and for less than nothing."""
    number = values.get_float(name)
    if number is None:
        return default
    if number < 0:
        raise TemplateValueError(f"{name} must not be negative, found {values.get(name)!r}")
    return int(number)


# -- samples -----------------------------------------------------------------------------------------------
def sample_xml(host_id: int, time_s: int, values: Template) -> str:
    """The MONITORING element of a report. Raises TemplateValueError."""
    capacity = {place: _amount(values, name, 0) for name, place in _CAPACITY.items()}
    system = {name: _amount(values, name, 0) for name in _SYSTEM if name in values}
    return (
        f"<MONITORING><TIMESTAMP>{time_s}</TIMESTAMP><ID>{host_id}</ID>"
        f"<CAPACITY>{_numbers(capacity)}</CAPACITY><SYSTEM>{_numbers(system)}</SYSTEM></MONITORING>"
    )


def zero_sample(tx: Tx, host_id: int) -> None:
    """Let a host that is no longer monitored show no usage; nothing when it never was."""
    if monitoring.latest_host_sample(tx, host_id) is not None:
        moment = int(time.time())
        nothing = Template([(name, "0") for name in _SYSTEM])
        monitoring.add_host_sample(tx, host_id, moment, sample_xml(host_id, moment, nothing))


def _numbers(values: dict[str, int]) -> str:
    return "".join(f"<{name}>{xmldoc.cdata(str(values[name]))}</{name}>" for name in sorted(values))
