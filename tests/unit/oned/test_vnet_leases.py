"""Address ranges of networks, and addresses that are kept from use."""

from __future__ import annotations

import pytest

from services.oned import fsck
from tests.support.core import Core, Refused

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
LAN = (
    "NAME=lan\nVN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.0.0.1,SIZE=5]\n"
    'AR=[TYPE=IP6_STATIC,IP6="2001:db8::1",PREFIX_LENGTH=64,SIZE=5,MAC=02:00:0a:00:00:01]'
)


@pytest.fixture
def lan(core: Core) -> int:
    """A network with an IPv4 range and a static IPv6 range of the same MAC addresses; ann owns it."""
    oid: int = core.call("vn.allocate", LAN, -1)
    core.call("vn.chown", oid, core.add_user("ann"), -1)
    core.add_user("bob")
    return oid


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _held(core: Core, oid: int) -> list[str]:
    """Range and address of each lease."""
    found = []
    for each in core.info("vn.info", oid).iterfind("AR_POOL/AR"):
        for lease in each.iterfind("LEASES/LEASE"):
            assert lease.findtext("VM") == "-1"
            found.append(f"{each.findtext('AR_ID')}:{lease.findtext('IP') or lease.findtext('IP6')}")
    return found


def _stored(core: Core) -> str:
    return str(core.rows("SELECT body FROM network_pool ORDER BY oid")[0][0])


# -- addresses on hold -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lease", "held"),
    [
        ("IP=10.0.0.2", ["0:10.0.0.2"]),
        ('IP6="2001:db8::5"', ["1:2001:db8::5"]),
        ("MAC=02:00:0A:00:00:03", ["0:10.0.0.3", "1:2001:db8::3"]),
        ("MAC=02:00:0a:00:00:03,AR_ID=1", ["1:2001:db8::3"]),
        ("IP=10.0.0.2,AR_ID=0", ["0:10.0.0.2"]),
    ],
)
def test_hold_and_release(core: Core, lan: int, lease: str, held: list[str]) -> None:
    before = _stored(core)
    assert core.call("vn.hold", lan, f"LEASES=[{lease}]", user="ann") == lan
    assert _held(core, lan) == held
    assert core.info("vn.info", lan).findtext("USED_LEASES") == str(len(held))
    assert " 73014444031]]></ALLOCATED>" in _stored(core)
    _refused(core, INTERNAL, "vn.hold", lan, f"LEASES=[{lease}]")
    assert core.call("vn.release", lan, f"LEASES=[{lease}]", user="ann") == lan
    assert _held(core, lan) == []
    assert _stored(core).replace("<ALLOCATED><![CDATA[]]></ALLOCATED>", "") == before


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("LEASES=[IP=10.0.0.9]", "not part"),
        ("LEASES=[IP=10.0.0.2,AR_ID=1]", "not part"),
        ("LEASES=[IP=10.0.0.2,AR_ID=7]", "not part"),
        ("LEASES=[IP=nonsense]", "not part"),
        ("LEASES=[IP=10.0.0.2,MAC=02:00:0a:00:00:02]", "Only one"),
        ("LEASES=[AR_ID=0]", "Missing"),
        ("LEASES=10.0.0.2", "Empty"),
        ("", "Empty"),
        ("LEASES=[", "expected"),
    ],
)
def test_what_cannot_be_held(core: Core, lan: int, template: str, words: str) -> None:
    assert words in _refused(core, INTERNAL, "vn.hold", lan, template).text
    assert _held(core, lan) == []


def test_release_leaves_other_leases_alone(core: Core, lan: int) -> None:
    core.call("vn.reserve", lan, "NAME=res\nSIZE=1")
    core.call("vn.release", lan, "LEASES=[IP=10.0.0.1]")
    core.call("vn.release", lan, "LEASES=[IP=10.0.0.4]")
    assert core.info("vn.info", lan).findtext("USED_LEASES") == "1"
    assert "Missing" in _refused(core, INTERNAL, "vn.release", lan, "LEASES=[AR_ID=0]").text
    assert "Empty" in _refused(core, INTERNAL, "vn.release", lan, "A=b").text


@pytest.mark.parametrize("method", ["vn.hold", "vn.release", "vn.update_ar", "vn.add_ar"])
def test_rights(core: Core, lan: int, method: str) -> None:
    _refused(core, NO_EXISTS, method, 99, "", user="bob")
    _refused(core, NO_EXISTS, method, -1, "")
    _refused(core, AUTHORIZATION, method, -1, "", user="bob")
    _refused(core, AUTHORIZATION, method, lan, "", user="bob")
    if method == "vn.add_ar":
        _refused(core, AUTHORIZATION, method, lan, "", user="ann")


# -- ranges ------------------------------------------------------------------------------------------------
def test_add_and_remove_ranges(core: Core, lan: int) -> None:
    core.call("vn.add_ar", lan, "AR=[TYPE=ETHER,SIZE=7,MAC=02:00:00:00:00:10]\nAR=[TYPE=ETHER,SIZE=1]")
    ranges = core.info("vn.info", lan).findall("AR_POOL/AR")
    assert [each.findtext("AR_ID") for each in ranges] == ["0", "1", "2"]
    assert ranges[2].findtext("MAC_END") == "02:00:00:00:00:16"
    for text, words in (
        ("A=b", "missing"),
        ("AR=x", "missing"),
        ("AR=[SIZE=1]", "TYPE"),
        ("AR=[", "expected"),
    ):
        assert words in _refused(core, INTERNAL, "vn.add_ar", lan, text).text
    _refused(core, ACTION, "vn.add_ar", lan, "AR=[TYPE=IP4,SIZE=1,IP=1.1.1.1,IPAM_MAD=aws]")
    core.call("vn.rm_ar", lan, 1)
    _refused(core, INTERNAL, "vn.rm_ar", lan, 1)
    _refused(core, INTERNAL, "vn.rm_ar", lan, -1)
    core.call("vn.add_ar", lan, "AR=[TYPE=ETHER,SIZE=1]")
    assert [each.findtext("AR_ID") for each in core.info("vn.info", lan).iterfind("AR_POOL/AR")] == [
        "0",
        "2",
        "3",
    ]


def test_a_range_with_leases_goes_by_force_only(core: Core, lan: int) -> None:
    core.call("vn.hold", lan, "LEASES=[IP=10.0.0.2]")
    assert "leases in use" in _refused(core, INTERNAL, "vn.rm_ar", lan, 0).text
    _refused(core, AUTHORIZATION, "vn.rm_ar", lan, 0, True, user="ann")
    core.call("vn.free_ar", lan, 0, True, user="ann")  # OpenNebula asks for MANAGE only here
    assert core.info("vn.info", lan).findtext("USED_LEASES") == "0"


def test_update_ar(core: Core, lan: int) -> None:
    core.call("vn.update_ar", lan, "AR=[AR_ID=0,SIZE=9,GATEWAY=10.0.0.254,IP=1.1.1.1]", user="ann")
    each = core.info("vn.info", lan).find("AR_POOL/AR")
    assert each is not None
    assert [each.findtext(name) for name in ("SIZE", "GATEWAY", "IP", "IP_END", "TYPE")] == [
        "9", "10.0.0.254", "10.0.0.1", "10.0.0.9", "IP4",
    ]  # fmt: skip
    core.call("vn.hold", lan, "LEASES=[IP=10.0.0.9]")
    for text, words in (
        ("AR=[SIZE=3]", "AR_ID"),
        ("AR=[AR_ID=5]", "5 was not found"),
        ("AR=[AR_ID=0,SIZE=3]", "outside"),
        ("", "missing"),
    ):
        assert words in _refused(core, INTERNAL, "vn.update_ar", lan, text).text


def test_a_range_of_a_reservation(core: Core, lan: int) -> None:
    core.call("vn.chmod", lan, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    core.call("vn.update_ar", lan, "AR=[AR_ID=0,BRIDGE=b7]")
    core.call("vn.reserve", lan, "NAME=res\nSIZE=2\nAR_ID=0", user="bob")
    core.call("vn.update_ar", 1, "AR=[AR_ID=0,BRIDGE=other,DNS=1.1.1.1]", user="bob")
    each = core.info("vn.info", 1, user="bob").find("AR_POOL/AR")
    assert each is not None
    assert [each.findtext(name) for name in ("BRIDGE", "DNS", "SIZE")] == ["b7", "1.1.1.1", "2"]
    assert "SIZE" in _refused(core, INTERNAL, "vn.update_ar", 1, "AR=[AR_ID=0,SIZE=3]", user="bob").text
    core.call("vn.update_ar", 1, "AR=[AR_ID=0,BRIDGE=other]")
    assert core.info("vn.info", 1).findtext("AR_POOL/AR/BRIDGE") == "other"
    core.call("vn.free_ar", 1, 0, user="bob")
    assert core.info("vn.info", lan).findtext("USED_LEASES") == "0"
    with core.store.read() as tx:
        assert fsck.check(tx) == []


def test_fsck_sees_what_is_wrong(core: Core, lan: int) -> None:
    core.call("vn.reserve", lan, "NAME=res\nSIZE=1")

    def spoil(tx: object) -> None:
        for old, new in (
            (" 0 274877906945", " 1 68719476743 9 274877906945"),
            ("<VROUTERS>", "<VROUTERS><ID>3</ID>"),
            ("<CLUSTERS><ID>0</ID>", "<CLUSTERS>"),
        ):
            tx.run("UPDATE network_pool SET body = REPLACE(body, ?, ?) WHERE oid = ?", old, new, lan)  # type: ignore[attr-defined]

    core.store.run(spoil)
    with core.store.read() as tx:
        found = "\n".join(fsck.check(tx))
    for words in (
        "address 02:00:0a:00:00:01 of reservation 1 is not recorded",
        "address 02:00:0a:00:00:02 of virtual machine 7 is recorded, but not used",
        "range 0 has leases beyond its size, 5",
        "VROUTERS lists [3]",
        "cluster 0: VNETS are [0, 1], they say [1]",
        "cluster_network_relation",
    ):
        assert words in found, found
