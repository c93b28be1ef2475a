"""Hosts: counting VMs, capacity with reservations, state and its events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.oned.config import DbConf
from services.oned.model.cluster import Cluster
from services.oned.model.host import Host, HostState
from services.oned.model.host_share import usable
from services.oned.store import Store, events, schema


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[..., Any]], Any]:
    """Runs a function in a transaction on an empty database."""
    store = Store.open(DbConf("sqlite", tmp_path / "one.db"))
    store.run(schema.create)
    return store.run


def _host(total_cpu: int = 800, total_mem: int = 1000) -> Host:
    host = Host.new("n1", "kvm", "kvm")
    host.share.total_cpu = host.share.max_cpu = total_cpu
    host.share.total_mem = host.share.max_mem = total_mem
    return host


def _usage(host: Host) -> tuple[list[int], int, int, int]:
    return host.vms, host.cpu_usage, host.mem_usage, host.running_vms


def test_a_vm_is_counted_once_and_taken_off_once() -> None:
    host = _host()
    assert host.add_vm(7, 50, 100)
    assert not host.add_vm(7, 50, 100)
    assert host.add_vm(3, 150, 200)
    assert _usage(host) == ([3, 7], 200, 300, 2)
    assert host.remove_vm(7, 50, 100)
    assert not host.remove_vm(7, 50, 100)
    assert not host.remove_vm(99, 1, 1)
    assert _usage(host) == ([3], 150, 200, 1)
    host.remove_vm(3, 150, 200)
    assert _usage(host) == ([], 0, 0, 0)


def test_disk_use_is_counted_too() -> None:
    host = _host()
    host.add_vm(1, 10, 10, disk_mb=64)
    host.add_vm(2, 10, 10, disk_mb=32)
    host.remove_vm(1, 10, 10, disk_mb=64)
    assert host.share.datastores.get("DISK_USAGE") == "32"


@pytest.mark.parametrize(
    ("cpu", "mem", "reason"),
    [
        (100, 500, None),
        (800, 1000, None),
        (801, 1, "Not enough CPU: 801/800"),
        (1, 1001, "Not enough memory: 1001/1000"),
        (900, 2000, "Not enough CPU: 900/800"),
    ],
)
def test_what_fits(cpu: int, mem: int, reason: str | None) -> None:
    assert _host().fits(cpu, mem) == reason


def test_what_fits_beside_others() -> None:
    host = _host()
    host.add_vm(1, 700, 100)
    assert host.fits(100, 900) is None
    assert host.fits(101, 1) == "Not enough CPU: 101/100"


@pytest.mark.parametrize(
    ("reservation", "left"),
    [
        ("", 800),
        ("10%", 720),
        ("-20%", 960),
        ("100", 700),
        ("-100", 900),
        (" 25% ", 600),
        ("0", 800),
        ("100%", 0),
        ("lots", 800),
        ("10.5%", 800),
        ("%", 800),
        ("10 %", 800),
    ],
)
def test_reservations(reservation: str, left: int) -> None:
    assert usable(800, reservation) == left


def test_large_totals_keep_every_kilobyte() -> None:
    assert usable(9_007_199_254_740_993, "0%") == 9_007_199_254_740_993


def test_the_hosts_own_reservation_goes_before_its_clusters(run: Callable[..., Any]) -> None:
    def work(tx: Any) -> None:
        cluster = Cluster(-1, "c")
        cluster.template.set("RESERVED_CPU", "50%")
        cluster.template.set("RESERVED_MEM", "-100")
        host = _host()
        host.cluster_id = cluster.insert(tx)
        host.reserve(tx)
        assert (host.share.max_cpu, host.share.max_mem) == (400, 1100)
        host.template.set("RESERVED_CPU", "10%")
        host.reserve(tx)
        assert (host.share.max_cpu, host.share.max_mem) == (720, 1100)
        host.template.set("RESERVED_MEM", "0")
        host.reserve(tx, ("99%", "99%"))
        assert (host.share.max_cpu, host.share.max_mem) == (720, 1000)
        host.cluster_id = 555  # a cluster that does not exist reserves nothing
        host.template.set("RESERVED_CPU", "")
        host.reserve(tx)
        assert host.share.max_cpu == 800

    run(work)


def test_only_a_change_of_state_is_an_event(run: Callable[..., Any]) -> None:
    def work(tx: Any) -> None:
        _host().insert(tx)
        for state in (HostState.INIT, HostState.MONITORED, HostState.MONITORED, HostState.ERROR):
            host = Host.load(tx, 0)
            host.state = state
            host.save(tx)
        seen = [(event.kind, event.object, event.oid, event.payload) for event in events.after(tx, 0)]
        assert seen == [("STATE", "HOST", 0, {"state": number, "name": "n1"}) for number in (0, 2, 3)]
        assert tx.one("SELECT state, cid FROM host_pool WHERE oid = 0") == (3, 0)

    run(work)


def test_an_offline_host_has_no_capacity() -> None:
    host = _host()
    host.template.set("TOTALCPU", "800")
    host.template.set("ARCH", "x86_64")
    host.offline()
    share = host.share
    assert (share.total_cpu, share.total_mem, share.max_cpu, share.max_mem) == (0, 0, 0, 0)
    assert host.template.get("TOTALCPU") is None
    assert host.template.get("ARCH") == "x86_64"
    assert "<STATE>8</STATE><PREV_STATE>8</PREV_STATE>" in host.to_xml()


def test_a_changed_template_keeps_what_a_host_needs(run: Callable[..., Any]) -> None:
    def work(tx: Any) -> None:
        host = _host()
        host.template.remove("IM_MAD")
        host.template.remove("VM_MAD")
        host.template.set("VM_MAD", "qemu")
        host.template.set("VMS_THREAD", "-4")
        host.take_template(tx)
        assert (host.im_mad, host.vm_mad) == ("kvm", "qemu")
        assert (host.template.get("IM_MAD"), host.template.get("VM_MAD")) == ("kvm", "qemu")
        assert host.share.vms_thread == 1 and host.template.get("VMS_THREAD") == "1"

    run(work)
