"""Capacity of VMs, hot and cold, and how they start."""

from __future__ import annotations

import pytest

from services.oned.lifecycle import site
from services.oned.lifecycle.site import Traits
from tests.support.cloud import Cloud
from tests.support.core import Core

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core, driver="kvm")


def _capacity(cloud: Cloud, vm_id: int) -> tuple[str | None, ...]:
    document = cloud.document(vm_id)
    return tuple(document.findtext(f"TEMPLATE/{name}") for name in ("CPU", "MEMORY", "VCPU"))


# -- resize ------------------------------------------------------------------------------------------------
def test_hot(cloud: Cloud) -> None:
    vm_id = cloud.running("VCPU=1")
    assert cloud.call("vm.resize", vm_id, "CPU=1.5\nMEMORY=128\nVCPU=2", True) == vm_id
    assert cloud.state(vm_id) == "HOTPLUG_RESIZE"
    assert _capacity(cloud, vm_id) == ("1.5", "128", "2")
    old = cloud.document(vm_id).find("TEMPLATE/RESIZE")
    assert old is not None and {part.tag: part.text for part in old} == {
        "CPU": "0.5",
        "MEMORY": "64",
        "VCPU": "1",
    }
    assert cloud.share(cloud.host) == ("150", "131072", "1")
    assert cloud.contradictions() == []
    cloud.end("vmm.RESIZE")
    assert (cloud.state(vm_id), cloud.text(vm_id, "TEMPLATE/RESIZE/CPU")) == ("RUNNING", None)
    assert _capacity(cloud, vm_id) == ("1.5", "128", "2")
    assert len(cloud.records(vm_id)) == 1


def test_hot_that_fails_is_undone(cloud: Cloud) -> None:
    vm_id = cloud.running()
    for end in (lambda: cloud.end("vmm.RESIZE", ok=False), lambda: cloud.call("vm.recover", vm_id, 0)):
        cloud.call("vm.resize", vm_id, "CPU=2\nMEMORY=128\nVCPU=2", True)
        end()
        assert (cloud.state(vm_id), _capacity(cloud, vm_id)) == ("RUNNING", ("0.5", "64", None))
        assert cloud.share(cloud.host) == ("50", "65536", "1")
        assert cloud.contradictions() == []


def test_nothing_to_do_is_done(cloud: Cloud) -> None:
    vm_id = cloud.running()
    for template in ("", "CPU=0.5", "MEMORY=64\nCPU=0", "CPU=x"):
        assert cloud.call("vm.resize", vm_id, template, True) == vm_id
    assert (cloud.state(vm_id), cloud.waiting()) == ("RUNNING", [])


@pytest.mark.parametrize("make", ["vm", "off", "undeployed"])
def test_cold(cloud: Cloud, make: str) -> None:
    vm_id = getattr(cloud, make)()
    before = cloud.state(vm_id)
    assert cloud.call("vm.resize", vm_id, "CPU=1\nMEMORY=256", False) == vm_id
    assert (cloud.state(vm_id), _capacity(cloud, vm_id)) == (before, ("1", "256", None))
    assert cloud.share(cloud.host) == (("100", "262144", "1") if before == "POWEROFF" else ("0", "0", "0"))
    assert cloud.contradictions() == []


def test_refusals(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = cloud.core.add_user("ann")
    cloud.core.add_user("bob")
    vm_id = cloud.running(user="ann")
    cloud.refused(INTERNAL, "vm.resize", vm_id, "CPU=[", True)
    cloud.refused(NO_EXISTS, "vm.resize", 99, "CPU=1", True)
    cloud.refused(AUTHORIZATION, "vm.resize", vm_id, "CPU=1", True, user="bob")
    cloud.refused(AUTHORIZATION, "vm.resize", vm_id, "CPU_COST=1", True, user="ann")
    for wrong in ("CPU=-1", "MEMORY=-64", "VCPU=-2"):
        cloud.refused(INTERNAL, "vm.resize", vm_id, wrong, True)
    cloud.call("user.quota", ann, "VM=[CPU=1]")
    cloud.refused(AUTHORIZATION, "vm.resize", vm_id, "CPU=1.5", True, user="ann")
    assert "Not enough CPU" in cloud.refused(ACTION, "vm.resize", cloud.running(), "CPU=100", False)
    assert "Not enough memory" in cloud.refused(ACTION, "vm.resize", cloud.off(), "MEMORY=99999", False)
    for make in (cloud.suspended, cloud.stopped):
        cloud.refused(ACTION, "vm.resize", make(), "CPU=1", True)
    monkeypatch.setattr(site, "traits", lambda name: Traits(is_known=True))
    assert "not supported" in cloud.refused(ACTION, "vm.resize", vm_id, "CPU=0.6", True)
    assert _capacity(cloud, vm_id) == ("0.5", "64", None)
    assert cloud.contradictions() == []


def test_virtual_cpus_are_spread_over_the_topology(cloud: Cloud) -> None:
    vm_id = cloud.vm("VCPU=4\nTOPOLOGY=[SOCKETS=1,CORES=2,THREADS=2]", hold=True)
    cloud.call("vm.resize", vm_id, "VCPU=8", True)
    assert cloud.text(vm_id, "TEMPLATE/TOPOLOGY/CORES") == "4"
    assert "multiple" in cloud.refused(ACTION, "vm.resize", vm_id, "VCPU=7", True)


# -- configuration -----------------------------------------------------------------------------------------
CONF = 'GRAPHICS=[TYPE="vnc",LISTEN="0.0.0.0",RANDOM_PASSWD="YES"]\nFEATURES=[ACPI="yes",PAE="no"]'


def test_updateconf(cloud: Cloud) -> None:
    vm_id = cloud.vm(f'{CONF}\nOS=[ARCH="x86_64",BOOT=""]\nCONTEXT=[A="1",SSH_PUBLIC_KEY="k"]', hold=True)
    new = 'OS=[ARCH="i686"]\nFEATURES=[ACPI="no"]\nINPUT=[TYPE="tablet",BUS="usb"]\nCONTEXT=[B="2"]\nCPU=8'
    assert cloud.call("vm.updateconf", vm_id, new) == vm_id
    document = cloud.document(vm_id)
    features = document.find("TEMPLATE/FEATURES")
    assert features is not None and {part.tag: part.text for part in features} == {"ACPI": "no"}
    assert document.findtext("TEMPLATE/OS/ARCH") == "i686"
    assert document.find("TEMPLATE/GRAPHICS") is None, "what is left out goes"
    assert document.findtext("TEMPLATE/INPUT/BUS") == "usb"
    assert (document.findtext("TEMPLATE/CONTEXT/B"), document.find("TEMPLATE/CONTEXT/A")) == ("2", None)
    assert document.findtext("TEMPLATE/CONTEXT/DISK_ID") == "0"
    assert _capacity(cloud, vm_id)[0] == "0.5", "the rest cannot be changed"
    cloud.call("vm.updateconf", vm_id, 'OS=[ARCH="i686"]')
    assert cloud.text(vm_id, "TEMPLATE/CONTEXT/B") == "2", "the context stays unless a new one is given"


def test_a_running_machine_is_told(cloud: Cloud) -> None:
    vm_id = cloud.running('CONTEXT=[A="1"]')
    for ok in (True, False):
        cloud.call("vm.updateconf", vm_id, 'CONTEXT=[A="2"]')
        assert cloud.state(vm_id) == "HOTPLUG"
        cloud.end("vmm.UPDATE_CONF", ok=ok)
        assert (cloud.state(vm_id), cloud.text(vm_id, "TEMPLATE/CONTEXT/A")) == ("RUNNING", "2")
    cloud.call("vm.updateconf", vm_id, 'CONTEXT=[A="2"]')
    cloud.call("vm.recover", vm_id, 0)
    assert (cloud.state(vm_id), cloud.contradictions()) == ("RUNNING", [])


def test_a_screen_gets_a_port_when_the_vm_has_a_host(cloud: Cloud) -> None:
    vm_id = cloud.off()
    cloud.call("vm.updateconf", vm_id, 'GRAPHICS=[TYPE="vnc"]')
    port = cloud.text(vm_id, "TEMPLATE/GRAPHICS/PORT")
    assert port == str(5900 + vm_id)
    cloud.call("vm.updateconf", vm_id, 'GRAPHICS=[TYPE="vnc",PORT="1"]')
    assert cloud.text(vm_id, "TEMPLATE/GRAPHICS/PORT") == port
    assert cloud.contradictions() == []


def test_updateconf_refusals(cloud: Cloud) -> None:
    cloud.core.add_user("ann")
    cloud.core.add_user("bob")
    vm_id = cloud.vm(user="ann", hold=True)
    cloud.refused(INTERNAL, "vm.updateconf", vm_id, "OS=[")
    cloud.refused(NO_EXISTS, "vm.updateconf", 99, "OS=[ARCH=x]")
    cloud.refused(AUTHORIZATION, "vm.updateconf", vm_id, "OS=[ARCH=x]", user="bob")
    cloud.refused(AUTHORIZATION, "vm.updateconf", vm_id, 'RAW=[TYPE="kvm",DATA="<x/>"]', user="ann")
    cloud.refused(INTERNAL, "vm.updateconf", vm_id, 'OS=[BOOT="disk7"]')
    cloud.refused(INTERNAL, "vm.updateconf", vm_id, 'CONTEXT=[A="1"]')
    for make in (cloud.suspended, cloud.stopped):
        cloud.refused(INTERNAL, "vm.updateconf", make(), "OS=[ARCH=x]")
    assert cloud.text(vm_id, "TEMPLATE/OS/ARCH") is None
