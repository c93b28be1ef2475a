"""Probes of the machines: their states (only what changed), their figures, and those that are not ours."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import NamedTuple

from driver import DriverError
from im_context import Context
from im_libvirt import Domain, domains, import_template
from im_text import vector, yaml_settings

MISSING_STATE = "POWEROFF"
_TIMES_MISSING = 3
_OBSOLETE_MIN = 720
# A measure of a machine's processor time over less than this says little.
_CPU_SPAN_S = 1.0
_FIGURES = ("--cpu-total", "--balloon", "--interface", "--block")
_COUNTERS = {
    "NETRX": ("net", "rx.bytes"),
    "NETTX": ("net", "tx.bytes"),
    "DISKRDBYTES": ("block", "rd.bytes"),
    "DISKWRBYTES": ("block", "wr.bytes"),
    "DISKRDIOPS": ("block", "rd.reqs"),
    "DISKWRIOPS": ("block", "wr.reqs"),
}


class Seen(NamedTuple):
    """A machine as it was last seen; missing: in how many looks since then it was not there."""

    vm_id: int
    deploy_id: str
    state: str
    missing: int
    seen_s: int


class Known:
    """What a node has said about the states of its machines.

    Between two whole lists only what changed is said. A machine that is missing is looked for some times more
    (``times_missing`` of probe_db.conf) before it counts as gone: libvirt lists none for a moment while one
    moves between states.
    """

    def __init__(self, times_missing: int = _TIMES_MISSING, sync_s: int = 180) -> None:
        self.times_missing = times_missing
        self.sync_s = sync_s
        self.last_sync_s = 0
        self.machines: dict[str, Seen] = {}

    def report(self, found: list[Domain], now_s: int) -> str:
        """What to say of the machines that are there now (epoch second ``now_s``); empty for no news."""
        present = {_key(domain): domain for domain in found}
        if self.last_sync_s == 0 or not self.last_sync_s <= now_s <= self.last_sync_s + self.sync_s:
            self.last_sync_s = now_s
            self.machines = {key: _seen(domain, now_s) for key, domain in present.items()}
            head = f"SYNC_STATE=yes\nMISSING_STATE={MISSING_STATE}\n"
            return head + "".join(map(_state, self.machines.values()))
        said = []
        for key, domain in present.items():
            before = self.machines.get(key)
            self.machines[key] = _seen(domain, now_s)
            if before is None or before.state != domain.state:
                said.append(_state(self.machines[key]))
        for key in [key for key in self.machines if key not in present]:
            gone = self.machines[key]
            if gone.missing >= self.times_missing:
                said.append(_state(gone._replace(state=MISSING_STATE)))
                del self.machines[key]
            else:
                self.machines[key] = gone._replace(missing=gone.missing + 1, seen_s=now_s)
        return "".join(said)

    def forget_sync(self) -> None:
        """Let the next report be a whole list: the last one was not heard."""
        self.last_sync_s = 0

    def load(self, path: str, obsolete_s: int, now_s: int) -> None:
        """Go on where another process ended; machines not seen for ``obsolete_s`` are forgotten."""
        try:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
            self.last_sync_s = int(data["last_sync_s"])
            rows = {str(key): Seen(*row) for key, row in data["machines"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return  # nothing, or nothing usable: the report is a whole list then
        self.machines = {key: row for key, row in rows.items() if row.seen_s >= now_s - obsolete_s}

    def save(self, path: str) -> None:
        """Keep it for the next process."""
        part = f"{path}.{os.getpid()}"
        with open(part, "w", encoding="utf-8") as file:
            json.dump({"last_sync_s": self.last_sync_s, "machines": self.machines}, file)
        os.replace(part, path)


def states(at: Context) -> str:
    """The states of the machines: all after SYNC_STATE_VM seconds (SYNC_STATE=yes), else what changed.

    An agent remembers by itself; a process of its own keeps ``im/status_kvm_<host>.db``.
    """
    known: Known | None = at.memory.get("machines.known")
    if known is not None:
        return known.report(domains(at), int(time.time()))
    known, obsolete_s = new_known(at)
    path, now_s = at.path("im", f"status_kvm_{at.host_id}.db"), int(time.time())
    known.load(path, obsolete_s, now_s)
    said = known.report(domains(at), now_s)
    try:
        known.save(path)
    except OSError as error:
        raise DriverError(f"{path} cannot be written: {error.strerror}") from None
    return said


def new_known(at: Context) -> tuple[Known, int]:
    """An empty memory by the settings of probe_db.conf, and after how many seconds it forgets a machine."""
    where = ("etc", "im", f"{at.hypervisor}-probes.d", "probe_db.conf")
    settings = yaml_settings(at.read(*where), "/".join(where))

    def number(name: str, usual: int) -> int:
        value = settings.get(name, str(usual))
        if not isinstance(value, str) or not value.isdigit():
            raise DriverError(f"{'/'.join(where)}: {name} must be a whole number, found {value!r}")
        return int(value)

    sync_s = (
        number("sync", at.periods_s["SYNC_STATE_VM"]) if "sync" in settings else at.periods_s["SYNC_STATE_VM"]
    )
    known = Known(number("times_missing", _TIMES_MISSING), sync_s)
    return known, number("obsolete", _OBSOLETE_MIN) * 60


def _key(domain: Domain) -> str:
    return domain.uuid if domain.vm_id < 0 else f"one-{domain.vm_id}"


def _seen(domain: Domain, now_s: int) -> Seen:
    return Seen(domain.vm_id, domain.uuid, domain.state, 0, now_s)


def _state(row: Seen) -> str:
    return vector("VM", {"ID": row.vm_id, "DEPLOY_ID": row.deploy_id, "STATE": row.state})


# -- figures -----------------------------------------------------------------------------------------------
def monitor(at: Context) -> str:
    """The figures of each machine: CPU (percent of one), MEMORY (kB of the node), bytes and requests.

    CPU is the mean since the last look; the first look takes a second.
    """
    if "machines.cpu" not in at.memory:
        begin(at)
    before: dict[str, tuple[float, int]] = at.memory["machines.cpu"]
    if before:
        waited_s = time.monotonic() - max(moment_s for moment_s, _ in before.values())
        time.sleep(max(0.0, _CPU_SPAN_S - waited_s))
    found = domains(at, *_FIGURES)
    now = at.memory["machines.cpu"] = _cpu_times(found)
    said = []
    for domain in found:
        figures: dict[str, object] = {"CPU": _cpu_percent(before.get(domain.uuid), now.get(domain.uuid))}
        memory = domain.stats.get("balloon.rss")
        if memory is not None:
            figures["MEMORY"] = memory
        figures.update((name, domain.total(*counter)) for name, counter in _COUNTERS.items())
        text = "".join(f'{name}="{value}"\n' for name, value in figures.items())
        parts = {"ID": domain.vm_id, "DEPLOY_ID": domain.uuid, "MONITOR": _base64(text)}
        said.append(vector("VM", parts))
    return "".join(said)


def begin(at: Context) -> None:
    """Take the first look at the processor time of the machines, from which monitor() counts."""
    at.memory["machines.cpu"] = _cpu_times(domains(at, "--cpu-total"))


def _cpu_times(found: list[Domain]) -> dict[str, tuple[float, int]]:
    """Moment and processor time (ns) of each machine that tells it."""
    moment = time.monotonic()
    times = {domain.uuid: domain.stats.get("cpu.time", "") for domain in found}
    return {uuid: (moment, int(text)) for uuid, text in times.items() if text.isdigit()}


def _cpu_percent(before: tuple[float, int] | None, now: tuple[float, int] | None) -> float:
    if before is None or now is None or now[0] <= before[0]:
        return 0.0
    return round(max(0, now[1] - before[1]) / (now[0] - before[0]) / 1e7, 2)


def wilds(at: Context) -> str:
    """The machines that are not ours, each with a template that imports it."""
    said = []
    for domain in domains(at):
        template = import_template(at, domain) if domain.vm_id < 0 else ""
        if template:
            parts = {"ID": -1, "DEPLOY_ID": domain.uuid, "VM_NAME": domain.name}
            said.append(vector("VM", {**parts, "IMPORT_TEMPLATE": _base64(template)}))
    return "".join(said)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
