"""Pools of 30 MB from real workers: every client reads them, and nobody else waits or pays in memory."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pyone
import pytest

from services.common import xmlrpc
from services.oned import config
from services.oned.api.stream import STREAMS_MAX
from services.oned.store import Store
from tests.support.copies import copy_vm
from tests.support.frontend import Frontend

VMS = 4_000
MEMORY_MAX_MB = 250


@pytest.fixture(scope="module")
def full(frontend: Frontend) -> Frontend:
    """A front-end with 4,000 VMs of 7 KB."""
    text = "\n".join(f'NOTE_{n} = "{"x&" * 60}"' for n in range(40))
    vm_id = frontend.client().call("vm.allocate", f"NAME = v\nCPU = 1\nMEMORY = 1\n{text}", True)
    conf = config.load(frontend.folder / "etc/oned.conf")
    store = Store.open(replace(conf.db, path=frontend.folder / "var/one.db"))
    copy_vm(store, vm_id, VMS)
    store.close()
    return frontend


def request(frontend: Frontend) -> bytes:
    return xmlrpc.dumps_request("one.vmpool.infoextended", [frontend.session, -2, -1, -1, -2])


def start(frontend: Frontend) -> http.client.HTTPResponse:
    """An answer of which nothing but the head was read."""
    connection = http.client.HTTPConnection("127.0.0.1", frontend.port)
    connection.request("POST", "/RPC2", request(frontend))
    return connection.getresponse()


def test_pyone(full: Frontend) -> None:
    found = pyone.OneServer(full.endpoint, session=full.session).vmpool.infoextended(-2, -1, -1, -2).VM
    assert [vm.ID for vm in found] == list(range(VMS - 1, -1, -1))
    assert found[-1].USER_TEMPLATE["NOTE_39"] == "x&" * 60


def test_our_client(full: Frontend) -> None:
    assert full.client().call("vmpool.infoextended", -2, -1, -1, -2).count("<VM>") == VMS


def test_http_client(full: Frontend) -> None:
    reply = start(full)
    assert reply.getheader("content-length") is None
    assert xmlrpc.loads_response(reply.read())[1].count("<VM>") == VMS


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl(full: Frontend, tmp_path: Path, version: str) -> None:
    (tmp_path / "request").write_bytes(request(full))
    command = ["curl", "-sS", version, "--data-binary", f"@{tmp_path / 'request'}", full.endpoint]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert xmlrpc.loads_response(done.stdout)[1].count("<VM>") == VMS


def test_json(full: Frontend) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", full.port)
    credentials = b64encode(full.session.encode()).decode()
    connection.request("GET", "/api/v1/vms?extended=true", headers={"Authorization": f"Basic {credentials}"})
    assert len(json.loads(connection.getresponse().read())["items"]) == VMS


def test_a_short_pool_has_a_length(full: Frontend) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", full.port)
    body = xmlrpc.dumps_request("one.vmpool.info", [full.session, -2, -1, -1, -2])
    connection.request("POST", "/RPC2", body)
    reply = connection.getresponse()
    assert int(reply.getheader("content-length") or 0) == len(reply.read()) > 1_000_000


def test_readers_that_leave(full: Frontend) -> None:
    for _ in range(3 * STREAMS_MAX):
        reply = start(full)
        reply.read(1000)
        reply.close()
    for _ in range(20):
        assert full.client().call("vmpool.infoextended", -2, 0, 10, -2).count("<VM>") == 11


def test_readers_that_take_their_time(full: Frontend) -> None:
    slow = [start(full) for _ in range(STREAMS_MAX)]
    started = time.monotonic()
    for _ in range(50):
        full.client().call("vm.info", 0)
    assert time.monotonic() - started < 10, "other calls wait for slow readers"
    assert all(xmlrpc.loads_response(reply.read())[0] for reply in slow)


def test_memory(full: Frontend) -> None:
    main = full.processes["opennebula"].pid
    for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split():
        status = Path(f"/proc/{pid}/status").read_text()
        peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        assert peak_kb / 1024 < MEMORY_MAX_MB
