"""Leases of network cards: which network is meant, what the card gets, what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from services.common.template import Template, Vector
from services.oned.api.call import Call
from services.oned.auth import session
from services.oned.errors import RequestError
from services.oned.lifecycle import nic_lease
from services.oned.store import Tx
from tests.support.core import Core
from tests.support.zone import SESSION

_R = TypeVar("_R")
LAN = (
    "NAME=lan\nVN_MAD=802.1Q\nPHYDEV=eth0\nVLAN_ID=7\nBRIDGE=br0\nSECURITY_GROUPS=100\n"
    "AR=[TYPE=IP4,IP=10.0.0.1,SIZE=2]\n"
    'AR=[TYPE=IP4_6_STATIC,IP=10.0.1.1,IP6="2001:db8::1",PREFIX_LENGTH=64,SIZE=3,MAC=02:00:00:00:00:01,'
    'SECURITY_GROUPS="7,100",BRIDGE=br1,VLAN_ID=8,MTU=1400,GATEWAY=10.0.1.254]\n'
    "GATEWAY=10.0.0.254\nMTU=1500\nFILTER=[FILTER_IP_SPOOFING=YES]\nDNS=1.1.1.1"
)


class Network:
    """A network, and its leases taken and given back as the life-cycle does."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.oid: int = core.call("vn.allocate", LAN, -1)

    def lease(self, text: str = "", kind: str = "VM", owner: int = 5, net: int | None = None) -> Vector:
        """A card's vector, filled in."""
        nic = _nic(f"NIC_ID=0,{text}" if text else "NIC_ID=0")
        target = self.oid if net is None else net
        self._run(lambda call: nic_lease.lease(call, target, nic, kind, owner))
        return nic

    def resolve(self, text: str, who: str = SESSION) -> int:
        """The network that a card names."""
        return self._run(lambda call: nic_lease.resolve(call, _nic(text)), who)

    def release(self, nic: Vector, kind: str = "VM", owner: int = 5) -> None:
        """Give a card's address back."""
        self.core.store.run(lambda tx: nic_lease.release(tx, nic, kind, owner))

    def taken(self) -> list[str]:
        """Holder and address of each lease."""
        found = []
        for lease in self.core.info("vn.info", self.oid).iterfind("AR_POOL/AR/LEASES/LEASE"):
            holder = next(part for part in lease if part.tag in ("VM", "VROUTER"))
            found.append(f"{holder.tag} {holder.text} {lease.findtext('IP')}")
        return found

    def _run(self, work: Callable[[Call], _R], who: str = SESSION) -> _R:
        conf = self.core.zone.conf

        def call(tx: Tx) -> _R:
            return work(Call(tx, session.authenticate(tx, who, conf), conf, "one.vm.allocate"))

        return self.core.store.run(call)


def _nic(text: str) -> Vector:
    return Template.parse(f"NIC=[{text}]").vectors("NIC")[0]


@pytest.fixture
def lan(core: Core) -> Network:
    """The network; oneadmin's."""
    return Network(core)


# -- which network -----------------------------------------------------------------------------------------
def test_by_id_and_name(core: Core, lan: Network) -> None:
    core.add_user("ann")
    assert [lan.resolve(text) for text in ("NETWORK_ID=0", "NETWORK=lan", 'NETWORK_ID=" 0x"')] == [0, 0, 0]
    for owner in ("NETWORK_UID=0", "NETWORK_UNAME=oneadmin"):
        assert lan.resolve(f"NETWORK=lan,{owner}", "ann:pw-ann") == 0
    assert lan.resolve("MODEL=virtio") == nic_lease.NO_NETWORK


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NETWORK_ID=9", "ID: 9 does not exist"),
        ("NETWORK_ID=x", "ID: x does not exist"),
        ("NETWORK_ID=-1", "ID: -1 does not exist"),
        ("NETWORK=wan", "User 0 does not own a network with name: wan"),
        ("NETWORK=lan,NETWORK_UID=2", "User 2 does not own"),
        ("NETWORK=lan,NETWORK_UID=x", "NETWORK_UID"),
        ("NETWORK=lan,NETWORK_UNAME=eve", "eve"),
    ],
)
def test_no_such_network(lan: Network, text: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        lan.resolve(text)


# -- what a card gets --------------------------------------------------------------------------------------
def test_the_first_free_address(lan: Network) -> None:
    assert lan.lease("MODEL=virtio") == {
        "NIC_ID": "0", "MODEL": "virtio", "NETWORK": "lan", "NETWORK_ID": "0", "VN_MAD": "802.1Q",
        "PHYDEV": "eth0", "VLAN_ID": "7", "BRIDGE": "br0", "BRIDGE_TYPE": "linux", "TARGET": "one-5-0",
        "CLUSTER_ID": "0", "AR_ID": "0", "MAC": "02:00:0a:00:00:01", "IP": "10.0.0.1",
        "SECURITY_GROUPS": "0,100", "GATEWAY": "10.0.0.254", "MTU": "1500", "FILTER_IP_SPOOFING": "YES",
    }  # fmt: skip
    assert [lan.lease()["IP"] for _ in range(4)] == ["10.0.0.2", "10.0.1.1", "10.0.1.2", "10.0.1.3"]
    with pytest.raises(RequestError, match="lease from virtual network 0. No address is free"):
        lan.lease()
    assert len(lan.taken()) == 5


def test_the_range_goes_before_the_network(lan: Network) -> None:
    nic = lan.lease("IP=10.0.1.2,MTU=9000,TARGET=tap7,SECURITY_GROUPS=50,NETWORK=other,AR_ID=0")
    expected = {
        "BRIDGE": "br1", "VLAN_ID": "8", "MTU": "9000", "GATEWAY": "10.0.1.254", "AR_ID": "1",
        "IP": "10.0.1.2", "IP6": "2001:db8::2", "MAC": "02:00:00:00:00:02", "TARGET": "tap7",
        "SECURITY_GROUPS": "0,7,50,100", "NETWORK": "lan",
    }  # fmt: skip
    assert {name: nic[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("wish", "ip"),
    [("IP=10.0.0.2", "10.0.0.2"), ('IP6="2001:db8::3"', "10.0.1.3"), ("MAC=02:00:0A:00:00:02", "10.0.0.2")],
)
def test_an_address_that_is_asked_for(lan: Network, wish: str, ip: str) -> None:
    assert lan.lease(wish)["IP"] == ip
    with pytest.raises(RequestError, match="is not free"):
        lan.lease(wish)
    assert lan.taken() == [f"VM 5 {ip}"]


@pytest.mark.parametrize("wish", ["IP=10.0.0.3", "IP=no", "MAC=02:00:00:00:00:01,IP=10.0.0.1"])
def test_an_address_that_cannot_be_had(lan: Network, wish: str) -> None:
    with pytest.raises(RequestError, match="Cannot get IP/MAC lease"):
        lan.lease(wish)
    assert lan.taken() == []


def test_a_card_in_a_reservation(core: Core, lan: Network) -> None:
    mine = core.call("vn.reserve", lan.oid, "NAME=mine\nSIZE=1")
    nic = lan.lease(net=mine)
    names = ("NETWORK_ID", "PARENT_NETWORK_ID", "IP", "VLAN_ID")
    assert [nic[name] for name in names] == [str(mine), "0", "10.0.0.1", "7"]


def test_a_range_of_an_ipam_driver_is_passed_over(core: Core, lan: Network) -> None:
    def take_over(tx: Tx) -> None:
        tx.run("UPDATE network_pool SET body = REPLACE(body, '<AR_ID><![CDATA[0]]></AR_ID>', ?)",
               "<AR_ID><![CDATA[0]]></AR_ID><IPAM_MAD><![CDATA[aws]]></IPAM_MAD>")  # fmt: skip

    core.store.run(take_over)
    assert lan.lease()["IP"] == "10.0.1.1"
    with pytest.raises(RequestError, match="is not free"):
        lan.lease("IP=10.0.0.1")


# -- virtual routers ---------------------------------------------------------------------------------------
def test_a_virtual_router(core: Core, lan: Network) -> None:
    plain = lan.lease(kind="VR", owner=3)
    assert plain == {"NIC_ID": "0", "NETWORK": "lan", "NETWORK_ID": "0"} and lan.taken() == []
    nic = lan.lease("FLOATING_IP=yes,IP=10.0.0.2", kind="VR", owner=3)
    assert (nic["IP"], nic["AR_ID"], "SECURITY_GROUPS" in nic) == ("10.0.0.2", "0", False)
    assert lan.taken() == ["VROUTER 3 10.0.0.2"]
    assert core.info("vn.info", 0).findtext("VROUTERS/ID") == "3"
    lan.release({**nic, "VROUTER_MAC": nic["MAC"]}, kind="VR", owner=3)
    assert lan.taken() == [] and core.info("vn.info", 0).find("VROUTERS/ID") is None


# -- giving back -------------------------------------------------------------------------------------------
def test_an_address_comes_back(core: Core, lan: Network) -> None:
    stored = "SELECT REPLACE(body, '<ALLOCATED><![CDATA[]]></ALLOCATED>', '') FROM network_pool"
    before = core.rows(stored)
    nics = [lan.lease() for _ in range(3)]
    lan.release(nics[1], owner=6)  # not its owner
    lan.release(nics[1])
    lan.release(nics[1])
    assert lan.taken() == ["VM 5 10.0.0.1", "VM 5 10.0.1.1"]
    assert lan.lease()["IP"] == "10.0.0.2"
    without_range = {name: text for name, text in nics[0].items() if name != "AR_ID"}
    for nic in (without_range, nics[1], nics[2]):
        lan.release(nic)
    assert lan.taken() == [] and core.rows(stored) == before


@pytest.mark.parametrize(
    "text", ["NETWORK_ID=9,MAC=02:00:0a:00:00:01", "NETWORK_ID=0", "MODEL=x", "NETWORK_ID=x,MAC=y"]
)
def test_nothing_to_give_back(lan: Network, text: str) -> None:
    lan.lease()
    lan.release(_nic(text))
    assert lan.taken() == ["VM 5 10.0.0.1"]
