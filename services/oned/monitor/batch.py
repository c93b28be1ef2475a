"""Messages of many hosts applied in one transaction, as few statements as can be.

A message may be applied twice or after a crash: states and capacities are what is said last, and a sample of
the same second takes the place of the first. Load and VM samples, nine tenths of all messages, are written
without reading whole documents; what they need of a host is its state and the VMs that belong to it.
Source: rules of the monitoring daemon of release 6.0.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from services.common.template import Template, TemplateError, TemplateValueError, Value
from services.oned.lifecycle.states import VmState
from services.oned.model.host import HostState
from services.oned.monitor import vm_samples
from services.oned.monitor.conf import MonitorConf
from services.oned.monitor.host import apply_failure, apply_machine_states, apply_system, sample_xml
from services.oned.monitor.messages import FRONT_END
from services.oned.monitor.vm_samples import Measured
from services.oned.store import Tx, monitoring

_log = logging.getLogger("MON")

# What a probe takes to look and to send: changes of the last seconds are not known to a report.
_PROBE_S = 3
_VMS = re.compile(r"<VMS>((?:<ID>\d+</ID>)*)</VMS>")
_ID = re.compile(r"\d+")
_OF_DISKS = frozenset({"DISK_SIZE", "SNAPSHOT_SIZE"})


@dataclass(frozen=True, slots=True)
class Report:
    """What a message says, read; for a failed one ``reason`` is why.

    values: of a host or its machines' states; machines: what was measured of them.
    """

    kind: str
    host_id: int
    received_s: float
    values: Template = field(default_factory=Template)
    machines: list[Measured] = field(default_factory=list)
    reason: str = ""


def read(kind: str, is_success: bool, host_id: int, text: str, received_s: float) -> Report:
    """The report that a message's text is; one that cannot be read is a failed one."""
    if not is_success:
        return Report(kind, host_id, received_s, reason=text.strip()[:2000] or "no message from the agent")
    try:
        if kind == "MONITOR_VM":
            return Report(kind, host_id, received_s, machines=vm_samples.measured(text))
        if kind == "BEACON_HOST":
            return Report(kind, host_id, received_s)
        return Report(kind, host_id, received_s, Template(vm_samples.entries(text)))
    except TemplateError as error:
        _log.error("host %d: %s cannot be read: %s", host_id, kind, str(error)[:200])
        return Report(kind, host_id, received_s, reason="Error parsing monitor information")


@dataclass(slots=True)
class Memory:
    """The newest sample of each VM, so that it need not be looked up each time; lost at a restart."""

    samples: dict[int, str] = field(default_factory=dict)

    def forget_others(self, vm_ids: Iterable[int]) -> None:
        """Keep those of some VMs only."""
        kept = set(vm_ids)
        self.samples = {vm_id: sample for vm_id, sample in self.samples.items() if vm_id in kept}


@dataclass(slots=True)
class Outcome:
    """What came of a batch: hosts that were heard, and how many messages were of no use."""

    heard: set[int] = field(default_factory=set)
    ignored: int = 0


class Batch:
    """One batch in a transaction."""

    def __init__(self, tx: Tx, conf: MonitorConf, memory: Memory) -> None:
        self._tx = tx
        self._conf = conf
        self._memory = memory
        self._known: dict[int, tuple[int, str]] = {}
        self._host_samples: dict[tuple[int, int], str] = {}
        self._vm_values: dict[tuple[int, int], list[tuple[str, Value]]] = {}
        self._outcome = Outcome()

    def apply(self, reports: list[Report]) -> Outcome:
        """Apply reports in their order; those of hosts that do not exist or are offline are passed over."""
        self._known = monitoring.hosts(self._tx, sorted({report.host_id for report in reports}))
        for report in reports:
            if report.host_id == FRONT_END:
                self._disks(report)
                continue
            state = self._known.get(report.host_id, (int(HostState.OFFLINE), ""))[0]
            if state == HostState.OFFLINE:
                self._outcome.ignored += 1
                continue
            self._one(report)
        self._store_host_samples()
        self._store_vm_samples()
        return self._outcome

    def _one(self, report: Report) -> None:
        if report.reason:
            self._fail(report, report.reason)
            return
        self._outcome.heard.add(report.host_id)
        try:
            _APPLY[report.kind](self, report)
        except TemplateValueError as error:
            self._fail(report, f"the report cannot be used: {error}")

    def _fail(self, report: Report, reason: str) -> None:
        self._outcome.heard.discard(report.host_id)
        apply_failure(self._tx, report.host_id, f"{report.kind}: {reason}", int(report.received_s))

    def _nothing(self, report: Report) -> None:
        """A sign of life and no more."""

    def _system(self, report: Report) -> None:
        if apply_system(self._tx, report.host_id, report.values, int(report.received_s)):
            self._known.update(monitoring.hosts(self._tx, [report.host_id]))

    def _states(self, report: Report) -> None:
        asked_s = int(report.received_s) - _PROBE_S
        apply_machine_states(self._tx, report.host_id, report.values, asked_s)

    # -- samples -------------------------------------------------------------------------------------------
    def _load(self, report: Report) -> None:
        moment = int(report.received_s)
        self._host_samples[report.host_id, moment] = sample_xml(report.host_id, moment, report.values)

    def _machines(self, report: Report) -> None:
        if not report.machines:
            return
        own = _vms_of(self._known[report.host_id][1])
        for vm_id, deploy_id, values in report.machines:
            found = vm_id if vm_id is not None else monitoring.imported_vm(self._tx, deploy_id)
            # A host has no say about VMs that are elsewhere.
            if found not in own or found is None:
                continue
            self._add(found, report, values)

    def _disks(self, report: Report) -> None:
        """Sizes of disks and snapshots in a shared datastore, and nothing else, of VMs on whatever hosts."""
        if report.reason:
            _log.warning("the sizes of disks in a shared datastore are not known: %s", report.reason)
            return
        said = {
            vm_id: [(name, value) for name, value in values if name in _OF_DISKS]
            for vm_id, _, values in report.machines
            if vm_id is not None
        }
        states = monitoring.vm_conditions(self._tx, list(said))
        for vm_id, values in said.items():
            if values and states.get(vm_id, (VmState.DONE, 0))[0] != VmState.DONE:
                self._add(vm_id, report, values)

    def _add(self, vm_id: int, report: Report, values: list[tuple[str, Value]]) -> None:
        place = (vm_id, int(report.received_s))
        before = self._vm_values.get(place)
        self._vm_values[place] = _merge(before, values) if before else values

    def _store_host_samples(self) -> None:
        if self._conf.host_expiration_s:
            rows = [(oid, moment, body) for (oid, moment), body in self._host_samples.items()]
            monitoring.add_samples(self._tx, "HOST", rows)

    def _store_vm_samples(self) -> None:
        if not self._conf.vm_expiration_s or not self._vm_values:
            return
        samples = self._memory.samples
        unknown = sorted({vm_id for vm_id, _ in self._vm_values} - set(samples))
        fresh = monitoring.latest(self._tx, "VM", unknown)
        rows = []
        for (vm_id, moment), values in sorted(self._vm_values.items()):
            before = samples.get(vm_id) or fresh.get(vm_id)
            fresh[vm_id] = body = vm_samples.sample(vm_id, moment, vm_samples.merged(values, before))
            rows.append((vm_id, moment, body))
        monitoring.add_samples(self._tx, "VM", rows)
        # Only what is durable is remembered: this may be rolled back and run again.
        self._tx.after_commit(lambda: samples.update(fresh))


_APPLY: dict[str, Callable[[Batch, Report], None]] = {
    "BEACON_HOST": Batch._nothing,
    "SYSTEM_HOST": Batch._system,
    "MONITOR_HOST": Batch._load,
    "STATE_VM": Batch._states,
    "MONITOR_VM": Batch._machines,
}


def _vms_of(body: str) -> frozenset[int]:
    """The VMs that a host's document lists."""
    found = _VMS.search(body)
    return frozenset(map(int, _ID.findall(found[1]))) if found else frozenset()


def _merge(before: list[tuple[str, Value]], values: list[tuple[str, Value]]) -> list[tuple[str, Value]]:
    """As OpenNebula merges entries of one VM: a name that comes again replaces all of that name."""
    names = {name for name, _ in values}
    return [*(entry for entry in before if entry[0] not in names), *values]


def in_order(reports: Iterable[Report]) -> Iterator[Report]:
    """Reports that came at once, in the order in which they make sense: capacity, load, states, machines."""
    order = {kind: place for place, kind in enumerate(_APPLY)}
    return iter(sorted(reports, key=lambda report: order[report.kind]))
