"""How new VMs start: OS and its files, CPU model, raw data, graphics; scheduled actions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.common import paths
from services.oned.lifecycle import boot
from tests.support.core import Core
from tests.support.vm_parts import create, image, parts, refused_vm


@pytest.fixture
def files(core: Core) -> int:
    """The file datastore of a fresh zone, without a check of its capacity, that users may use."""
    core.call("datastore.update", 2, "DATASTORE_CAPACITY_CHECK=NO", 1)
    return 2


# -- OS ----------------------------------------------------------------------------------------------------
def test_every_vm_has_a_machine_id(core: Core) -> None:
    made = create(core, "").findtext("TEMPLATE/OS/UUID") or ""
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", made)
    assert create(core, "OS=[UUID=mine,ARCH=x86_64]").findtext("TEMPLATE/OS/UUID") == "mine"
    assert "Only one OS" in refused_vm(core, "OS=[A=1]\nOS=[B=1]")
    assert "OS must be a vector" in refused_vm(core, "OS=linux")


def test_kernel_and_ram_disk(core: Core, files: int) -> None:
    image(core, "kern", files, "KERNEL")
    image(core, "init", files, "RAMDISK")
    text = 'OS=[KERNEL=/boot/x,KERNEL_DS="$FILE[IMAGE_ID=0]",INITRD_DS=" $FILE[IMAGE=\\"init\\"]"]'
    machine = parts(create(core, text).findall("TEMPLATE/OS")[0])
    del machine["UUID"]
    assert machine == {
        "INITRD_DS": ' $FILE[IMAGE="init"]',
        "INITRD_DS_CLUSTER_ID": "0",
        "INITRD_DS_DSID": "2",
        "INITRD_DS_ID": "1",
        "INITRD_DS_SOURCE": "/images/init",
        "INITRD_DS_TM": "ssh",
        "KERNEL_DS": "$FILE[IMAGE_ID=0]",
        "KERNEL_DS_CLUSTER_ID": "0",
        "KERNEL_DS_DSID": "2",
        "KERNEL_DS_ID": "0",
        "KERNEL_DS_SOURCE": "/images/kern",
        "KERNEL_DS_TM": "ssh",
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("/boot/vmlinuz", "Expected $FILE["),
        ("$FOO[IMAGE_ID=0]", "Must use FILE variable"),
        ("$FILE[IMAGE_ID=0]$FILE[IMAGE_ID=0]", "Only one FILE variable"),
        ("$FILE[IMAGE_ID=0] and more", "Expected $FILE["),
        ("$FILE[NAME=kern]", "set IMAGE_ID or IMAGE, found NAME"),
        ("$FILE[IMAGE_ID=9]", "Image with ID: 9 does not exist"),
        ("$FILE[IMAGE_ID=x]", "does not exist"),
        ("$FILE[IMAGE=nope]", "does not own an image with name: nope"),
        ("$FILE[IMAGE_ID=1]", "is of type RAMDISK, expected KERNEL"),
    ],
)
def test_files_that_cannot_be_used(core: Core, files: int, value: str, message: str) -> None:
    image(core, "kern", files, "KERNEL")
    image(core, "init", files, "RAMDISK")
    assert message in refused_vm(core, f'OS=[KERNEL_DS="{value}"]')


def test_files_need_the_owners_right_and_to_be_ready(core: Core, files: int) -> None:
    core.add_user("ann")
    image(core, "kern", files, "KERNEL")
    text = 'OS=[KERNEL_DS="$FILE[IMAGE_ID=0]"]'
    assert "USE IMAGE [0]" in refused_vm(core, text, user="ann")
    core.call("image.chmod", 0, -1, -1, -1, 1, -1, -1, 1, -1, -1)
    create(core, 'OS=[KERNEL_DS="$FILE[IMAGE=kern, IMAGE_UNAME=oneadmin]"]', user="ann")
    core.call("image.enable", 0, False)
    assert "is DISABLED, expected READY" in refused_vm(core, text)


# -- hypervisor --------------------------------------------------------------------------------------------
def test_the_cpu_model(core: Core) -> None:
    vm = create(core, "CPU_MODEL=[MODEL=host]\nCPU_MODEL=[MODEL=other]")
    assert [parts(model) for model in vm.iterfind("TEMPLATE/CPU_MODEL")] == [{"MODEL": "host"}]


def test_raw_data(core: Core) -> None:
    create(core, 'RAW=[TYPE=KVM,DATA="<devices></devices>"]')
    create(core, 'RAW=[TYPE=lxc,DATA="<not xml"]')
    create(core, 'RAW=[TYPE=kvm,DATA="<not xml",VALIDATE=no]')
    assert "unsupported TYPE, found 'vbox'" in refused_vm(core, "RAW=[TYPE=vbox]")
    assert "unsupported TYPE" in refused_vm(core, "RAW=[DATA=x]")
    assert "not well-formed" in refused_vm(core, 'RAW=[TYPE=kvm,DATA="<not xml"]')
    for text in ("text", "<devices/>text"):
        assert "must be XML elements, found 'text'" in refused_vm(core, f'RAW=[TYPE=kvm,DATA="{text}"]')


def test_raw_data_fit_libvirts_schema(core: Core) -> None:
    """Where libvirt's schema of machines is installed."""
    schema = paths.share() / "schemas/libvirt/domain.rng"
    schema.parent.mkdir(parents=True)
    schema.write_text(
        '<element name="domain" xmlns="http://relaxng.org/ns/structure/1.0"><attribute name="type"/>'
        '<element name="name"><text/></element>'
        '<optional><element name="devices"><empty/></element></optional>'
        "</element>"
    )
    boot._domain_schema.cache_clear()
    try:
        create(core, 'RAW=[TYPE=kvm,DATA="<devices/>"]')
        assert "domain.rng" in refused_vm(core, 'RAW=[TYPE=kvm,DATA="<device/>"]')
    finally:
        boot._domain_schema.cache_clear()


def test_raw_data_cannot_read_files(core: Core, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    data = f"<!DOCTYPE d [<!ENTITY e SYSTEM 'file://{secret}'>]><devices>&e;</devices>"
    refused_vm(core, f'RAW=[TYPE=kvm,DATA="{data}"]')


def test_graphics(core: Core) -> None:
    vm = create(core, "GRAPHICS=[TYPE=VNC,LISTEN=0.0.0.0,PORT=5901]\nGRAPHICS=[TYPE=SDL]")
    assert [parts(screen) for screen in vm.iterfind("TEMPLATE/GRAPHICS")] == [
        {"LISTEN": "0.0.0.0", "PORT": "5901", "TYPE": "VNC"}
    ]
    passwords = [
        create(core, f"GRAPHICS=[TYPE={kind},RANDOM_PASSWD=YES]").findtext("TEMPLATE/GRAPHICS/PASSWD") or ""
        for kind in ("VNC", "VNC", "SPICE")
    ]
    assert [len(password) for password in passwords] == [64, 64, 59] and len({*passwords}) == 3
    given = create(core, "GRAPHICS=[TYPE=VNC,RANDOM_PASSWD=YES,PASSWD=own]")
    assert given.findtext("TEMPLATE/GRAPHICS/PASSWD") == "own"
    for port in ("70000", "-1", "x"):
        assert "Wrong PORT number" in refused_vm(core, f"GRAPHICS=[TYPE=VNC,PORT={port}]")


# -- scheduled actions -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "action",
    [
        "TIME=100",
        'TIME="+3600"',
        'TIME=1,REPEAT=0,DAYS="1,6",END_TYPE=1,END_VALUE=3',
        'TIME=1,REPEAT=1,DAYS="31"',
        'TIME=1,REPEAT=2,DAYS="0,365"',
        'TIME=1,REPEAT=3,DAYS="167"',
        "TIME=1,END_TYPE=0",
        # Without a number as TIME, OpenNebula does not look at an action.
        "TIME=soon,REPEAT=9",
    ],
)
def test_scheduled_actions(core: Core, action: str) -> None:
    vm = create(core, f"SCHED_ACTION=[ACTION=poweroff,DONE=5,{action}]")
    assert vm.findtext("USER_TEMPLATE/SCHED_ACTION/DONE") == "5"


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("REPEAT=9", "Error parsing REPEAT"),
        ('REPEAT=0,DAYS="1,7"', "[0,6] range"),
        ('REPEAT=1,DAYS="0"', "[1,31] range"),
        ('REPEAT=2,DAYS="366"', "[0,365] range"),
        ('REPEAT=3,DAYS="168"', "[0,168] range"),
        ('REPEAT=3,DAYS="2,3"', "Hours have to be one number"),
        ('REPEAT=1,DAYS="a"', "Wrong format of DAYS"),
        ('DAYS="1"', "no REPEAT"),
        ("END_TYPE=5", "Error parsing END_TYPE"),
        ("END_TYPE=1", "Missing END_VALUE"),
        ("END_TYPE=1,END_VALUE=0", "times has to be greater than 0"),
        ("END_VALUE=3", "not valid END_TYPE"),
    ],
)
def test_scheduled_actions_that_cannot_be(core: Core, action: str, message: str) -> None:
    assert message in refused_vm(core, f"SCHED_ACTION=[ACTION=x,TIME=1,{action}]")
