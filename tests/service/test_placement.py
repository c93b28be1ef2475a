"""What the scheduler decides and the front-end counts: networks, devices, pinned CPUs, moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from lxml import etree

from services.common import xmldoc
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(180)
DEVICES = {
    "node1": "PCI_DEVICES=1\nNUMA_NODES=2\nNUMA_CORES=1\nNUMA_THREADS=2\n",
    "node2": "TOTALCPU=1600\nPCI_DEVICES=2\nNUMA_NODES=2\nNUMA_CORES=2\nNUMA_THREADS=2\n",
}
PENDING, ACTIVE, DONE = "1", "3", "6"
RUNNING = "3"


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A front-end with two hosts that report devices; marked VMs are looked for each second."""
    running = Frontend(tmp_path_factory.mktemp("frontend"))
    settings = "SCHED_INTERVAL = 1\nMAX_HOST = 0\nMAX_VM = 5000\nCOLD_MIGRATE_MODE = 1\n"
    (running.folder / "etc" / "sched.conf").write_text(settings)
    for name, devices in DEVICES.items():
        folder = running.folder / "var" / "remotes" / "etc" / "dummy" / "hosts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(devices)
    try:
        running.start()
        for name in DEVICES:
            running.client().call("host.allocate", name, "dummy", "dummy", 0)
        for host_id in (0, 1):
            wait_for(lambda host_id=host_id: info(running, "host", host_id).findtext("STATE") == "2")  # type: ignore[misc]
        yield running
    finally:
        running.stop()


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def info(frontend: Frontend, kind: str, oid: int) -> etree._Element:
    return xmldoc.parse(str(frontend.client().call(f"{kind}.info", oid)))


def created(frontend: Frontend, text: str) -> int:
    return int(frontend.client().call("vm.allocate", f"CPU=0.1\nMEMORY=64\n{text}", False))


def is_running(frontend: Frontend, vm_id: int) -> bool:
    vm = info(frontend, "vm", vm_id)
    return (vm.findtext("STATE"), vm.findtext("LCM_STATE")) == (ACTIVE, RUNNING)


def host_of(frontend: Frontend, vm_id: int) -> str | None:
    return info(frontend, "vm", vm_id).findtext("HISTORY_RECORDS/HISTORY[last()]/HID")


def message(frontend: Frontend, vm_id: int) -> str:
    return info(frontend, "vm", vm_id).findtext("USER_TEMPLATE/SCHED_MESSAGE") or ""


def end(frontend: Frontend, *vm_ids: int) -> None:
    for vm_id in vm_ids:
        if info(frontend, "vm", vm_id).findtext("STATE") != DONE:
            frontend.client().call("vm.recover", vm_id, 3)
            wait_for(lambda vm_id=vm_id: info(frontend, "vm", vm_id).findtext("STATE") == DONE)  # type: ignore[misc]


def held(frontend: Frontend) -> list[str]:
    """Everything that a VM holds on a host: cards and CPUs."""
    found = []
    for host_id in (0, 1):
        host = info(frontend, "host", host_id)
        found += [one.text or "" for one in host.findall(".//PCI/VMID") if one.text != "-1"]
        parts = ",".join(one.text or "" for one in host.findall(".//CORE/CPUS")).split(",")
        found += [part.partition(":")[2] for part in parts if not part.endswith(":-1")]
    return found


def test_networks_are_chosen_and_leased(frontend: Frontend) -> None:
    client = frontend.client()
    net = "VN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.0.{}.1,SIZE={}]\n"
    first = client.call("vn.allocate", "NAME=front\nTRAFFIC=public\n" + net.format(1, 5), 0)
    second = client.call("vn.allocate", "NAME=back\nTRAFFIC=private\n" + net.format(2, 1), 0)
    nics = 'NIC=[NETWORK_MODE=auto,SCHED_REQUIREMENTS="TRAFFIC = private"]\nNIC=[NETWORK_MODE=auto]\n'
    vm_id = created(frontend, nics)
    wait_for(lambda: is_running(frontend, vm_id))
    found = info(frontend, "vm", vm_id).findall("TEMPLATE/NIC")
    assert [nic.findtext("NETWORK_ID") for nic in found] == [str(second), str(first)]
    assert [nic.findtext("IP") for nic in found] == ["10.0.2.1", "10.0.1.1"]
    waits = created(frontend, nics)
    wait_for(lambda: "no networks" in message(frontend, waits).lower())
    end(frontend, vm_id)
    wait_for(lambda: is_running(frontend, waits))
    end(frontend, waits)


def test_cards_and_pinned_cpus_are_planned_and_counted(frontend: Frontend) -> None:
    with_card = [created(frontend, 'PCI=[VENDOR="d000"]\n') for _ in range(4)]
    wait_for(lambda: sum(is_running(frontend, vm_id) for vm_id in with_card) == 3)
    (waits,) = [vm_id for vm_id in with_card if not is_running(frontend, vm_id)]
    wait_for(lambda: "PCI device" in message(frontend, waits))
    for host_id in (0, 1):
        frontend.client().call("host.update", host_id, "PIN_POLICY=PINNED", 1)
    big = created(frontend, "VCPU=8\nTOPOLOGY=[PIN_POLICY=THREAD,SOCKETS=2,THREADS=2]\n")
    wait_for(lambda: is_running(frontend, big))
    assert host_of(frontend, big) == "1", "node1 has four CPUs"
    assert sorted(held(frontend)) == sorted(map(str, [*set(with_card) - {waits}, *[big] * 8]))
    end(frontend, *with_card, big)
    assert held(frontend) == []
    for host_id in (0, 1):
        frontend.client().call("host.update", host_id, "PIN_POLICY=NONE", 1)


def test_a_marked_vm_is_moved_with_its_card(frontend: Frontend) -> None:
    vm_id = created(frontend, 'PCI=[VENDOR="d000"]\n')
    wait_for(lambda: is_running(frontend, vm_id))
    before = host_of(frontend, vm_id)
    frontend.client().call("vm.action", "resched", vm_id)
    wait_for(lambda: host_of(frontend, vm_id) != before and is_running(frontend, vm_id))
    vm = info(frontend, "vm", vm_id)
    assert vm.findtext("RESCHED") == "0" and vm.find("TEMPLATE/PCI/PREV_ADDRESS") is None
    assert held(frontend) == [str(vm_id)]
    end(frontend, vm_id)
