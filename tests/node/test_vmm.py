"""The hypervisor's actions on real nodes: what each does, each failure, and each once more.

Machines without a guest ignore the power button and take part in everything that asks nothing of a guest.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.node import actions, nodes
from tests.support.node.actions import FOLDER, ActionFailed, Actions, Machine
from tests.support.node.nodes import Guest, Network
from tests.support.node.operate import GuestShell, wait

SHARED = "/var/lib/one/datastores/100"
ONEADMIN_UID = 9869


class Pair(NamedTuple):
    """Two nodes and their actions; they share datastore 100."""

    net: Network
    first: Actions
    second: Actions

    def machine(self, vm_id: int, guest: Guest | None = None, location: str = FOLDER) -> Machine:
        """A new VM on the first node; the second has its kernel too."""
        for each in (self.second, self.first):
            made = Machine(each.node, guest, vm_id, self.net.guest_address(vm_id), location)
        return made


@pytest.fixture(scope="module")
def pair(net: Network, node_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two nodes that anybody with the agent's key may come to."""
    folder = tmp_path_factory.mktemp("vmm")
    shared = folder / "shared"
    shared.mkdir()
    subprocess.run(["chown", str(ONEADMIN_UID), str(shared)], check=True)
    key, options = nodes.new_key(folder / "key"), ("-v", f"{shared}:{SHARED}")
    with (
        nodes.start(net, node_image, key, options=options) as first,
        nodes.start(net, node_image, key, options=options) as second,
        actions.agent(key, folder) as socket,
    ):
        yield Pair(net, Actions(first, socket), Actions(second, socket))


@pytest.fixture(autouse=True)
def as_delivered(pair: Pair) -> Iterator[None]:
    """kvmrc of the product before each test; no machine after it."""
    for each in (pair.first, pair.second):
        each.install()
    yield
    for each in (pair.first, pair.second):
        for name in each.node.domains():
            each.node.exec("virsh", "destroy", name)


def _start(run: Actions, machine: Machine, xml: str) -> str:
    path = f"{machine.folder}/deployment.0"
    machine.deploy_id = run("deploy", path, "node", machine.vm_id, "node", stdin=xml)
    return machine.deploy_id


def _state(run: Actions, machine: Machine) -> str:
    return run("poll", machine.deploy_id, "node", machine.vm_id, "node").split()[0]


# -- start and stop ----------------------------------------------------------------------------------------
def test_deploy_starts_a_machine_once(pair: Pair) -> None:
    run, machine = pair.first, pair.machine(1)
    uuid = _start(run, machine, machine.xml())
    assert _start(run, machine, machine.xml()) == uuid
    assert run("poll", uuid, "node", "1", "node").startswith("STATE=a CPU=")
    assert run.node.exec("virsh", "domuuid", machine.name).strip() == uuid
    # The console's password may be in it.
    assert run.node.sh(f"stat -c %a {machine.folder}/deployment.0").strip() == "600"
    with pytest.raises(ActionFailed, match=f"domain one-1 already runs on this host with UUID {uuid}"):
        run("deploy", f"{machine.folder}/deployment.1", "node", "1", "node", stdin=machine.xml())
    # Another VM with the same UUID, which its user has chosen, and a file of its own that says so.
    other = pair.machine(3)
    run.node.sh(f"cp -a {machine.folder}/deployment.0 {other.folder}/deployment.0")
    with pytest.raises(ActionFailed, match="Could not create domain one-3 .*already"):
        _start(run, other, other.xml().replace("<name>", f"<uuid>{uuid}</uuid><name>", 1))
    assert run("reset", machine.name, "node", "1", "node") == ""
    assert run("reboot", machine.name, "node", "1", "node") == ""
    for _ in range(2):
        assert run("cancel", machine.name, "node", "1", "node") == ""
        assert _state(run, machine) == "STATE=d"
    for action in ("reset", "reboot"):
        with pytest.raises(ActionFailed, match="domain one-1 must be active on this host, there is none"):
            run(action, machine.name, "node", "1", "node")


def test_deploy_says_what_is_wrong(pair: Pair) -> None:
    run, machine = pair.first, pair.machine(2)
    broken = machine.xml().replace("<vcpu current='1'>2", "<vcpu current='1'>0")
    with pytest.raises(ActionFailed, match=r"Could not create domain one-2 from .*deployment\.0: .+"):
        _start(run, machine, broken)
    with pytest.raises(ActionFailed, match="must be a domain with a name, found 'pool'"):
        _start(run, machine, "<pool><name>x</name></pool>")
    with pytest.raises(ActionFailed, match="declares entities"):
        _start(run, machine, "<!DOCTYPE domain [<!ENTITY x SYSTEM '/etc/passwd'>]><domain>&x;</domain>")
    assert run.node.domains() == []


def test_a_silent_libvirt_is_not_a_gone_machine(pair: Pair) -> None:
    run, machine = pair.first, pair.machine(3)
    _start(run, machine, machine.xml())
    run.install(LIBVIRT_URI="qemu+unix:///system?socket=/nowhere")
    for action in ("poll", "cancel", "shutdown"):
        with pytest.raises(ActionFailed, match="failed to connect to the hypervisor"):
            run(action, machine.name, "node", machine.vm_id, "node")
    run.install()
    assert _state(run, machine) == "STATE=a"


def test_shutdown_ends_as_kvmrc_says(pair: Pair) -> None:
    run, machine = pair.first, pair.machine(4)
    _start(run, machine, machine.xml())
    run.install(SHUTDOWN_TIMEOUT="1", FORCE_DESTROY="no")
    with pytest.raises(ActionFailed, match="domain one-4 has not shut down within 1 s"):
        run("shutdown", machine.name, "node", "4", "node")
    assert _state(run, machine) == "STATE=a"
    run.install(SHUTDOWN_TIMEOUT="1")
    for _ in range(2):
        run("shutdown", machine.name, "node", "4", "node")
        assert _state(run, machine) == "STATE=d"
    run.install(SHUTDOWN_TIMEOUT="100000", CANCEL_NO_ACPI="yes")
    _start(run, machine, machine.xml(acpi=False))
    run("shutdown", machine.name, "node", "4", "node")
    assert _state(run, machine) == "STATE=d"
    run.install(SHUTDOWN_TIMEOUT="soon")
    with pytest.raises(ActionFailed, match="kvmrc: SHUTDOWN_TIMEOUT must be a whole number, found 'soon'"):
        run("shutdown", machine.name, "node", "4", "node")


# -- devices -----------------------------------------------------------------------------------------------
def test_devices_come_and_go(pair: Pair, guest: Guest) -> None:
    run, machine = pair.first, pair.machine(10, guest)
    machine.disk("disk.0")
    machine.cdrom("disk.1", "old!")
    cell = f"<cell id='0' cpus='0-1' memory='{192 * 1024}'/>"
    top = f"<maxMemory slots='2'>{512 * 1024}</maxMemory><cpu><numa>{cell}</numa></cpu>"
    _start(run, machine, machine.xml(top=top, memory_mib=192))
    shell = GuestShell(machine.address)
    shell.wait_ping()
    _disks(run, machine, shell)
    _interfaces(run, machine, shell, pair.net.guest_address(11))
    _context(run, machine, shell)
    _capacity(run, machine)
    for _ in range(2):  # by the power button
        run("shutdown", machine.deploy_id, "node", "10", "node")
    assert _state(run, machine) == "STATE=d"


def _disks(run: Actions, machine: Machine, shell: GuestShell) -> None:
    machine.as_oneadmin("qemu-img create -q -f qcow2 'disk.2' 10M; qemu-img create -q disk.3 10M")
    marked = "<ATTACH>YES</ATTACH><TYPE>FILE</TYPE><TOTAL_IOPS_SEC>900</TOTAL_IOPS_SEC>"
    second = machine.message64(
        f"<DISK><DISK_ID>2</DISK_ID>{marked}<DRIVER>qcow2</DRIVER><TARGET>vdb</TARGET></DISK>"
    )
    third = machine.message64(f"<DISK><DISK_ID>3</DISK_ID>{marked}<TARGET>sdc</TARGET></DISK>")
    vdb, sdc = (f"{machine.folder}/disk.2", "vdb", "1"), (f"{machine.folder}/disk.3", "sdc", "2")
    for _ in range(2):
        run("attach_disk", machine.deploy_id, *vdb, second, "10", "node")
    run("attach_disk", machine.deploy_id, *sdc, third, "10", "node")
    with pytest.raises(
        ActionFailed, match=r"Could not attach .*disk\.3 \(vdb\) to domain [0-9a-f-]+: vdb is .*disk"
    ):
        run("attach_disk", machine.deploy_id, f"{machine.folder}/disk.3", "vdb", "1", second, "10", "node")
    with pytest.raises(
        ActionFailed, match=r"Could not attach .*disk\.9 \(vdc\) to domain [0-9a-f-]+: .*disk\.9"
    ):
        run("attach_disk", machine.deploy_id, f"{machine.folder}/disk.9", "vdc", "2", second, "10", "node")
    wait("both disks", lambda: {"vdb", "sda"} <= set(shell.sh("cat /proc/partitions").split()))
    assert "<total_iops_sec>900<" in machine.dump()
    machine.as_oneadmin("true")
    run("resize_disk", machine.deploy_id, "2", "20", second, "node", "10", "node")
    wait("the new size", lambda: "20480" in shell.sh("cat /proc/partitions"))
    for _ in range(2):
        run("detach_disk", machine.deploy_id, *vdb, "10", "node")
    run("detach_disk", machine.deploy_id, *sdc, "10", "node")
    assert not {"vdb", "sda"} & set(shell.sh("cat /proc/partitions").split())


def _interfaces(run: Actions, machine: Machine, shell: GuestShell, address: str) -> None:
    mac = "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))
    nic = machine.message(
        f"<NIC><NIC_ID>1</NIC_ID><ATTACH>YES</ATTACH><BRIDGE>{nodes.BRIDGE}</BRIDGE><MAC>{mac}</MAC>"
        "<TARGET>one-10-1</TARGET></NIC>"
    )
    args = (mac, nodes.BRIDGE, "-", "bridge", "one-10-1", "10", "node")
    for _ in range(2):
        run("attach_nic", machine.deploy_id, *args, stdin=nic)
    assert machine.node.taps() == ["one-10-0", "one-10-1"]
    GuestShell(address).wait_ping()
    for _ in range(2):
        run("detach_nic", machine.deploy_id, mac, "10", "node", stdin=nic)
    assert machine.node.taps() == ["one-10-0"]
    lost = nic.replace(nodes.BRIDGE, "br-missing")
    with pytest.raises(
        ActionFailed, match=rf"Could not attach NIC 1 \({mac}\) to domain [0-9a-f-]+: .*br-missing"
    ):
        run("attach_nic", machine.deploy_id, *args, stdin=lost)


def _context(run: Actions, machine: Machine, shell: GuestShell) -> None:
    machine.cd("disk.1.new", "new!")
    for _ in range(2):
        run("prereconfigure", machine.deploy_id, "hda", "10", "node")
    for _ in range(2):
        run("reconfigure", machine.deploy_id, "hda", f"{machine.folder}/disk.1.new", "10", "node")
    # The first look at another CD fails.
    wait("the new CD", lambda: "new!" in shell.sh("head -c 4 /dev/sr0 2>/dev/null; true"))
    with pytest.raises(ActionFailed, match="domain [0-9a-f-]+ has no drive hdz for its context disk"):
        run("prereconfigure", machine.deploy_id, "hdz", "10", "node")


def _capacity(run: Actions, machine: Machine) -> None:
    def wish(memory: int, vcpu: int, had: int) -> str:
        before = f"<RESIZE><MEMORY>{had}</MEMORY><VCPU>1</VCPU></RESIZE>"
        return machine.message(f"<MEMORY>{memory}</MEMORY><VCPU>{vcpu}</VCPU>{before}")

    with pytest.raises(ActionFailed, match="Could not change VCPU of domain [0-9a-f-]+ from 1 to 9: .+"):
        run("resize", machine.deploy_id, "10", "node", stdin=wish(320, 9, 192))
    assert f"<memory unit='KiB'>{192 * 1024}<" in machine.dump()  # put back
    for _ in range(2):
        run("resize", machine.deploy_id, "10", "node", stdin=wish(320, 2, 192))
        assert f"<memory unit='KiB'>{320 * 1024}<" in machine.dump()
    assert "<vcpu placement='static'>2<" in machine.dump()
    for _ in range(2):
        run("resize", machine.deploy_id, "10", "node", stdin=wish(192, 2, 320))
        assert f"<memory unit='KiB'>{192 * 1024}<" in machine.dump()


# -- memory in files ---------------------------------------------------------------------------------------
def test_a_machine_is_saved_and_goes_on_as_it_was(pair: Pair, guest: Guest) -> None:
    run, machine = pair.first, pair.machine(20, guest)
    machine.disk("disk.0")
    _start(run, machine, machine.xml())
    shell = GuestShell(machine.address)
    shell.wait_ping()
    shell.sh("echo before > /data/x")
    for _ in range(2):
        assert run("snapshot_create", machine.deploy_id, "0", "20", "node") == "snap-0"
    assert run("snapshot_create", machine.deploy_id, "1", "20", "node") == "snap-1"
    shell.sh("echo after > /data/x")
    run("snapshot_revert", machine.deploy_id, "snap-0", "20", "node")
    assert shell.sh("cat /data/x") == "before"
    with pytest.raises(
        ActionFailed, match="Could not revert to snapshot snap-7 of domain [0-9a-f-]+: it has none"
    ):
        run("snapshot_revert", machine.deploy_id, "snap-7", "20", "node")
    _hooks(run)
    checkpoint = f"{machine.folder}/checkpoint"
    message = machine.message(tm="other")
    for _ in range(2):
        run("save", machine.deploy_id, checkpoint, "node", "20", "node", stdin=message)
    assert _state(run, machine) == "STATE=d"
    # Its folder comes to another datastore, as when it is stopped there.
    run.node.sh(f"mkdir {FOLDER[:-1]}107 && mv {machine.folder} {FOLDER[:-1]}107/")
    moved = f"{FOLDER[:-1]}107/20"
    for _ in range(2):
        run("restore", f"{moved}/checkpoint", "node", machine.deploy_id, "20", "node", stdin=message)
    assert shell.sh("cat /data/x") == "before"
    assert f"{moved}/disk.0" in machine.dump()
    assert run.node.sh(f"cat {actions.REMOTES}/hooks").split() == ["save", "save", "restore"]
    assert "checkpoint" not in run.node.files(moved)
    for _ in range(2):
        run("snapshot_delete", machine.deploy_id, "snap-0", "20", "node")
    assert run.node.exec("virsh", "snapshot-list", "--name", machine.name).split() == ["snap-1"]
    assert [name for name in run.node.files(moved) if name.startswith("snap")] == ["snap-1.xml"]
    run("cancel", machine.deploy_id, "node", "20", "node")
    with pytest.raises(
        ActionFailed, match="Could not save domain [0-9a-f-]+ to .*: it does not run on this host"
    ):
        run("save", machine.deploy_id, f"{moved}/checkpoint", "node", "20", "node", stdin=message)
    run.node.sh(f"echo half > {moved}/checkpoint")
    with pytest.raises(ActionFailed, match="Could not restore domain [0-9a-f-]+ from .*checkpoint: .+"):
        run("restore", f"{moved}/checkpoint", "node", machine.deploy_id, "20", "node", stdin=message)
    assert "checkpoint" in run.node.files(moved)


def _hooks(run: Actions) -> None:
    for action in ("save", "restore"):
        path = f"{actions.REMOTES}/vmm/kvm/{action}.other"
        text = f"#!/bin/sh\ngrep -q VMM_DRIVER_ACTION_DATA && echo {action} >> {actions.REMOTES}/hooks\n"
        run.node.exec("tee", path, stdin=text)
        run.node.sh(f"chmod +x {path}; rm -f {actions.REMOTES}/hooks")


def test_snapshots_live_through_a_new_start(pair: Pair) -> None:
    run, machine = pair.first, pair.machine(21)
    machine.disk("disk.0")
    _start(run, machine, machine.xml())
    run("snapshot_create", machine.deploy_id, "0", "21", "node")
    run("cancel", machine.deploy_id, "node", "21", "node")
    machine.deploy_id = run(
        "deploy", f"{machine.folder}/deployment.1", "node", "21", "node", stdin=machine.xml()
    )
    run("snapshot_revert", machine.deploy_id, "snap-0", "21", "node")
    assert _state(run, machine) == "STATE=a"
    hostile = "x;touch ${IFS}/tmp/hostile"
    with pytest.raises(ActionFailed, match="the name of a snapshot must be letters"):
        run("snapshot_delete", machine.deploy_id, hostile, "21", "node")
    with pytest.raises(ActionFailed, match="must be active on this host"):
        run("snapshot_create", "--help", "1", "21", "node")


# -- migration ---------------------------------------------------------------------------------------------
def _migrate(pair: Pair, machine: Machine, shared: str) -> str:
    message = machine.message(shared=shared, tm="ssh")
    origin, target = pair.first.node.address, pair.second.node.address
    return pair.first("migrate", machine.deploy_id, target, origin, machine.vm_id, origin, stdin=message)


def test_a_machine_takes_its_disks_along(pair: Pair, guest: Guest) -> None:
    first, second, machine = pair.first, pair.second, pair.machine(30, guest)
    second.node.sh(f"rm -r {machine.folder}")  # as premigrate leaves it
    machine.as_oneadmin("mkdir disk.0.snap")
    machine.disk("disk.0.snap/0")
    machine.disks.clear()
    machine.as_oneadmin(
        "ln -s . disk.0.snap/disk.0.snap && ln -s disk.0.snap/1 disk.0"
        " && qemu-img create -q -f qcow2 -F qcow2 -b disk.0.snap/0 disk.0.snap/1"
    )
    machine.use("disk.0", "qcow2")
    machine.disk("disk.1", "raw")
    machine.cdrom("disk.2", "context")
    _start(first, machine, machine.xml())
    shell = GuestShell(machine.address)
    shell.wait_ping()
    shell.sh("echo kept > /data/x")

    first.install(MIGRATE_OPTIONS="--migrateuri=tcp://127.0.0.1:1")
    with pytest.raises(
        ActionFailed, match=f"Could not migrate domain [0-9a-f-]+ to host {second.node.address}: .+"
    ):
        _migrate(pair, machine, "NO")
    assert "30" not in second.node.files(FOLDER)
    assert _state(first, machine) == "STATE=a"
    assert second.node.domains() == []
    assert shell.sh("cat /data/x") == "kept"

    first.install()
    for _ in range(2):
        _migrate(pair, machine, "NO")
    assert (_state(first, machine), _state(second, machine)) == ("STATE=d", "STATE=a")
    assert shell.sh("cat /data/x") == "kept"
    assert second.node.files(machine.folder) == first.node.files(machine.folder)
    first.node.sh(f"rm -r {machine.folder}")  # as postmigrate does
    shell.sh("echo more >> /data/x && sync && echo 3 > /proc/sys/vm/drop_caches")
    assert shell.sh("cat /data/x").split() == ["kept", "more"]
    chain = second.node.sh(f"qemu-img info -U --backing-chain {machine.folder}/disk.0 | grep ^image:").split()
    assert [path.rpartition("/")[2] for path in chain[1::2]] == ["disk.0", "0"]


@pytest.mark.parametrize("says", ["YES", "NO"])
def test_shared_disks_stay_where_they_are(pair: Pair, says: str) -> None:
    first, second = pair.first, pair.second
    machine = pair.machine(31, location=SHARED)
    machine.disk("disk.0")
    before = first.node.sh(f"ls -i {machine.folder}/disk.0").split()[0]
    _start(first, machine, machine.xml())
    first("snapshot_create", machine.deploy_id, "0", "31", "node")
    first.install(MIGRATE_OPTIONS="--unsafe")  # libvirt does not know that this folder is shared
    for _ in range(2):
        _migrate(pair, machine, says)
    assert (_state(first, machine), _state(second, machine)) == ("STATE=d", "STATE=a")
    assert second.node.sh(f"ls -i {machine.folder}/disk.0").split()[0] == before
    second("snapshot_revert", machine.deploy_id, "snap-0", "31", "node")
    with pytest.raises(ActionFailed, match="domain one-99 runs neither on this host nor at"):
        first("migrate", "one-99", second.node.address, "node", "99", "node", stdin=machine.message())


def test_a_machine_moves_from_the_front_end(pair: Pair, tmp_path: Path) -> None:
    first, second = pair.first, pair.second
    machine = pair.machine(32, location=SHARED)
    machine.disk("disk.0")
    _start(first, machine, machine.xml())
    # A third machine that has both nodes' keys; here it is the first of them.
    first.install(MIGRATE_OPTIONS="--unsafe")
    args = (machine.deploy_id, second.node.address, first.node.address, "32", "node")
    for _ in range(2):
        first("migrate_local", *args)
    assert (_state(first, machine), _state(second, machine)) == ("STATE=d", "STATE=a")
