"""Plans: the actions of each operation, their argument order, and what undoes them."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from services.common import xmldoc
from services.oned.drivers import tm_plan, vmm_plan
from services.oned.drivers.step import PlanError, Slot, Step
from services.oned.drivers.vm_context import VmContext

Make = Callable[..., VmContext]
NIC = 'NIC=[NIC_ID="0",VN_MAD="bridge"] NIC=[NIC_ID="1",VN_MAD="vxlan"] NIC=[NIC_ID="2",VN_MAD="bridge"]'
DISKS = """
DISK=[DISK_ID="0",TM_MAD="qcow2",SOURCE="/ds/1/abc",CLONE="YES",DATASTORE_ID="1",TM_MAD_SYSTEM="ssh"]
DISK=[DISK_ID="1",TM_MAD="ceph",SOURCE="one/one-5",CLONE="NO",PERSISTENT="YES",DATASTORE_ID="108"]
DISK=[DISK_ID="2",TYPE="fs",SIZE="512",FORMAT="qcow2"]
DISK=[DISK_ID="3",TYPE="swap",SIZE="64"]
CONTEXT=[DISK_ID="4",TARGET="hda",NETWORK="YES",SAYS="it's"]
"""


def lines(steps: list[Step] | tuple[Step, ...]) -> list[str]:
    """Each step as ``name args``; a deploy id that is not known yet as <deploy id>."""
    return [
        " ".join([step.name, *("<deploy id>" if isinstance(arg, Slot) else arg for arg in step.args)])
        for step in steps
    ]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (vmm_plan.shutdown, "vmm/lxc/shutdown one-7 node1 7 node1"),
        (vmm_plan.cancel, "vmm/lxc/cancel one-7 node1 7 node1"),
        (vmm_plan.reboot, "vmm/lxc/reboot one-7 node1 7 node1"),
        (vmm_plan.reset, "vmm/lxc/reset one-7 node1 7 node1"),
        (vmm_plan.save, "vmm/lxc/save one-7 /ds/104/7/checkpoint node1 7 node1"),
        (vmm_plan.restore, "vmm/lxc/restore /ds/104/7/checkpoint node1 one-7 7 node1"),
        (vmm_plan.deploy, "vmm/lxc/deploy /ds/104/7/deployment.3 node1 7 node1"),
    ],
)
def test_hypervisor_actions_without_interfaces(
    context: Make, operation: Callable[[VmContext], list[Step]], expected: str
) -> None:
    assert lines(operation(context("lxc"))) == [expected]


def test_deploy_with_interfaces(context: Make) -> None:
    steps = vmm_plan.deploy(context("lxc", NIC))
    assert lines(steps) == [
        "vnm/bridge/pre",
        "vnm/vxlan/pre",
        "vmm/lxc/deploy /ds/104/7/deployment.3 node1 7 node1",
        "vnm/bridge/post <deploy id> node1",
        "vnm/vxlan/post <deploy id> node1",
    ]
    clean = ["vnm/bridge/clean node1", "vnm/vxlan/clean node1"]
    assert [lines(step.undo) for step in steps[:3]] == [clean] * 3
    assert lines(steps[4].undo) == ["vmm/lxc/cancel <deploy id> node1 7 node1", *clean]
    assert [step.gives_output for step in steps] == [False, False, True, False, False]


def test_stopping_cleans_the_networks(context: Make) -> None:
    expected = ["vnm/bridge/clean node1", "vnm/vxlan/clean node1"]
    for operation in (vmm_plan.shutdown, vmm_plan.cancel, vmm_plan.save):
        assert lines(operation(context("lxc", NIC)))[1:] == expected


def test_restore_with_interfaces(context: Make) -> None:
    steps = vmm_plan.restore(context("lxc", 'NIC=[VN_MAD="fw"]', deploy_id=""))
    assert lines(steps) == [
        "vnm/fw/pre",
        "vmm/lxc/restore /ds/104/7/checkpoint node1 one-7 7 node1",
        "vnm/fw/post <deploy id> node1",
    ]


def test_probes(context: Make) -> None:
    deploy = vmm_plan.deploy(context("lxc", deploy_id=""))[0]
    assert deploy.probe is not None
    assert lines([deploy.probe.step]) == ["vmm/lxc/poll one-7 node1 7 node1"]
    assert (deploy.probe.wanted.value, deploy.probe.output) == ("a", "one-7")
    shutdown = vmm_plan.shutdown(context("lxc"))[0]
    assert shutdown.probe is not None and shutdown.probe.wanted.value == "d"
    assert vmm_plan.reboot(context("lxc"))[0].probe is None


def test_prolog(context: Make, location: Path) -> None:
    steps = tm_plan.prolog(context("lxc", DISKS))
    file = location / "var/vms/7/context.sh"
    assert lines(steps) == [
        "tm/qcow2/clone fe:/ds/1/abc node1:/ds/104/7/disk.0 7 1",
        "tm/ceph/ln fe:one/one-5 node1:/ds/104/7/disk.1 7 108",
        "tm/ssh/mkimage 512 qcow2 node1:/ds/104/7/disk.2 7 104",
        "tm/ssh/mkimage 64 swap node1:/ds/104/7/disk.3 7 104",
        f"tm/ssh/context {file} node1:/ds/104/7/disk.4 7 104",
    ]
    assert [step.variant for step in steps] == ["clone.ssh", "", "", "", ""]
    assert steps[4].files[0].path == file
    assert "SAYS='it'\\''s'" in steps[4].files[0].text.splitlines()


def test_prolog_of_a_vm_without_disks_has_no_steps(context: Make) -> None:
    assert tm_plan.prolog(context("lxc", 'CPU="1"')) == []


def test_epilog(context: Make) -> None:
    assert lines(tm_plan.epilog(context("lxc", DISKS))) == [
        "tm/qcow2/delete node1:/ds/104/7/disk.0 7 1",
        "tm/ceph/mvds node1:/ds/104/7/disk.1 fe:one/one-5 7 108",
        "tm/ssh/delete node1:/ds/104/7 7 104",
    ]
    assert lines(tm_plan.epilog(context("lxc", is_local=True))) == ["tm/ssh/delete fe:/ds/104/7 7 104"]


def test_epilog_delete_keeps_nothing(context: Make) -> None:
    assert lines(tm_plan.epilog_delete(context("lxc", DISKS))) == [
        "tm/qcow2/delete node1:/ds/104/7/disk.0 7 1",
        "tm/ceph/delete node1:/ds/104/7/disk.1 7 108",
        "tm/ssh/delete node1:/ds/104/7 7 104",
    ]


def test_stop_and_resume_move_disks_and_folder(context: Make) -> None:
    one_disk = 'DISK=[DISK_ID="0",TM_MAD="ssh",SOURCE="/x",DATASTORE_ID="1"]'
    assert lines(tm_plan.epilog_stop(context("lxc", one_disk))) == [
        "tm/ssh/mv node1:/ds/104/7/disk.0 fe:/ds/104/7/disk.0 7 1",
        "tm/ssh/mv node1:/ds/104/7 fe:/ds/104/7 7 104",
    ]
    assert lines(tm_plan.prolog_resume(context("lxc", one_disk))) == [
        "tm/ssh/mv fe:/ds/104/7/disk.0 node1:/ds/104/7/disk.0 7 1",
        "tm/ssh/mv fe:/ds/104/7 node1:/ds/104/7 7 104",
    ]


def test_cleanup_ignores_errors(context: Make) -> None:
    steps = vmm_plan.cleanup(context("lxc", NIC))
    assert lines(steps) == [
        "vmm/lxc/cancel one-7 node1 7 node1",
        "vnm/bridge/clean node1",
        "vnm/vxlan/clean node1",
        "tm/ssh/delete node1:/ds/104/7 7 104",
    ]
    assert all(step.ignore_failure and step.probe is None for step in steps)


def test_dummy_hosts_simulate_transfers_and_networks(context: Make) -> None:
    made = context("dummy", DISKS + NIC)
    assert {step.driver for step in tm_plan.prolog(made)} == {"dummy"}
    assert [step.name for step in vmm_plan.deploy(made)] == [
        "vnm/dummy/pre",
        "vmm/dummy/deploy",
        "vnm/dummy/post",
    ]


# -- commands ----------------------------------------------------------------------------------------
def test_a_remote_command(context: Make) -> None:
    vm = context("lxc", 'NAME="$(reboot)"', deploy_id="a b;c")
    step = vmm_plan.reboot(vm)[0]
    command = step.command("", 30)
    assert command.argv[0] == "ssh"
    assert command.argv[-3:-1] == ("--", "node1")
    words = shlex.split(command.argv[-1])
    assert words[:4] == ["timeout", "-k", "5", "35"]
    assert words[4:] == ["/var/tmp/one/vmm/lxc/reboot", "a b;c", "node1", "7", "node1"]
    assert command.stdin.startswith(b"<VMM_DRIVER_ACTION_DATA>")  # plain text over ssh


def test_a_local_command_reads_base64(context: Make, location: Path) -> None:
    command = vmm_plan.reboot(context("dummy"))[0].command("", 30)
    assert command.argv == (
        str(location / "var/remotes/vmm/dummy/reboot"),
        *("one-7", "node1", "7", "node1"),
    )
    data = xmldoc.parse(base64.b64decode(command.stdin), "action data")
    assert data.findtext("HOST") == "node1"
    assert data.findtext("CHECKPOINT_FILE") == "/ds/104/7/checkpoint"
    assert data.findtext("VM/ID") == "7"


def test_single_actions_can_be_local(context: Make, location: Path) -> None:
    vm = context("mixed")
    reset = vmm_plan.reset(vm)[0]
    assert reset.command("", 5).argv[0] == str(location / "var/remotes/vmm/kvm/reset_fe")
    assert vmm_plan.reboot(vm)[0].command("", 5).argv[0] == "ssh"


def test_network_actions_read_base64_over_ssh_too(context: Make) -> None:
    command = vmm_plan.deploy(context("lxc", NIC))[0].command("", 30)
    assert command.argv[0] == "ssh"
    assert xmldoc.parse(base64.b64decode(command.stdin), "vm").tag == "VM"


def test_the_deployment_file_of_a_local_driver(context: Make, location: Path) -> None:
    step = vmm_plan.deploy(context("dummy"))[0]
    file = location / "var/vms/7/deployment.3"
    assert step.args[0] == str(file)
    assert (step.files[0].path, step.files[0].text) == (file, step.stdin)


def test_the_variant_is_run_when_it_exists(context: Make, script: Callable[..., Path]) -> None:
    step = tm_plan.prolog(context("lxc", DISKS))[0]
    plain = script("", "tm/qcow2/clone")
    assert step.command("", 5).argv[0] == str(plain)
    special = script("", "tm/qcow2/clone.ssh")
    assert step.command("", 5).argv[0] == str(special)


def test_what_cannot_be_planned(context: Make) -> None:
    with pytest.raises(PlanError, match="TYPE 'kvm'"):
        vmm_plan.deploy(context("kvm"))
