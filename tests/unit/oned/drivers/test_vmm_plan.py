"""Plans that start and stop machines: argument order, what undoes them, what the drivers read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.common import xmldoc
from services.common.template import Template
from services.oned.auth import encrypted
from services.oned.config import OnedConf
from services.oned.drivers import vmm_plan
from services.oned.drivers.step import PlanError, Step
from services.oned.drivers.vm_context import VmContext
from services.oned.model.vm import VM
from tests.unit.oned.drivers.conftest import Make, lines

NIC = (
    'NIC=[NIC_ID="0",VN_MAD="bridge"] NIC=[NIC_ID="1",VN_MAD="vxlan"] NIC_ALIAS=[NIC_ID="2",VN_MAD="bridge"]'
)
CONTEXT = 'CONTEXT=[DISK_ID="4",TARGET="hda",NETWORK="YES"]'


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (vmm_plan.shutdown, "vmm/lxc/shutdown one-7 node1 7 node1"),
        (vmm_plan.cancel, "vmm/lxc/cancel one-7 node1 7 node1"),
        (vmm_plan.reboot, "vmm/lxc/reboot one-7 node1 7 node1"),
        (vmm_plan.reset, "vmm/lxc/reset one-7 node1 7 node1"),
        (vmm_plan.save, "vmm/lxc/save one-7 /ds/104/7/checkpoint node1 7 node1"),
        (vmm_plan.restore, "vmm/lxc/restore /ds/104/7/checkpoint node1 one-7 7 node1"),
        (vmm_plan.poll_state, "vmm/lxc/poll one-7 node1 7 node1"),
    ],
)
def test_hypervisor_actions_without_interfaces(
    context: Make, operation: Callable[[VmContext], list[Step]], expected: str
) -> None:
    assert lines(operation(context("lxc"))) == [expected]


def test_deploy(context: Make, location: object) -> None:
    steps = vmm_plan.deploy(context("lxc", NIC + CONTEXT))
    assert lines(steps) == [
        f"tm/ssh/context {location}/var/vms/7/context.sh node1:/ds/104/7/disk.4 7 104",
        "vnm/bridge/pre",
        "vnm/vxlan/pre",
        "vmm/lxc/write_vm /ds/104/7 vm.xml",
        "vmm/lxc/write_ds /ds/104/7 ds.xml",
        "vmm/lxc/deploy /ds/104/7/deployment.3 node1 7 node1",
        "vnm/bridge/post <deploy id> node1",
        "vnm/vxlan/post <deploy id> node1",
    ]
    clean = ["vnm/bridge/clean node1", "vnm/vxlan/clean node1"]
    assert [lines(step.undo) for step in steps[1:6]] == [clean] * 5
    assert lines(steps[7].undo) == ["vmm/lxc/cancel <deploy id> node1 7 node1", *clean]
    assert [step.name for step in steps if step.gives_output] == ["vmm/lxc/deploy"]
    assert steps[4].stdin == "<DATASTORE><ID>104</ID></DATASTORE>"


def test_restore(context: Make) -> None:
    steps = vmm_plan.restore(context("lxc", f'NIC=[VN_MAD="fw"] {CONTEXT}'))
    assert lines(steps)[1:] == [
        "vnm/fw/pre",
        "vmm/lxc/restore /ds/104/7/checkpoint node1 one-7 7 node1",
        "vnm/fw/post one-7 node1",
    ]
    assert lines(steps)[0].startswith("tm/ssh/context ")
    assert lines(steps[3].undo) == ["vmm/lxc/cancel one-7 node1 7 node1", "vnm/fw/clean node1"]
    # What restore scripts print is theirs: the machine keeps its name.
    assert not any(step.gives_output for step in steps)


def test_stopping_cleans_the_networks(context: Make) -> None:
    expected = ["vnm/bridge/clean node1", "vnm/vxlan/clean node1"]
    for operation in (vmm_plan.shutdown, vmm_plan.cancel, vmm_plan.save):
        assert lines(operation(context("lxc", NIC)))[1:] == expected


def test_a_migration_stops_the_machine_where_it_is(context: Make) -> None:
    made = context("lxc", 'NIC=[VN_MAD="fw"]', before=("node0", 103), previous=True)
    assert lines(vmm_plan.save(made)) == [
        "vmm/lxc/save one-7 /ds/103/7/checkpoint node0 7 node0",
        "vnm/fw/clean node0",
    ]
    step = vmm_plan.save(made)[0]
    assert step.host == "node0"
    data = xmldoc.parse(step.stdin, "data")
    assert (data.findtext("HOST"), data.findtext("CHECKPOINT_FILE")) == ("node0", "/ds/103/7/checkpoint")
    assert lines(vmm_plan.shutdown(made))[0] == "vmm/lxc/shutdown one-7 node0 7 node0"


def test_interfaces_of_a_container_are_made_anew_when_it_restarts(context: Make) -> None:
    assert lines(vmm_plan.reboot(context("lxd", 'NIC=[VN_MAD="fw"]'))) == [
        "vmm/lxd/reboot one-7 node1 7 node1",
        "vnm/fw/clean node1",
        "vnm/fw/pre",
        "vmm/lxd/reboot one-7 node1 7 node1",
        "vnm/fw/post one-7 node1",
    ]


def test_probes(context: Make) -> None:
    deploy = vmm_plan.deploy(context("lxc", deploy_id=""))[-1]
    assert deploy.probe is not None
    assert lines([deploy.probe.step]) == ["vmm/lxc/poll one-7 node1 7 node1"]
    assert (deploy.probe.wanted.value, deploy.probe.output) == ("a", "one-7")
    shutdown = vmm_plan.shutdown(context("lxc"))[0]
    assert shutdown.probe is not None and shutdown.probe.wanted.value == "d"
    assert vmm_plan.reboot(context("lxc"))[0].probe is None


def test_cleanup_ignores_errors(context: Make) -> None:
    steps = vmm_plan.cleanup(context("lxc", NIC))
    assert lines(steps) == [
        "vmm/lxc/cancel one-7 node1 7 node1",
        "vnm/bridge/clean node1",
        "vnm/vxlan/clean node1",
        "tm/ssh/delete node1:/ds/104/7 7 104",
        "tm/transit/release /ds/104/7 *",
    ]
    assert all(step.ignore_failure and step.probe is None for step in steps)


def test_cleanup_of_a_migration(context: Make) -> None:
    both = context("lxc", 'NIC=[VN_MAD="fw"]', before=("node0", 103), both=True)
    assert lines(vmm_plan.cleanup(both)) == [
        "vmm/lxc/cancel one-7 node1 7 node1",
        "vnm/fw/clean node1",
        "vmm/lxc/cancel one-7 node0 7 node0",
        "vnm/fw/clean node0",
        "tm/ssh/delete node1:/ds/104/7 7 104",
        "tm/transit/release /ds/104/7 *",
        "tm/ssh/delete node0:/ds/103/7 7 103",
        "tm/transit/release /ds/103/7 *",
    ]
    before = context("lxc", before=("node0", 103), previous=True)
    assert lines(vmm_plan.cleanup(before)) == [
        "vmm/lxc/cancel one-7 node0 7 node0",
        "tm/ssh/delete node0:/ds/103/7 7 103",
        "tm/transit/release /ds/103/7 *",
    ]


def test_dummy_hosts_simulate_networks(context: Make) -> None:
    assert lines(vmm_plan.deploy(context("dummy", NIC)))[0::2] == [
        "vnm/dummy/pre",
        "vnm/dummy/post <deploy id> node1",
    ]


# -- documents ---------------------------------------------------------------------------------------------
def test_the_action_xml(context: Make, location: object) -> None:
    step = vmm_plan.deploy(context("lxc", CONTEXT))[-1]
    stop = vmm_plan.deploy(context("lxc", NIC + CONTEXT))[-1].undo[0]
    data = xmldoc.parse(stop.stdin, "data")
    assert [element.tag for element in data] == [
        *("HOST", "MIGR_HOST", "DEPLOY_ID", "LOCAL_DEPLOYMENT_FILE", "REMOTE_DEPLOYMENT_FILE"),
        *("CHECKPOINT_FILE", "TM_COMMAND", "TM_COMMAND_ROLLBACK", "DISK_TARGET_PATH", "VM", "DATASTORE"),
    ]
    assert {element.tag: element.text for element in data if element.text} == {
        "HOST": "node1",
        "LOCAL_DEPLOYMENT_FILE": f"{location}/var/vms/7/deployment.3",
        "REMOTE_DEPLOYMENT_FILE": "/ds/104/7/deployment.3",
        "TM_COMMAND": f"CONTEXT ssh {location}/var/vms/7/context.sh node1:/ds/104/7/disk.4 7 104\n",
        "DISK_TARGET_PATH": "/ds/104/7/disk.4",
    }
    assert (data.findtext("VM/ID"), data.findtext("DATASTORE/ID")) == ("7", "104")
    # The deployment file itself is what deploy reads.
    assert xmldoc.parse(step.stdin, "file").tag == "VM"
    assert step.files[0].text == step.stdin


def test_what_network_drivers_read(context: Make) -> None:
    more = 'SECURITY_GROUP_RULE=[PROTOCOL="ALL"] NIC=[NIC_ID="9"] CPU="1" DISK=[DISK_ID="0"]'
    vm = xmldoc.parse(vmm_plan.shutdown(context("lxc", NIC + CONTEXT + more))[1].stdin, "vm")
    assert [element.tag for element in vm] == [
        "ID", "DEPLOY_ID", "TEMPLATE", "USER_TEMPLATE", "HISTORY_RECORDS",
    ]  # fmt: skip
    assert [element.tag for element in vm.iterfind("TEMPLATE/*")] == [
        "CONTEXT", "SECURITY_GROUP_RULE", "NIC", "NIC", "NIC_ALIAS",
    ]  # fmt: skip
    record = [element.text for element in vm.iterfind("HISTORY_RECORDS/HISTORY/*")]
    assert record == ["node1", "0", "104", "lxc"]


def test_drivers_that_configure_the_guest_get_its_secrets_in_clear(context: Make, conf: OnedConf) -> None:
    template = Template.parse('CONTEXT=[PASSWORD="s3cret",TARGET="hda",DISK_ID="0"] NIC=[VN_MAD="fw"]')
    encrypted.encrypt(conf, VM.KIND, template)
    made = context("lxc", template.to_text())
    assert "s3cret" not in made.vm.to_xml()
    steps = {step.name: step for step in vmm_plan.deploy(made)}
    assert "PASSWORD='s3cret'" in steps["tm/ssh/context"].files[0].text.splitlines()
    assert "s3cret" in steps["vnm/fw/post"].undo[0].stdin
    assert "s3cret" in steps["vnm/fw/pre"].stdin
    assert "s3cret" not in steps["vmm/lxc/deploy"].stdin
    assert "s3cret" not in made.vm.to_xml()  # the VM itself is left as it was
    assert "s3cret" not in vmm_plan.reboot(made)[0].stdin


def test_what_cannot_be_planned(context: Make) -> None:
    with pytest.raises(PlanError, match="TYPE 'xen'"):
        vmm_plan.deploy(context("old"))


def test_libvirt_gets_a_domain(context: Make) -> None:
    template = 'CPU="1" MEMORY="64" OS=[ARCH="x86_64"] GRAPHICS=[TYPE="vnc",PASSWD="sesame"]'
    step = vmm_plan.deploy(context("kvm", template))[-1]
    assert step.name == "vmm/kvm/deploy"
    assert step.stdin.startswith("<domain ") and "sesame" in step.stdin
    assert [file.text for file in step.files] == [step.stdin]
    assert not any("sesame" in str(arg) for arg in step.args)
