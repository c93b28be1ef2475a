"""The monitor program as it runs: messages over UDP and TCP, hostile ones, a crash, a second program."""

from __future__ import annotations

import base64
import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.oned.model.host import HostState
from tests.support.frontend import MONITORD, Frontend

SYSTEM = "HYPERVISOR=kvm\nTOTALCPU=400\nTOTALMEMORY=8000\n"
_DEADLINE_S = 60.0


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def frontend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A front-end with the API and the monitor program; agents are this test."""
    folder = tmp_path_factory.mktemp("monitored")
    if request.param == "mysql":
        running = Frontend(folder, request.getfixturevalue("mariadb").section("monitord"))
    else:
        running = Frontend(folder)
    try:
        running.start("opennebula")
        running.spawn(MONITORD)
        yield running
    finally:
        running.stop()


def wait(what: str, holds: Callable[[], object], frontend: Frontend) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {_DEADLINE_S:g} s\n{log(frontend)}"
        time.sleep(0.05)


def log(frontend: Frontend) -> str:
    file = frontend.folder / "var/monitor.log"
    return file.read_text() if file.exists() else frontend.tail(MONITORD)


def add_host(frontend: Frontend, name: str) -> int:
    oid: int = frontend.client().call("host.allocate", name, "kvm", "kvm", -1)
    return oid


def host(frontend: Frontend, oid: int) -> ElementTree.Element:
    return ElementTree.fromstring(frontend.client().call("host.info", oid))


def state(frontend: Frontend, oid: int) -> HostState:
    return HostState(int(host(frontend, oid).findtext("STATE") or -1))


def line(kind: str, oid: int, text: str, status: str = "SUCCESS") -> bytes:
    payload = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return f"{kind} {status} {oid} {int(time.time())} {payload}".encode()


def send(frontend: Frontend, data: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(data, ("127.0.0.1", frontend.monitord_port))


def connect(frontend: Frontend) -> socket.socket:
    return socket.create_connection(("127.0.0.1", frontend.monitord_port), 10)


def has_come(frontend: Frontend, oid: int, cpu: int) -> Callable[[], bool]:
    """Sends a load until it is shown: a datagram may be lost, and the program may not listen yet."""

    def look() -> bool:
        send(frontend, line("MONITOR_HOST", oid, f"USEDCPU={cpu}\n"))
        return host(frontend, oid).findtext("MONITORING/CAPACITY/USED_CPU") == str(cpu)

    return look


def test_datagrams_and_connections(frontend: Frontend) -> None:
    oid = add_host(frontend, "both")
    wait("a load", has_come(frontend, oid, 70), frontend)
    assert state(frontend, oid) is HostState.INIT
    send(frontend, line("SYSTEM_HOST", oid, SYSTEM))
    wait("capacity", lambda: state(frontend, oid) is HostState.MONITORED, frontend)
    with connect(frontend) as stream:
        data = line("STATE_VM", oid, "libvirt is down", "FAILURE")
        stream.sendall(data[:20])
        stream.sendall(data[20:])
    wait("a failure", lambda: state(frontend, oid) is HostState.ERROR, frontend)
    assert "libvirt is down" in (host(frontend, oid).findtext("TEMPLATE/ERROR") or "")


def test_hostile_senders(frontend: Frontend) -> None:
    """Nonsense of every kind costs a line of the log, and honest hosts are heard meanwhile."""
    oid = add_host(frontend, "target")
    wait("a load", has_come(frontend, oid, 1), frontend)
    started = log(frontend).count("\n")
    bomb = base64.b64encode(zlib.compress(b"\0" * 100_000_000, 9))
    hostile = [
        *(b"", b"\0", os.urandom(1400), os.urandom(60_000), b"MONITOR_HOST SUCCESS " + b"9" * 60_000),
        line("MONITOR_HOST", 4711, SYSTEM), line("BEACON_HOST", 10**8, ""),
        line("START_MONITOR", oid, SYSTEM), line("MONITOR_VM", oid, "VM=[ID=4711,MONITOR=QT0x]\n" * 50),
        b"MONITOR_HOST SUCCESS %d 1 %s" % (oid, bomb[:50_000]), b"SYSTEM_HOST SUCCESS %d 1 =====" % oid,
    ]  # fmt: skip
    for _ in range(40):
        for data in hostile:
            send(frontend, data)
    idle = [connect(frontend) for _ in range(5)]
    with connect(frontend) as stream:
        stream.sendall(b"STATE_VM SUCCESS %d 1 %s" % (oid, bomb))
    with connect(frontend) as stream:
        try:
            for _ in range(64):
                stream.sendall(b"A" * 65_536)
        except OSError:
            pass  # it does not read on
    wait("a load among them", has_come(frontend, oid, 2), frontend)
    for stream in idle:
        stream.close()
    text = log(frontend)
    assert text.count("dropped") < 150 and text.count("\n") - started < 200
    assert frontend.processes[MONITORD].poll() is None
    status = Path(f"/proc/{frontend.processes[MONITORD].pid}/status").read_text()
    peak_kb = next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmHWM"))
    assert peak_kb < 200_000
    assert "Traceback" not in text


def test_a_killed_program_is_followed_at_once_and_two_do_not_act(frontend: Frontend) -> None:
    oid = add_host(frontend, "followed")
    wait("a load", has_come(frontend, oid, 3), frontend)
    first = frontend.processes[MONITORD]
    frontend.spawn(MONITORD)
    wait("standing by", lambda: "standing by" in log(frontend), frontend)
    assert frontend.processes[MONITORD].poll() is None
    first.kill()
    first.wait()
    wait("a load", has_come(frontend, oid, 4), frontend)
    frontend.end(MONITORD)
    assert frontend.processes[MONITORD].returncode == 0
    frontend.spawn(MONITORD)
    wait("a load", has_come(frontend, oid, 5), frontend)
