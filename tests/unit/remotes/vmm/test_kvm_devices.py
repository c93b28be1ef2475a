"""Documents of devices that are attached to a running machine."""

from __future__ import annotations

import kvm_disk_xml
import kvm_nics
import pytest
from driver import DriverError
from kvm_settings import Settings

DELIVERED = Settings(
    {"DEFAULT_ATTACH_CACHE": "none", "DEFAULT_ATTACH_DISCARD": "unmap", "DEFAULT_ATTACH_NIC_MODEL": "virtio"}
)
PATH = "/var/lib/one/datastores/0/7/disk.2"


def disk(target: str = "vdb", settings: Settings = DELIVERED, bus: str = "", **values: str) -> str:
    return kvm_disk_xml.build({"DISK_ID": "2", **values}, "7", PATH, target, settings, bus=bus)


def test_a_disk_has_the_defaults_of_kvmrc() -> None:
    assert disk(DRIVER="qcow2") == (
        '<disk type="file" device="disk"><driver name="qemu" type="qcow2" cache="none" discard="unmap" />'
        f'<source file="{PATH}" /><target dev="vdb" bus="virtio" /></disk>'
    )


def test_what_the_disk_says_wins() -> None:
    found = disk(
        CACHE="writeback", DISCARD="ignore", IO="threads", IOTHREAD="3", ORDER="2", READONLY="YES",
        SHAREABLE="YES", LUKS_SECRET="c7a4-11",
    )  # fmt: skip
    assert (
        '<driver name="qemu" type="raw" cache="writeback" io="threads" discard="ignore" iothread="3" />'
        in found
    )
    assert '<boot order="2" /><readonly /><shareable />' in found
    assert '<encryption format="luks"><secret type="passphrase" uuid="c7a4-11" /></encryption>' in found


@pytest.mark.parametrize(
    ("target", "bus", "expected"),
    [
        ("vdb", "", '<target dev="vdb" bus="virtio" />'),
        ("hdc", "", '<target dev="hdc" bus="ide" />'),
        ("xvdc", "", '<target dev="xvdc" bus="xen" />'),
        ("sdc", "sata", '<target dev="sdc" bus="sata" />'),
        ("sdc", "", 'bus="scsi" /><address type="drive" controller="0" bus="0" target="2" unit="0" />'),
        ("sdab", "", 'bus="scsi" /><address type="drive" controller="0" bus="0" target="27" unit="0" />'),
    ],
)  # fmt: skip
def test_the_bus_comes_from_the_name(target: str, bus: str, expected: str) -> None:
    assert expected in disk(target, bus=bus)


@pytest.mark.parametrize("target", ["", "vd", "vda'", "nvme0", "sd1", "--live"])
def test_other_names_are_refused(target: str) -> None:
    with pytest.raises(DriverError, match="TARGET of a disk must be like"):
        disk(target)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"TYPE": "BLOCK"}, f'type="block" device="disk"|<source dev="{PATH}" />'),
        ({"TYPE": "CDROM"}, f'type="file" device="cdrom"|<source file="{PATH}" />'),
        ({"TYPE": "FS", "TM_MAD": "fs_lvm"}, f'type="block" device="disk"|<source dev="{PATH}" />'),
        (
            {"TYPE": "RBD", "SOURCE": "one/one-3", "CLONE": "YES", "CEPH_HOST": "a:6789 b", "CEPH_USER": "u",
             "CEPH_SECRET": "s"},
            'type="network" device="disk"|<source protocol="rbd" name="one/one-3-7-2">'
            '<host name="a" port="6789" />'
            '<host name="b" /></source><auth username="u"><secret type="ceph" uuid="s" /></auth>',
        ),
        ({"TYPE": "RBD_CDROM", "SOURCE": "one/one-3", "CLONE": "NO"},
         'device="cdrom"|<source protocol="rbd" name="one/one-3" />'),
        ({"TYPE": "FS", "DISK_TYPE": "RBD", "POOL_NAME": "one"}, 'type="network"|name="one/one-sys-7-2"'),
        ({"TYPE": "ISCSI", "SOURCE": "s", "ISCSI_IQN": "iqn.x/1", "ISCSI_HOST": "h:3260", "ISCSI_USER": "u",
          "ISCSI_USAGE": "w"},
         'type="network"|<source protocol="iscsi" name="iqn.x/1"><host name="h" port="3260" /></source>'
         '<auth username="u"><secret type="iscsi" usage="w" /></auth>'),
    ],
)  # fmt: skip
def test_where_its_contents_are(values: dict[str, str], expected: str) -> None:
    found = disk(**values)
    for part in expected.split("|"):
        assert part in found


def test_limits_in_all_win_and_peaks_are_above_them() -> None:
    settings = Settings({"DEFAULT_ATTACH_READ_IOPS_SEC": "50"})
    found = disk(
        settings=settings, TOTAL_BYTES_SEC="100", TOTAL_BYTES_SEC_MAX="200", TOTAL_BYTES_SEC_MAX_LENGTH="5",
        READ_BYTES_SEC="1", WRITE_IOPS_SEC="30", WRITE_IOPS_SEC_MAX="20", SIZE_IOPS_SEC="4096",
    )  # fmt: skip
    assert found.partition("<iotune>")[2].partition("</iotune>")[0] == (
        "<total_bytes_sec>100</total_bytes_sec><total_bytes_sec_max>200</total_bytes_sec_max>"
        "<total_bytes_sec_max_length>5</total_bytes_sec_max_length><read_iops_sec>50</read_iops_sec>"
        "<write_iops_sec>30</write_iops_sec><size_iops_sec>4096</size_iops_sec>"
    )
    with pytest.raises(DriverError, match="READ_BYTES_SEC of disk 2 must be a number, found '1 MB'"):
        disk(READ_BYTES_SEC="1 MB")


def test_hostile_values_stay_values() -> None:
    found = disk(DRIVER="raw'/><!--", LUKS_SECRET='"><x/>')
    assert "<!--" not in found
    assert "<x" not in found


NIC = {"NIC_ID": "1", "BRIDGE": "br0", "MAC": "02:00:0a:00:00:01", "TARGET": "one-7-1", "IP": "10.0.0.1"}


def test_an_interface_on_a_bridge() -> None:
    assert kvm_nics.build(NIC, DELIVERED) == (
        '<interface type="bridge"><source bridge="br0" /><mac address="02:00:0a:00:00:01" />'
        '<target dev="one-7-1" /><model type="virtio" /></interface>'
    )


def test_all_attributes_of_an_interface() -> None:
    more = {
        "BRIDGE_TYPE": "openvswitch", "ORDER": "1", "SCRIPT": "/s", "MODEL": "virtio", "VIRTIO_QUEUES": "4",
        "FILTER": "clean-traffic", "VROUTER_IP": "10.0.0.9", "INBOUND_AVG_BW": "1", "INBOUND_PEAK_BW": "2",
        "INBOUND_PEAK_KB": "3", "OUTBOUND_AVG_BW": "4",
    }  # fmt: skip
    found = kvm_nics.build({**NIC, **more}, DELIVERED)
    for part in (
        '<virtualport type="openvswitch" />', '<boot order="1" />', '<script path="/s" />',
        '<driver name="vhost" queues="4" />',
        '<filterref filter="clean-traffic"><parameter name="IP" value="10.0.0.1" />'
        '<parameter name="IP" value="10.0.0.9" /></filterref>',
        '<bandwidth><inbound average="1" peak="2" burst="3" /><outbound average="4" /></bandwidth>',
    ):  # fmt: skip
        assert part in found
    assert "queues" not in kvm_nics.build({**NIC, "VIRTIO_QUEUES": "4", "MODEL": "e1000"}, DELIVERED)
    assert kvm_nics.build({"MAC": "02:00:0a:00:00:01"}, Settings({})) == (
        '<interface type="ethernet"><mac address="02:00:0a:00:00:01" /></interface>'
    )
