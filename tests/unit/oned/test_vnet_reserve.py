"""Reservations: every form, refusals in OpenNebula's order, quotas, addresses that come back."""

from __future__ import annotations

import pytest

from services.oned import fsck
from tests.support.core import Core, Refused

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
LAN = (
    "NAME=lan\nVN_MAD=802.1Q\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=YES\nDNS=1.1.1.1\n"
    "AR=[TYPE=IP4,IP=10.0.0.1,SIZE=5]\n"
    'AR=[TYPE=IP4_6_STATIC,IP=10.0.1.1,IP6="2001:db8::1",PREFIX_LENGTH=64,SIZE=8,MAC=02:00:00:00:00:01]'
)


@pytest.fixture
def lan(core: Core) -> int:
    """A network of two ranges in two clusters that everybody may use, and the users ann and bob."""
    core.call("cluster.allocate", "east")
    oid: int = core.call("vn.allocate", LAN, -1)
    core.call("cluster.addvnet", 100, oid)
    core.call("vn.chmod", oid, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    for name in ("ann", "bob"):
        core.add_user(name)
    return oid


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _consistent(core: Core) -> None:
    with core.store.read() as tx:
        assert fsck.check(tx) == []


def _used(core: Core, oid: int) -> int:
    return int(core.info("vn.info", oid).findtext("USED_LEASES") or -1)


def _quota(core: Core, user: str) -> str | None:
    return core.info("user.info", -1, user=user).findtext("NETWORK_QUOTA/NETWORK/LEASES_USED")


# -- a reservation of its own ------------------------------------------------------------------------------
def test_a_reservation(core: Core, lan: int) -> None:
    oid = core.call("vn.reserve", lan, "NAME=mine\nSIZE=3", user="ann")
    net = core.info("vn.info", oid, user="ann")
    paths = (
        "NAME",
        "UNAME",
        "PARENT_NETWORK_ID",
        "BRIDGE",
        "VLAN_ID",
        "VLAN_ID_AUTOMATIC",
        "TEMPLATE/DNS",
        "USED_LEASES",
    )
    assert [net.findtext(path) for path in paths] == [
        "mine",
        "ann",
        str(lan),
        "onebr0",
        "2",
        "0",
        "1.1.1.1",
        "0",
    ]
    assert [cluster.text for cluster in net.iterfind("CLUSTERS/ID")] == ["0", "100"]
    each = net.find("AR_POOL/AR")
    assert each is not None
    names = ("AR_ID", "IP", "IP_END", "MAC", "SIZE", "PARENT_NETWORK_AR_ID")
    assert [each.findtext(name) for name in names] == [
        "0",
        "10.0.0.1",
        "10.0.0.3",
        "02:00:0a:00:00:01",
        "3",
        "0",
    ]
    assert core.rows("SELECT pid FROM network_pool WHERE oid = ?", oid) == [(lan,)]
    leases = core.info("vn.info", lan).findall("AR_POOL/AR/LEASES/LEASE")
    assert [(lease.findtext("IP"), lease.findtext("VNET")) for lease in leases] == [
        (f"10.0.0.{number}", str(oid)) for number in (1, 2, 3)
    ]
    assert _quota(core, "ann") == "3"
    _consistent(core)


@pytest.mark.parametrize(
    ("wish", "first"),
    [
        ("SIZE=6", "10.0.1.1"),
        ("SIZE=2\nAR_ID=1", "10.0.1.1"),
        ("SIZE=2\nAR_ID=0\nIP=10.0.0.4", "10.0.0.4"),
        ('SIZE=2\nAR_ID=1\nIP6="2001:db8::4"', "10.0.1.4"),
        ("SIZE=2\nAR_ID=1\nMAC=02:00:00:00:00:03", "10.0.1.3"),
        ("SIZE=1\nAR_ID=0\nIP=10.0.0.5\nMAC=02:00:00:00:00:03", "10.0.0.5"),
    ],
)
def test_which_addresses(core: Core, lan: int, wish: str, first: str) -> None:
    oid = core.call("vn.reserve", lan, f"NAME=mine\n{wish}", user="ann")
    assert core.info("vn.info", oid).findtext("AR_POOL/AR/IP") == first
    _consistent(core)


def test_addresses_in_a_row(core: Core, lan: int) -> None:
    core.call("vn.hold", lan, "LEASES=[IP=10.0.0.2]")
    assert (
        core.info("vn.info", core.call("vn.reserve", lan, "NAME=a\nSIZE=2")).findtext("AR_POOL/AR/IP")
        == "10.0.0.3"
    )
    assert (
        core.info("vn.info", core.call("vn.reserve", lan, "NAME=b\nSIZE=1")).findtext("AR_POOL/AR/IP")
        == "10.0.0.1"
    )
    assert (
        core.info("vn.info", core.call("vn.reserve", lan, "NAME=c\nSIZE=2")).findtext("AR_POOL/AR/IP")
        == "10.0.1.1"
    )
    _consistent(core)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("SIZE=[", "expected"),
        ("NAME=x", "SIZE"),
        ("NAME=x\nSIZE=0", "SIZE"),
        ("NAME=x\nSIZE=-2", "SIZE"),
        ("NAME=x\nSIZE=two", "SIZE"),
        ("NAME=x\nSIZE=2000000000", "at most 500000"),
        ("SIZE=1", "NAME"),
        ("NAME=x\nSIZE=1\nAR_ID=-1", "AR_ID"),
        ("NAME=x\nSIZE=1\nIP=10.0.0.1", "AR_ID must be specified"),
        ("NAME=x\nSIZE=1\nMAC=02:00:00:00:00:03", "AR_ID must be specified"),
        ("NAME=x\nSIZE=9", "Not enough"),
        ("NAME=x\nSIZE=6\nAR_ID=0", "Not enough"),
        ("NAME=x\nSIZE=1\nAR_ID=5", "does not exist"),
        ("NAME=x\nSIZE=2\nAR_ID=0\nIP=10.0.0.5", "Not enough"),
        ("NAME=x\nSIZE=1\nAR_ID=0\nIP=10.0.0.9", "Not enough"),
        ("SIZE=1\nNETWORK_ID=-1", "NETWORK_ID"),
        ("SIZE=1\nNETWORK_ID=0", "same network"),
        ("SIZE=1\nNETWORK_ID=1", "non-reservation"),
    ],
)
def test_reservations_that_are_refused(core: Core, lan: int, wish: str, words: str) -> None:
    core.call("vn.allocate", "NAME=other\nVN_MAD=bridge", -1)
    assert words in _refused(core, ACTION, "vn.reserve", lan, wish).text
    assert _used(core, lan) == 0 and len(core.rows("SELECT 1 FROM network_pool")) == 2
    _consistent(core)


def test_other_refusals(core: Core, lan: int) -> None:
    _refused(core, NO_EXISTS, "vn.reserve", 99, "NAME=x\nSIZE=1")
    _refused(core, ACTION, "vn.reserve", 99, "NAME=x")  # the wish is read first
    _refused(core, NO_EXISTS, "vn.reserve", lan, "SIZE=1\nNETWORK_ID=98")
    mine = core.call("vn.reserve", lan, "NAME=x\nSIZE=1", user="ann")
    assert "reserved VNET" in _refused(core, ACTION, "vn.reserve", mine, "NAME=y\nSIZE=1").text
    assert "taken by NET" in _refused(core, INTERNAL, "vn.reserve", lan, "NAME=x\nSIZE=1", user="ann").text
    other = core.call("vn.allocate", "NAME=other\nVN_MAD=bridge\nAR=[TYPE=ETHER,SIZE=3]", -1)
    assert (
        f"from network {lan}"
        in _refused(core, ACTION, "vn.reserve", other, f"SIZE=1\nNETWORK_ID={mine}").text
    )
    _refused(core, AUTHORIZATION, "vn.reserve", lan, f"SIZE=1\nNETWORK_ID={mine}", user="bob")
    _consistent(core)


# -- more addresses, and giving them back ------------------------------------------------------------------
def test_one_more_range(core: Core, lan: int) -> None:
    mine = core.call("vn.reserve", lan, "NAME=mine\nSIZE=2", user="ann")
    assert core.call("vn.reserve", lan, f"SIZE=3\nNETWORK_ID={mine}", user="ann") == mine
    ranges = core.info("vn.info", mine).findall("AR_POOL/AR")
    assert [(each.findtext("AR_ID"), each.findtext("IP"), each.findtext("SIZE")) for each in ranges] == [
        ("0", "10.0.0.1", "2"),
        ("1", "10.0.0.3", "3"),
    ]
    assert _quota(core, "ann") == "5"
    # Whoever adds to it, its owner's quota counts.
    core.call("vn.reserve", lan, f"SIZE=1\nNETWORK_ID={mine}")
    assert (_quota(core, "ann"), _used(core, lan)) == ("6", 6)
    core.call("vn.free_ar", mine, 0, user="ann")
    assert (_quota(core, "ann"), _used(core, lan)) == ("4", 4)
    core.call("vn.hold", mine, "LEASES=[IP=10.0.0.4]", user="ann")
    _refused(core, INTERNAL, "vn.free_ar", mine, 1, user="ann")
    core.call("vn.free_ar", mine, 1, True, user="ann")
    assert (_quota(core, "ann"), _used(core, lan)) == ("1", 1)
    _consistent(core)


def test_delete_gives_addresses_back(core: Core, lan: int) -> None:
    mine = core.call("vn.reserve", lan, "NAME=mine\nSIZE=2", user="ann")
    core.call("vn.reserve", lan, "NAME=yours\nSIZE=2", user="bob")
    core.call("vn.delete", mine, user="ann")
    assert (_quota(core, "ann"), _quota(core, "bob"), _used(core, lan)) == (None, "2", 2)
    assert core.rows("SELECT cid FROM cluster_network_relation WHERE oid = ?", mine) == []
    _consistent(core)
    again = core.call("vn.reserve", lan, "NAME=mine\nSIZE=2", user="ann")
    assert core.info("vn.info", again).findtext("AR_POOL/AR/IP") == "10.0.0.1"


def test_quotas(core: Core, lan: int) -> None:
    ann = int(core.info("user.info", -1, user="ann").findtext("ID") or -1)
    core.call("user.quota", ann, f"NETWORK=[ID={lan},LEASES=3]")
    assert "LEASES" in _refused(core, AUTHORIZATION, "vn.reserve", lan, "NAME=a\nSIZE=4", user="ann").text
    assert _used(core, lan) == 0 and len(core.rows("SELECT 1 FROM network_pool")) == 1
    core.call("vn.reserve", lan, "NAME=a\nSIZE=2", user="ann")
    theirs = core.call("vn.reserve", lan, "NAME=b\nSIZE=2", user="bob")
    _refused(core, NO_EXISTS, "vn.chown", theirs, ann, -1)  # as OpenNebula
    assert (_quota(core, "ann"), _quota(core, "bob")) == ("2", "2")
    core.call("vn.delete", theirs)
    one = core.call("vn.reserve", lan, "NAME=b\nSIZE=1", user="bob")
    core.call("vn.chown", one, ann, -1)
    assert (_quota(core, "ann"), _quota(core, "bob")) == ("3", None)
    _consistent(core)


def test_a_reservation_that_found_no_room_takes_its_id_along(core: Core, lan: int) -> None:
    _refused(core, ACTION, "vn.reserve", lan, "NAME=a\nSIZE=9")
    _refused(core, ACTION, "vn.reserve", lan, "SIZE=9")
    assert core.call("vn.reserve", lan, "NAME=a\nSIZE=1") == lan + 2


def test_what_counts_although_the_parent_changed(core: Core, lan: int) -> None:
    mine = core.call("vn.reserve", lan, "NAME=mine\nSIZE=2", user="ann")
    core.call("vn.add_ar", mine, "AR=[TYPE=ETHER,SIZE=9]")  # not a part of the parent: nobody's quota
    _consistent(core)
    core.call("vn.rm_ar", lan, 0, True)
    _consistent(core)
    ann = int(core.info("user.info", -1, user="ann").findtext("ID") or -1)
    core.call("vn.chown", mine, ann + 1, -1)
    assert (_quota(core, "ann"), _quota(core, "bob")) == (None, "2")
    core.call("vn.free_ar", mine, 0, user="bob")
    assert _quota(core, "bob") is None
    _consistent(core)
