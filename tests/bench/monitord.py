"""What the monitor program costs: 1,250 hosts with 40 VMs each, every kind of report once a minute.

The hosts are rows of the database, their agents a generator in this process, which is not counted; it sends
over UDP and TCP. Every value changes with every report. The first minute is not counted either: the program
then reads what it remembers later.
"""

from __future__ import annotations

import base64
import os
import socket
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.oned.lifecycle.states import LcmState, VmState
from services.oned.model.host import Host, HostState
from services.oned.model.vm import VM
from services.oned.store import Store, Tx, pools
from tests.bench.pools import open_store
from tests.support.frontend import MONITORD, Frontend
from tests.support.mariadb import MariaDb

HOSTS = 1250
VMS_PER_HOST = 40
PERIOD_S = 60.0
_BATCH = 500
_DATAGRAM_MAX = 60_000
_TICKS = os.sysconf("SC_CLK_TCK")
_DRAIN_S = 30.0


def run(frontend: Frontend, server: MariaDb | None) -> dict[str, Any]:
    """CPU seconds a minute of each program, what was sent, stored and lost."""
    frontend.start("opennebula")
    prepare(frontend, HOSTS, VMS_PER_HOST)
    frontend.end("opennebula")
    frontend.spawn(MONITORD)
    agents = Agents(frontend.monitord_port, HOSTS, VMS_PER_HOST)
    agents.wait_listening()
    pids = {"monitord": frontend.processes[MONITORD].pid}
    if server is not None:
        pids["mariadbd"] = server.pid
    store = open_store(frontend)
    agents.minute(0)
    _wait_stored(store, agents.samples_of(1))
    before, started, lost = _cpu(pids), time.perf_counter(), agents.sent.copy()
    agents.minute(1)
    stored = _wait_stored(store, agents.samples_of(2))
    minutes = (time.perf_counter() - started) / PERIOD_S
    cpu = {name: round((after - before[name]) / minutes, 2) for name, after in _cpu(pids).items()}
    result = {
        "hosts": HOSTS,
        "vms": HOSTS * VMS_PER_HOST,
        "messages": {kind: count - lost.get(kind, 0) for kind, count in agents.sent.items()},
        "cpu_seconds_per_minute": {**cpu, "sum": round(sum(cpu.values()), 2)},
        "cores": round(sum(cpu.values()) / 60, 3),
        "samples_expected": agents.samples_of(2),
        "samples_stored": stored,
        "samples_lost": agents.samples_of(2) - stored,
        "monitord_rss_mb": _rss_mb(pids["monitord"]),
        "hosts_monitored": _count(store, "host_pool", f"state = {int(HostState.MONITORED)}"),
    }
    store.close()
    return result


def prepare(frontend: Frontend, hosts: int, vms_per_host: int) -> None:
    """Hosts with running VMs, straight in the database: nothing else counts them."""
    client = frontend.client()
    client.call("host.allocate", "n0", "kvm", "kvm", -1)
    vm_id = client.call("vm.allocate", "NAME = bench\nCPU = 0.1\nMEMORY = 64", True)
    store = open_store(frontend)

    def add_hosts(tx: Tx) -> None:
        host = Host.load(tx, 0)
        tx.run("DELETE FROM onebox_job")
        tx.run("DELETE FROM host_pool")
        for host.oid in range(hosts):
            host.name = f"n{host.oid}"
            host.vms = list(range(host.oid * vms_per_host, (host.oid + 1) * vms_per_host))
            pools.insert(tx, Host.TABLE, {"oid": host.oid, **host.columns()})

    def add_vms(tx: Tx, first: int, vm: VM) -> None:
        for vm.oid in range(first, min(first + _BATCH, hosts * vms_per_host)):
            pools.insert(tx, VM.TABLE, {"oid": vm.oid, **vm.columns()})

    store.run(add_hosts)
    with store.read() as tx:
        vm = VM.load(tx, vm_id)
    vm.state, vm.lcm_state = VmState.ACTIVE, LcmState.RUNNING
    store.run(lambda tx: pools.delete(tx, VM.TABLE, vm_id))
    for first in range(0, hosts * vms_per_host, _BATCH):
        store.run(lambda tx, first=first: add_vms(tx, first, vm))  # type: ignore[misc]
    store.close()


@dataclass
class Agents:
    """The agents of all hosts: sends what they would send, at even distances."""

    port: int
    hosts: int
    vms_per_host: int
    sent: dict[str, int] = field(default_factory=dict)
    rounds: int = 0

    def __post_init__(self) -> None:
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def wait_listening(self, timeout_s: float = 60.0) -> None:
        """Return once the port takes connections. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("the monitor program does not listen")

    def minute(self, number: int) -> None:
        """Every host's reports of one period."""
        started = time.monotonic()
        for oid in range(self.hosts):
            pause_s = started + PERIOD_S * oid / self.hosts - time.monotonic()
            if pause_s > 0:
                time.sleep(pause_s)
            self.host(oid, number)
        time.sleep(max(0.0, started + PERIOD_S - time.monotonic()))
        self.rounds += 1

    def host(self, oid: int, number: int) -> None:
        """The reports of one host."""
        system, load, states, machines = _texts(oid, self.vms_per_host, number)
        self._send("BEACON_HOST", oid, "beacon")
        self._send("SYSTEM_HOST", oid, system)
        self._send("MONITOR_HOST", oid, load)
        for part in machines:
            self._send("MONITOR_VM", oid, part)
        with socket.create_connection(("127.0.0.1", self.port), 10) as stream:
            stream.sendall(self._message("STATE_VM", oid, states))

    def samples_of(self, rounds: int) -> int:
        """How many samples of hosts and VMs so many rounds make."""
        return rounds * self.hosts * (1 + self.vms_per_host)

    def _send(self, kind: str, oid: int, text: str) -> None:
        self._udp.sendto(self._message(kind, oid, text), ("127.0.0.1", self.port))

    def _message(self, kind: str, oid: int, text: str) -> bytes:
        self.sent[kind] = self.sent.get(kind, 0) + 1
        payload = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
        return f"{kind} SUCCESS {oid} {int(time.time())} {payload}".encode()


def _texts(oid: int, vms: int, number: int) -> tuple[str, str, str, list[str]]:
    """SYSTEM_HOST, MONITOR_HOST, STATE_VM, and MONITOR_VM in parts that fit into a datagram."""
    n = number * 7919 + oid
    system = (
        "HYPERVISOR=kvm\nARCH=x86_64\nHOSTNAME=n\nCPUSPEED=2600\nTOTALCPU=6400\nTOTALMEMORY=263915520\n"
        f'MODELNAME="Processor 64"\nVERSION="6.0.0.3"\nDS_LOCATION_TOTAL_MB=9000000\n'
        f"DS_LOCATION_USED_MB={n}\nDS_LOCATION_FREE_MB={9_000_000 - n}\n"
        f"DS = [ ID = 0, USED_MB = {n}, TOTAL_MB = 9000000, FREE_MB = 1 ]\n"
    )
    load = (
        f"USEDMEMORY={n}\nFREEMEMORY={263_915_520 - n}\nUSEDCPU={n % 6400}\nFREECPU={6400 - n % 6400}\n"
        f"NETRX={n * 1000}\nNETTX={n * 900}\n"
    )
    first = oid * vms
    states = "SYNC_STATE=yes\nMISSING_STATE=POWEROFF\n" + "".join(
        f'VM = [ ID="{vm}", DEPLOY_ID="one-{vm}", UUID="{vm:032x}", STATE="RUNNING" ]\n'
        for vm in range(first, first + vms)
    )
    machines, part = [], ""
    for vm in range(first, first + vms):
        m = n + vm
        text = (
            f"TIMESTAMP={1_800_000_000 + number * 60}\nCPU={m % 100}.0\nMEMORY={m}\nDISKRDBYTES={m * 77}\n"
            f"DISKRDIOPS={m}\nDISKWRBYTES={m * 99}\nDISKWRIOPS={m}\nNETRX={m * 11}\nNETTX={m * 13}\n"
            f'DISK_SIZE=[ID="0",SIZE="{m % 9999}"]\nDISK_SIZE=[ID="1",SIZE="1"]\n'
        )
        part += (
            f'VM = [ ID="{vm}", UUID="{vm:032x}", MONITOR="{base64.b64encode(text.encode()).decode()}" ]\n'
        )
        if len(part) > _DATAGRAM_MAX:
            machines.append(part)
            part = ""
    return system, load, states, [*machines, *([part] if part else [])]


# -- measuring ---------------------------------------------------------------------------------------------
def _cpu(pids: dict[str, int]) -> dict[str, float]:
    """CPU seconds that each program has used so far."""
    found = {}
    for name, pid in pids.items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found[name] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def _rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(
        int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024, 1
    )


def _count(store: Store, table: str, where: str = "1 = 1") -> int:
    with store.read() as tx:
        row = tx.one(f"SELECT COUNT(*) FROM {table} WHERE {where}")
    return int(row[0]) if row else 0


def _wait_stored(store: Store, expected: int) -> int:
    """How many samples are there, once all are, or no more come."""
    deadline = time.monotonic() + _DRAIN_S
    while True:
        found = _count(store, "vm_monitoring") + _count(store, "host_monitoring")
        if found >= expected or time.monotonic() > deadline:
            return found
        time.sleep(0.5)
