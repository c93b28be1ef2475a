"""What the scheduler remembers between cycles: deployments under way, and refusals to back off from.

Nothing here outlives the process; after a restart the front-end's documents say it all again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.scheduler.plan import Dispatch
from services.scheduler.promises import Promises
from services.scheduler.records import Host, Snapshot

FIRST_DELAY_S = 2.0
LONGEST_DELAY_S = 300.0
#: Refusals in a row that a VM may collect on different hosts before it has to pause altogether.
FREE_TRIES = 3
LONGEST_PAUSE_S = 60.0
#: A VM that could not be started on a host prefers others for so long.
FAILURES_KEPT_S = 900.0


@dataclass(slots=True)
class _Refusals:
    """One VM's refusals in a row: by host the time until which to stay away, and the delay that led to it."""

    until: dict[int, tuple[float, float]] = field(default_factory=dict)
    count: int = 0
    paused_until: float = 0.0
    last_answer: str = ""


class Books:
    """Safe for use from several threads. Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[int, Dispatch] = {}
        self._refusals: dict[int, _Refusals] = {}
        self._promises = Promises()
        self._failures: dict[tuple[int, int], tuple[float, float]] = {}  # (VM, host) -> until, delay

    # -- deployments under way -------------------------------------------------------------------------
    def start(self, dispatches: Iterable[Dispatch]) -> None:
        """Remember deployments that will be asked for."""
        with self._lock:
            self._under_way.update((one.vm_id, one) for one in dispatches)

    def under_way(self) -> dict[int, Dispatch]:
        """The deployments, by VM id, whose answer has not come yet."""
        with self._lock:
            return dict(self._under_way)

    def done(self, dispatch: Dispatch) -> None:
        """The front-end accepted a deployment: its documents count it from now on."""
        with self._lock:
            self._under_way.pop(dispatch.vm_id, None)
            self._refusals.pop(dispatch.vm_id, None)
            self._promises.add(dispatch, time.monotonic())

    def refused(self, dispatch: Dispatch, answer: str, now: float) -> None:
        """A deployment failed: keep that VM from that host, twice as long each time."""
        with self._lock:
            self._under_way.pop(dispatch.vm_id, None)
            known = self._refusals.setdefault(dispatch.vm_id, _Refusals())
            known.last_answer = answer
            known.count += 1
            if known.count >= FREE_TRIES:
                known.paused_until = now + min(LONGEST_PAUSE_S, 2.0 ** (known.count - FREE_TRIES))
            _, delay_s = known.until.get(dispatch.host_id, (0.0, FIRST_DELAY_S / 2))
            delay_s = min(LONGEST_DELAY_S, delay_s * 2)
            known.until[dispatch.host_id] = (now + delay_s, delay_s)

    def failed(self, vm_id: int, host_id: int, now: float) -> None:
        """A VM could not be started on a host: if it comes to wait again, another host is tried first."""
        with self._lock:
            _, delay_s = self._failures.get((vm_id, host_id), (0.0, FIRST_DELAY_S / 2))
            delay_s = min(LONGEST_DELAY_S, delay_s * 2)
            self._failures[vm_id, host_id] = (now + delay_s, delay_s)

    # -- what the next cycle must respect ----------------------------------------------------------------
    def count_promises(self, found: Snapshot, under_way: Mapping[int, Dispatch], now: float) -> None:
        """Take space and leases that are promised off a snapshot that was just read."""
        with self._lock:
            self._promises.count(found, under_way, now)

    def keep_only(self, vm_ids: Iterable[int]) -> None:
        """Forget the refusals of VMs that are neither waiting nor under way."""
        with self._lock:
            for vm_id in self._refusals.keys() - set(vm_ids) - self._under_way.keys():
                del self._refusals[vm_id]

    def is_paused(self, vm_id: int, now: float) -> bool:
        """Whether a VM was refused so often that it is left alone for a moment."""
        with self._lock:
            known = self._refusals.get(vm_id)
            return known is not None and known.paused_until > now

    def avoid(self, now: float) -> Mapping[int, frozenset[int]]:
        """By VM id: the hosts to keep it from now."""
        with self._lock:
            found = {
                vm_id: frozenset(host_id for host_id, (until, _) in known.until.items() if until > now)
                for vm_id, known in self._refusals.items()
            }
            for (vm_id, host_id), (until, _) in self._failures.items():
                if until > now:
                    found[vm_id] = found.get(vm_id, frozenset()) | {host_id}
            return found

    def failed_hosts(self, now: float) -> Mapping[int, frozenset[int]]:
        """By VM id: the hosts where it could not be started lately; any other that fits is better."""
        found: dict[int, frozenset[int]] = {}
        with self._lock:
            for (vm_id, host_id), (until, _) in list(self._failures.items()):
                if until + FAILURES_KEPT_S < now:
                    del self._failures[vm_id, host_id]
                else:
                    found[vm_id] = found.get(vm_id, frozenset()) | {host_id}
        return found

    def last_answer(self, vm_id: int) -> str:
        """What the front-end said when it refused this VM last; empty when it did not."""
        with self._lock:
            known = self._refusals.get(vm_id)
            return known.last_answer if known else ""

    def next_try_s(self, now: float) -> float:
        """Seconds until the first VM may be tried again; infinite when none is kept away."""
        with self._lock:
            times = [
                time
                for known in self._refusals.values()
                for time in (known.paused_until, *(until for until, _ in known.until.values()))
                if time > now
            ]
            times += [until for until, _ in self._failures.values() if until > now]
            return min(times) - now if times else float("inf")


def count_under_way(hosts: Iterable[Host], under_way: Mapping[int, Dispatch]) -> None:
    """Add deployments whose answer has not come to the use of their hosts, unless a host counts them already.

    under_way: as it was before the hosts were read; a deployment that was answered since is then counted
    once, by its host's own list of VMs.
    """
    by_id = {host.id: host for host in hosts}
    for one in under_way.values():
        host = by_id.get(one.host_id)
        if host is not None and one.vm_id not in host.vm_ids:
            host.cpu_usage += one.cpu
            host.memory_usage_kb += one.memory_kb
            host.running_vms += 1
            host.vm_ids = (*host.vm_ids, one.vm_id)
            if one.needs is not None:
                host.promised = (*host.promised, (one.vm_id, one.needs))
