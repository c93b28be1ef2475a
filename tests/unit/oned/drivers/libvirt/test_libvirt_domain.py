"""Deployment files for libvirt: one file a case, values that are no markup, defaults, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from services.common import xmldoc
from services.oned.drivers.step import PlanError
from tests.support.deployment import CASES, SCHEMA, deployment_text

MACHINE = 'CPU="1" MEMORY="64" '
ONE = "{http://opennebula.org/xmlns/libvirt/1.0}"
# What a user can write there, libvirt has to refuse.
REFUSED_BY_LIBVIRT = ("hostile",)


def domain(template: str, vm_mad: str = "kvm", **given: object) -> etree._Element:
    """The parsed domain of a template."""
    return xmldoc.parse(deployment_text(template, vm_mad, **given))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_document(case: Path) -> None:
    assert deployment_text(case.read_text()) == case.with_suffix(".xml").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_schema(case: Path) -> None:
    if not SCHEMA.exists():
        pytest.skip("left out: libvirt's schemas (libvirt0) are not installed")
    schema = etree.RelaxNG(etree.parse(str(SCHEMA)))
    is_valid = schema.validate(xmldoc.parse(deployment_text(case.read_text(), "qemu")))
    assert is_valid == (case.stem not in REFUSED_BY_LIBVIRT), schema.error_log


def test_values_are_never_markup() -> None:
    evil = "</title><x a='1'/>&lt;\x00]]>"
    template = f'{MACHINE} GRAPHICS=[TYPE="spice",PASSWD="{evil}"] NIC=[BRIDGE="{evil}"]'
    template += f' OS=[KERNEL="/k",KERNEL_CMD="{evil}"]'
    found = domain(template)
    clean = evil.replace("\x00", "")
    assert found.findtext("os/cmdline") == clean
    assert found.find("devices/interface/source").get("bridge") == clean  # type: ignore[union-attr]
    assert found.find("devices/graphics").get("passwd") == clean  # type: ignore[union-attr]
    assert not list(found.iter("x"))


def test_type_is_the_section_s() -> None:
    assert domain(MACHINE, "kvm").get("type") == "kvm"
    assert domain(MACHINE, "qemu").get("type") == "qemu"


# -- defaults ----------------------------------------------------------------------------------------------
def _documents(host: str, cluster: str) -> dict[tuple[str, int], str]:
    return {
        ("host_pool", 3): f"<HOST><TEMPLATE>{host}</TEMPLATE></HOST>",
        ("cluster_pool", 100): f"<CLUSTER><TEMPLATE>{cluster}</TEMPLATE></CLUSTER>",
    }


def test_vm_before_host_before_cluster_before_driver() -> None:
    at_host = "<OS><MACHINE>host</MACHINE></OS><EMULATOR>/e</EMULATOR><NIC><MODEL>e1000</MODEL></NIC>"
    at_cluster = "<OS><MACHINE>cluster</MACHINE><ARCH>i686</ARCH></OS><EMULATOR>/c</EMULATOR>"
    documents = _documents(at_host, at_cluster)
    disk_and_nic = 'DISK=[DISK_ID="0",TARGET="vda"] NIC=[BRIDGE="b"] NIC=[BRIDGE="b",MODEL="rtl8139"]'
    found = domain(f"{MACHINE} {disk_and_nic}", documents=documents)
    kind = found.find("os/type")
    assert kind is not None and kind.items() == [("arch", "i686"), ("machine", "host")]
    assert found.findtext("devices/emulator") == "/e"
    assert [model.get("type") for model in found.findall("devices/interface/model")] == ["e1000", "rtl8139"]
    assert found.find("devices/disk/driver").get("cache") == "none"  # type: ignore[union-attr]
    own = domain(f'{MACHINE} OS=[MACHINE="own"]', documents=documents)
    assert own.find("os/type").get("machine") == "own"  # type: ignore[union-attr]


def test_section_before_its_defaults_file() -> None:
    found = domain(MACHINE, attributes=', EMULATOR = "/section"')
    assert found.findtext("devices/emulator") == "/section"


def test_raw_of_the_host_is_added_to_the_vm_s() -> None:
    raw = "<RAW><![CDATA[<devices><watchdog model='i6300esb'/></devices>]]></RAW>"
    own = 'RAW=[TYPE="kvm",DATA="<devices><sound model=\'ich6\'/></devices>"]'
    found = domain(f"{MACHINE} {own}", documents=_documents(raw, ""))
    assert len(found.findall("devices")) == 1
    assert found.find("devices/sound") is not None and found.find("devices/watchdog") is not None


def test_metadata_of_raw_keeps_ours() -> None:
    raw = 'RAW=[TYPE="kvm",DATA="<metadata><a:b xmlns:a=\'urn:a\'/></metadata>"]'
    found = domain(MACHINE + raw)
    assert len(found.findall("metadata")) == 1
    assert found.findtext(f"metadata/{ONE}vm/{ONE}system_datastore") == "/ds/104/7"


def test_shares_count_less_with_version_2_of_cgroups() -> None:
    assert domain('CPU="20" MEMORY="1"').findtext("cputune/shares") == "20480"
    documents = _documents("<CGROUPS_VERSION>2</CGROUPS_VERSION>", "")
    assert domain('CPU="20" MEMORY="1"', documents=documents).findtext("cputune/shares") == "2000"
    assert domain('CPU="200" MEMORY="1"', documents=documents).findtext("cputune/shares") == "10000"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('READ_IOPS_SEC="10",READ_IOPS_SEC_MAX="20"', "read_iops_sec=10 read_iops_sec_max=20"),
        ('WRITE_IOPS_SEC_MAX="5",WRITE_IOPS_SEC_MAX_LENGTH="2"',
         "write_iops_sec_max=5 write_iops_sec_max_length=2"),
        ('READ_BYTES_SEC="9",READ_BYTES_SEC_MAX="9",READ_BYTES_SEC_MAX_LENGTH="1"', "read_bytes_sec=9"),
        ('TOTAL_BYTES_SEC_MAX="7",WRITE_BYTES_SEC="1",READ_IOPS_SEC="3"',
         "total_bytes_sec_max=7 read_iops_sec=3"),
        ('READ_BYTES_SEC="9",SIZE_IOPS_SEC="1"', "read_bytes_sec=9"),
        ('SIZE_IOPS_SEC="1"', ""),
    ],
)  # fmt: skip
def test_limits(given: str, expected: str) -> None:
    found = domain(f'{MACHINE} DISK=[DISK_ID="0",TARGET="vda",{given}]').find("devices/disk/iotune")
    limits = [] if found is None else [f"{limit.tag}={limit.text}" for limit in found]
    assert " ".join(limits) == expected


# -- refusals ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('CPU="1"', "vm 7: MEMORY must be a number of MB, found none"),
        ('CPU="nan" MEMORY="1"', "vm 7: CPU must be a number above 0, found 'nan'"),
        (f'{MACHINE} VCPU="many"', "vm 7: VCPU must be a whole number, found 'many'"),
        (f'{MACHINE} FEATURES=[IOTHREADS="-1"]', "FEATURES/IOTHREADS must be a whole number, found '-1'"),
        (f'{MACHINE} DISK=[DISK_ID="4",TARGET=""]', "TARGET of DISK 4 must be a device name such as vda"),
        (f'{MACHINE} DISK=[DISK_ID="4",TARGET="v\'a"]', "TARGET of DISK 4 must be"),
        (f'{MACHINE} CONTEXT=[DISK_ID="1",TARGET="1"]', "TARGET of CONTEXT 1 must be"),
        (f'{MACHINE} DISK=[TARGET="vda",TOTAL_BYTES_SEC="1M"]', "DISK/TOTAL_BYTES_SEC must be a whole"),
        (f'{MACHINE} NIC=[BRIDGE="b",INBOUND_AVG_BW="fast"]', "NIC/INBOUND_AVG_BW must be a whole number"),
        (f'{MACHINE} PCI=[DOMAIN="0",BUS="x",SLOT="0",FUNCTION="0"]', "PCI/BUS must be a hexadecimal number"),
        (f'{MACHINE} GRAPHICS=[TYPE="vnc",PORT="-1"]', "GRAPHICS/PORT must be a whole number, found '-1'"),
        (f'{MACHINE} RAW=[TYPE="kvm",DATA="<a>"]', "vm 7: RAW/DATA: not well-formed"),
        (f'{MACHINE} RAW=[TYPE="kvm",DATA="</domain><domain>"]', "vm 7: RAW/DATA: not well-formed"),
        (f'{MACHINE} RAW=[TYPE="kvm",DATA="words"]', "RAW/DATA: must be XML elements"),
        (f'{MACHINE} FEATURES=[HYPERV="yes"] HYPERV_OPTIONS="<a"', "HYPERV_OPTIONS: not well-formed"),
        (f'{MACHINE} TOPOLOGY=[PIN_POLICY="CORE"] NUMA_NODE=[TOTAL_CPUS="2",CPUS="1",MEMORY="1"]',
         "NUMA_NODE has 2 TOTAL_CPUS, but only 1 CPUS to pin to"),
        (f'{MACHINE} DISK=[DISK_ID="0",TARGET="vda",TYPE="GLUSTER"]', "disk 0 has no GLUSTER_HOST"),
    ],
)  # fmt: skip
def test_refused(template: str, expected: str) -> None:
    with pytest.raises(PlanError) as refused:
        deployment_text(template)
    assert expected in str(refused.value)


SPICE = f'{MACHINE} GRAPHICS=[TYPE="spice"] SPICE_OPTIONS='


@pytest.mark.parametrize(
    "options",
    [
        "<disk type='file'><source file='/ds/104/8/disk.0'/><target dev='vdz'/></disk>",
        "<hostdev mode='subsystem' type='usb'/>",
        "<filesystem type='mount'><source dir='/'/><target dir='all'/></filesystem>",
        "<interface type='ethernet'><script path='/sbin/halt'/></interface>",
        "<emulator>/bin/sh</emulator>",
        "<channel type='file'><source path='/ds/104/8/disk.0'/><target type='virtio' name='x'/></channel>",
        "<channel><source path='/ds/104/8/disk.0'/></channel>",
        "<redirdev bus='usb' type='tcp'><source mode='connect' host='10.0.0.1' service='1'/></redirdev>",
        "<channel type='spicevmc'><log file='/ds/104/8/disk.0'/></channel>",
        "<video><model type='none'/><driver/><x:acceleration xmlns:x='u' rendernode='/dev/dri/x'/></video>",
        "<sound model='ich6'/><q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'/>",
    ],
)
def test_spice_options_of_a_vm_reach_its_screen_only(options: str) -> None:
    """Users may write them; the same of its host is the administrator's word."""
    with pytest.raises(PlanError, match="vm 7: SPICE_OPTIONS of a VM has"):
        deployment_text(f'{SPICE}"{options}"')
    at_host = f"<SPICE_OPTIONS><![CDATA[{options}]]></SPICE_OPTIONS>"
    found = domain(f'{MACHINE} GRAPHICS=[TYPE="spice"]', documents=_documents(at_host, ""))
    assert len(found.findall("devices")) == 1


def test_spice_options_of_a_vm() -> None:
    options = (
        "<video><model type='qxl' heads='2'/></video><sound model='ich9'/>"
        "<controller type='usb' model='nec-xhci'/><redirdev bus='usb' type='spicevmc'/>"
        "<channel type='spiceport'><source channel='org.spice-space.webdav.0'/>"
        "<target type='virtio' name='org.spice-space.webdav.0'/></channel>"
    )
    found = domain(f'{SPICE}"{options}"')
    assert found.find("devices/video/model").get("heads") == "2"  # type: ignore[union-attr]
    assert found.find("devices/channel/source").get("channel") == "org.spice-space.webdav.0"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "path",
    [
        *("/ds/104/8/disk.0", "/ds/1/4f2a", "/ds/104/7/../8/disk.0", "//ds/104/8/disk.0", "/ds/104/7"),
        *("/var/lib/one/.ssh/id_rsa", "/proc/self/environ", "/etc/../etc/shadow", "etc/passwd", "/dev/sda"),
    ],
)
def test_files_of_others_are_no_kernel(path: str) -> None:
    for part in ("KERNEL", "INITRD"):
        kernel = "" if part == "KERNEL" else 'KERNEL="/boot/vmlinuz",'
        with pytest.raises(PlanError, match=f"vm 7: OS/{part} is .*, expected an absolute path"):
            deployment_text(f'{MACHINE} OS=[{kernel}{part}="{path}"]')
    at_host = f"<OS><KERNEL>{path}</KERNEL></OS>"
    assert domain(MACHINE, documents=_documents(at_host, "")).findtext("os/kernel") == path


def test_kernels_of_the_node_and_of_the_vm() -> None:
    for own in ("/ds/104/7/initrd", "/ds/0/7/initrd"):
        found = domain(f'{MACHINE} OS=[KERNEL="/boot/vmlinuz",INITRD="{own}"]')
        assert (found.findtext("os/kernel"), found.findtext("os/initrd")) == ("/boot/vmlinuz", own)


@pytest.mark.parametrize("name", ["one-8-0", "../8/disk.0", "a b", "-x", "sixteenletters16", "a/b"])
def test_names_of_interfaces(name: str) -> None:
    with pytest.raises(PlanError, match="vm 7: TARGET of NIC 3"):
        deployment_text(f'{MACHINE} NIC=[NIC_ID="3",BRIDGE="b",TARGET="{name}"]')
    for mine in ("one-7-0", "lan0"):
        domain(f'{MACHINE} NIC=[NIC_ID="3",BRIDGE="b",TARGET="{mine}"]')


def test_entities_are_refused() -> None:
    raw = '<!DOCTYPE a [<!ENTITY b SYSTEM \\"file:///etc/passwd\\">]><a>&b;</a>'
    with pytest.raises(PlanError):
        deployment_text(f'{MACHINE} RAW=[TYPE="kvm",DATA="{raw}"]')


def test_defaults_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"VM_MAD kvm: DEFAULT .*/none: cannot be read"):
        deployment_text(MACHINE, defaults=tmp_path / "none")
    broken = tmp_path / "broken"
    broken.write_text("OS = [")
    with pytest.raises(PlanError, match="VM_MAD kvm: DEFAULT .*/broken"):
        deployment_text(MACHINE, defaults=broken)
    empty = tmp_path / "empty"
    empty.write_text("")
    with pytest.raises(PlanError, match="vm 7: OS/ARCH is not given"):
        deployment_text(MACHINE, defaults=empty)


def test_a_password_is_in_no_refusal() -> None:
    with pytest.raises(PlanError) as refused:
        deployment_text(f'{MACHINE} GRAPHICS=[TYPE="vnc",PASSWD="sesame",PORT="x"]')
    assert "sesame" not in str(refused.value)
