"""What is killed in the middle of an operation: the VM ends in its documented state, and recover finishes it.

Killed are the front-end, sshd, libvirtd, the machine itself, and the network between them. No disk is lost
(a file written before is still read), and at the end nothing is left on either node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.oned.lifecycle.states import LcmState, VmState
from tests.support.node.cloud import NodeCloud
from tests.support.node.field import PROOF, Field, kill_front_end, revive
from tests.support.node.nodes import Guest, Network, Node
from tests.support.node.operate import wait

_LONG_S = 300.0
# Emulated machines on a busy host: what takes a minute alone takes several then.
pytestmark = pytest.mark.timeout(1200)
_POWEROFF, _DONE, _SUSPENDED = int(VmState.POWEROFF), int(VmState.DONE), int(VmState.SUSPENDED)
_ACTIVE = int(VmState.ACTIVE)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeCloud]:
    """A native front-end that notices soon when a host is silent."""
    made = NodeCloud(tmp_path_factory.mktemp("fe"))
    made.watch_closely()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def field(
    cloud: NodeCloud, node: Node, second_node: Node, net: Network, guest: Guest, data_image: Path
) -> Field:
    cloud.use_tm("ssh")
    hosts = cloud.add_host(node), cloud.add_host(second_node)
    return Field(
        cloud, (node, second_node), hosts, cloud.guest_images(guest, data_image), cloud.guest_network(net)
    )


# -- the front-end -----------------------------------------------------------------------------------------
def test_front_end_killed_at_each_step(field: Field) -> None:
    """Every operation is finished by the next engine; none is done twice, none is lost."""
    cloud, vm = field.cloud, field.make()
    for state in (LcmState.PROLOG, LcmState.BOOT):
        field.at(vm, state)
        kill_front_end(cloud)
    cloud.wait_vm(vm)
    cloud.shell(vm).wait_ping()
    assert cloud.shell(vm).sh(PROOF) == "proof"
    steps = [
        (("suspend",), LcmState.SAVE_SUSPEND, _SUSPENDED),
        (("resume",), LcmState.BOOT_SUSPENDED, _ACTIVE),
        (("migrate", "--live"), LcmState.MIGRATE, _ACTIVE),
        (("poweroff",), LcmState.SHUTDOWN_POWEROFF, _POWEROFF),
        (("resume",), LcmState.BOOT_POWEROFF, _ACTIVE),
        (("migrate",), LcmState.SAVE_MIGRATE, _ACTIVE),
    ]
    targets = iter((field.hosts[1], field.hosts[0]))
    for words, passing, final in steps:
        more = (str(next(targets)),) if words[0] == "migrate" else ()
        cloud.one("onevm", *words, str(vm), *more)
        field.at(vm, passing)
        kill_front_end(cloud)
        cloud.wait_vm(vm, final, deadline_s=_LONG_S)
        if final == _ACTIVE:
            field.still_there(vm)
    running = [node.domains().count(f"one-{vm}") for node in field.nodes]
    assert running == [1, 0]
    field.end(vm)


# -- the machine itself ------------------------------------------------------------------------------------
def test_machine_killed_while_it_runs(field: Field) -> None:
    vm = field.started()
    field.nodes[0].sh(f"pkill -KILL -f '[g]uest=one-{vm},'")
    field.cloud.wait_vm(vm, _POWEROFF)
    field.cloud.one("onevm", "resume", str(vm))
    field.cloud.wait_vm(vm)
    field.still_there(vm)
    field.end(vm)


@pytest.mark.parametrize(
    "words, passing",
    [
        (("suspend",), LcmState.SAVE_SUSPEND),
        (("migrate", "--live"), LcmState.MIGRATE),
        (("poweroff",), LcmState.SHUTDOWN_POWEROFF),
    ],
)
def test_machine_killed_in_the_middle(field: Field, words: tuple[str, ...], passing: LcmState) -> None:
    """The operation fails, or was the machine's end anyway: it is off then, and can be started again."""
    vm = field.started()
    more = (str(field.hosts[1]),) if words[0] == "migrate" else ()
    field.cloud.one("onevm", *words, str(vm), *more)
    field.at(vm, passing)
    field.nodes[0].sh(f"pkill -KILL -f '[g]uest=one-{vm},'")
    field.cloud.wait_vm(vm, _POWEROFF)
    field.cloud.one("onevm", "resume", str(vm))
    field.cloud.wait_vm(vm)
    field.still_there(vm)
    field.end(vm)


# -- services of the node ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "service, failure", [("sshd", LcmState.PROLOG_FAILURE), ("libvirtd", LcmState.BOOT_FAILURE)]
)
def test_service_dead_when_a_machine_starts(field: Field, service: str, failure: LcmState) -> None:
    node = field.nodes[0]
    node.stop_process(service)
    vm = field.make()
    field.cloud.wait_vm(vm, lcm_state=int(failure))
    assert field.cloud.show("vm", vm).findtext("USER_TEMPLATE/ERROR")
    revive(node, service)
    field.cloud.one("onevm", "recover", "--retry", str(vm))
    field.cloud.wait_vm(vm)
    field.cloud.shell(vm).wait_ping()
    field.end(vm)


def test_libvirtd_killed_while_machines_run(field: Field) -> None:
    """Machines go on; libvirtd finds them again, and they obey."""
    vm, node = field.started(), field.nodes[0]
    node.stop_process("libvirtd")
    field.still_there(vm)
    revive(node, "libvirtd")
    field.cloud.wait_host(field.hosts[0], 2)
    field.cloud.wait_vm(vm)
    field.cloud.one("onevm", "poweroff", "--hard", str(vm))
    field.cloud.wait_vm(vm, _POWEROFF)
    field.end(vm)


def test_sshd_killed_in_the_middle_of_a_shutdown(field: Field) -> None:
    """The front-end does not hear how it ends: the machine is off, or runs on and can be told again."""
    vm, node = field.started(), field.nodes[0]
    field.cloud.one("onevm", "poweroff", str(vm))
    field.at(vm, LcmState.SHUTDOWN_POWEROFF)
    node.stop_process("sshd")
    revive(node, "sshd")
    passing = (_ACTIVE, int(LcmState.SHUTDOWN_POWEROFF))
    wait("the end of the attempt", lambda: field.cloud.vm_state(vm) != passing)
    if f"one-{vm}" in node.sh("virsh -q list --name").split():
        field.cloud.run("onevm", "poweroff", "--hard", str(vm))
    field.cloud.wait_vm(vm, _POWEROFF)
    field.cloud.one("onevm", "resume", str(vm))
    field.cloud.wait_vm(vm)
    field.still_there(vm)
    field.end(vm)


def test_live_migration_to_a_node_without_libvirtd(field: Field) -> None:
    """It goes on where it is; once the target is well again it moves."""
    vm, target = field.started(), field.nodes[1]
    target.stop_process("libvirtd")
    field.cloud.one("onevm", "migrate", "--live", str(vm), str(field.hosts[1]))
    wait("the migration's failure", lambda: field.cloud.show("vm", vm).findtext("USER_TEMPLATE/ERROR"))
    field.cloud.wait_vm(vm)
    field.still_there(vm)
    assert f"one-{vm}" in field.nodes[0].domains()
    revive(target, "libvirtd")
    field.cloud.wait_host(field.hosts[1], 2)
    field.cloud.one("onevm", "migrate", "--live", str(vm), str(field.hosts[1]))
    wait("the machine on the target", lambda: f"one-{vm}" in target.domains(), _LONG_S)
    field.cloud.wait_vm(vm, deadline_s=_LONG_S)
    field.still_there(vm)
    field.end(vm)


# -- the network -------------------------------------------------------------------------------------------
@pytest.fixture
def cable(field: Field) -> Iterator[Callable[[int], Callable[[], None]]]:
    """Cuts a node off, and gives what puts it back; whatever is left cut is put back at the end."""
    mended: list[Callable[[], None]] = []

    def cut(number: int) -> Callable[[], None]:
        node = field.nodes[number]
        address = node.address
        node.cut()

        def mend() -> None:
            if mend in mended:
                mended.remove(mend)
                node.mend(address)

        mended.append(mend)
        return mend

    yield cut
    for mend in list(mended):
        mend()


def test_node_cut_off_while_its_machine_runs(
    field: Field, cable: Callable[[int], Callable[[], None]]
) -> None:
    vm = field.started()
    mend = cable(0)
    field.cloud.wait_host(field.hosts[0], 3)
    field.cloud.wait_vm(vm, lcm_state=int(LcmState.UNKNOWN))
    field.still_there(vm)
    mend()
    field.cloud.wait_host(field.hosts[0], 2, _LONG_S)
    field.cloud.wait_vm(vm)
    field.still_there(vm)
    field.end(vm)


def test_node_cut_off_when_a_machine_starts(field: Field, cable: Callable[[int], Callable[[], None]]) -> None:
    vm = field.make()
    field.at(vm, LcmState.PROLOG)
    mend = cable(0)
    field.cloud.wait_vm(vm, lcm_state=int(LcmState.PROLOG_FAILURE), deadline_s=_LONG_S)
    mend()
    field.cloud.wait_host(field.hosts[0], 2, _LONG_S)
    field.cloud.one("onevm", "recover", "--retry", str(vm))
    field.cloud.wait_vm(vm)
    field.cloud.shell(vm).wait_ping()
    field.end(vm)


def test_target_cut_off_during_live_migration(
    field: Field, cable: Callable[[int], Callable[[], None]]
) -> None:
    """The machine stays where it was; the half that arrived is gone once the target is back."""
    vm = field.started()
    field.cloud.one("onevm", "migrate", "--live", str(vm), str(field.hosts[1]))
    field.at(vm, LcmState.MIGRATE)
    mend = cable(1)
    wait(
        "the migration's failure", lambda: field.cloud.show("vm", vm).findtext("USER_TEMPLATE/ERROR"), _LONG_S
    )
    field.cloud.wait_vm(vm)
    field.still_there(vm)
    mend()
    field.cloud.wait_host(field.hosts[1], 2, _LONG_S)
    assert f"one-{vm}" in field.nodes[0].domains()
    field.end(vm)


def test_the_database_agrees_with_all_of_it(field: Field) -> None:
    """The last of this file: nothing to repair is left."""
    found = field.cloud.run("onedb", "fsck", "--dry-run")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Total errors found: 0" in found.stdout
