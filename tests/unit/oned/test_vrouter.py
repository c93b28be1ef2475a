"""Virtual routers: cards, floating addresses and their quotas; what every kind with an owner has."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.template import Template
from services.oned import fsck
from tests.support.core import Core, Refused
from tests.support.schemas import Schemas

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
LAN = "NAME=lan\nVN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.0.0.1,SIZE=3]"
FLOATING = "NAME=r\nNIC=[NETWORK_ID=0,FLOATING_IP=yes]"


@pytest.fixture(autouse=True)
def lan(core: Core) -> None:
    """Network 0 with three addresses, which group "users" may use; ann and bob of that group."""
    core.call("vdc.delgroup", 0, 1)  # which lets them use every network
    core.call("vn.allocate", LAN, -1)
    core.call("vn.chown", 0, -1, 1)
    core.call("vn.chmod", 0, *([-1] * 3), 1, *([-1] * 5))
    core.add_user("ann")
    core.add_user("bob")
    for kind in ("100000002", "100000003"):
        core.call("acl.addrule", kind, "4000400000000", "8", "400000000")  # VROUTER/* CREATE


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _nics(core: Core, oid: int = 0) -> list[dict[str, str]]:
    return Template.from_element(core.info("vrouter.info", oid).find("TEMPLATE")).vectors("NIC")


def _leases(core: Core) -> list[tuple[str | None, str | None]]:
    found = core.info("vn.info", 0).iterfind("AR_POOL/AR/LEASES/LEASE")
    return [(lease.findtext("IP"), lease.findtext("VROUTER")) for lease in found]


def _used(core: Core, user: str) -> str:
    return core.info("user.info", -1, user=user).findtext("NETWORK_QUOTA/NETWORK/LEASES_USED") or "0"


def _contradictions(core: Core) -> list[str]:
    return core.store.run(fsck.check)


# -- creation and end --------------------------------------------------------------------------------------
def test_a_new_router(core: Core, shared_folder: Path) -> None:
    text = (
        "NAME=r\nKEEPALIVED_ID=7\nNIC=[NETWORK=lan,NETWORK_UNAME=oneadmin]\n"
        "NIC=[NETWORK_ID=0,FLOATING_IP=YES,IP=10.0.0.2]"
    )
    assert core.call("vrouter.allocate", text, user="ann") == 0
    document = core.info("vrouter.info", 0)
    assert Schemas(shared_folder / "spec/xsd").problem(core.call("vrouter.info", 0)) is None
    assert [found.tag for found in document] == [
        *("ID", "UID", "GID", "UNAME", "GNAME", "NAME", "PERMISSIONS", "VMS", "TEMPLATE"),
    ]
    assert _nics(core) == [
        {"NETWORK": "lan", "NETWORK_ID": "0", "NETWORK_UNAME": "oneadmin", "NIC_ID": "0"},
        {
            "AR_ID": "0",
            "FLOATING_IP": "YES",
            "NETWORK": "lan",
            "NETWORK_ID": "0",
            "NIC_ID": "1",
            "VROUTER_IP": "10.0.0.2",
            "VROUTER_MAC": "02:00:0a:00:00:02",
        },
    ]
    assert document.findtext("TEMPLATE/KEEPALIVED_ID") == "7"
    assert _leases(core) == [("10.0.0.2", "0")]
    assert [found.text for found in core.info("vn.info", 0).findall("VROUTERS/ID")] == ["0"]
    assert _contradictions(core) == []
    assert core.call("vrouter.delete", 0, user="ann") == 0
    assert _leases(core) == [] and core.info("vn.info", 0).findall("VROUTERS/ID") == []
    assert _contradictions(core) == []


def test_refused_routers(core: Core) -> None:
    for text in (
        "NIC=[NETWORK_ID=0]",
        'NAME="a;b"',
        "NAME=[",
        "NAME=r\nNIC=[NETWORK_ID=9]",
        "NAME=r\nNIC=[NETWORK=nowhere]",
        "NAME=r\nNIC=[NETWORK_ID=0,FLOATING_IP=YES,IP=10.9.9.9]",
        "NAME=r\nNIC=[NETWORK_ID=0,FLOATING_IP=YES,IP=10.0.0.1,MAC=02:00:0a:00:00:01]",
    ):
        _refused(core, INTERNAL, "vrouter.allocate", text)
    assert _leases(core) == []
    core.call("vn.chmod", 0, *([-1] * 3), 0, *([-1] * 5))
    _refused(core, AUTHORIZATION, "vrouter.allocate", FLOATING, user="ann")
    core.call("acl.delrule", 6)
    _refused(core, AUTHORIZATION, "vrouter.allocate", "NAME=r", user="ann")
    assert core.call("vrouterpool.info", -2, -1, -1) == "<VROUTER_POOL></VROUTER_POOL>"


def test_what_users_may_not_ask_for_goes(core: Core) -> None:
    card = "NIC=[NETWORK_ID=0,FLOATING_IP=YES,VLAN_ID=5,BRIDGE=br7]"
    core.call("vrouter.allocate", f"NAME=r\n{card}", user="ann")
    assert "BRIDGE" not in _nics(core)[0] and _nics(core)[0]["VROUTER_VLAN_ID"] == "5"


def test_floating_addresses_count(core: Core) -> None:
    core.call("user.quota", 2, "NETWORK=[ID=0,LEASES=1]")
    core.call("vrouter.allocate", FLOATING + "\nNIC=[NETWORK_ID=0]", user="ann")
    assert _used(core, "ann") == "1"
    _refused(core, AUTHORIZATION, "vrouter.allocate", FLOATING, user="ann")
    assert core.call("vrouter.allocate", "NAME=r\nNIC=[NETWORK_ID=0]", user="ann") == 1
    _refused(core, AUTHORIZATION, "vrouter.attachnic", 1, "NIC=[NETWORK_ID=0,FLOATING_IP=YES]", user="ann")
    core.call("vrouter.chown", 0, 3, -1)
    assert (_used(core, "ann"), _used(core, "bob")) == ("0", "1")
    core.call("vrouter.attachnic", 1, "NIC=[NETWORK_ID=0,FLOATING_IP=YES]", user="ann")
    core.call("vrouter.detachnic", 1, 1, user="ann")
    core.call("vrouter.delete", 0, user="bob")
    assert (_used(core, "ann"), _used(core, "bob")) == ("0", "0")
    assert _contradictions(core) == []


# -- changes -----------------------------------------------------------------------------------------------
def test_attributes_change_and_cards_stay(core: Core) -> None:
    core.call("vrouter.allocate", FLOATING + "\nA=1", user="ann")
    cards = _nics(core)
    core.call("vrouter.update", 0, "B=2\nNIC=[NETWORK_ID=0]", 1, user="ann")
    assert _nics(core) == cards and core.info("vrouter.info", 0).findtext("TEMPLATE/A") == "1"
    core.call("vrouter.update", 0, "C=3\nNIC=[NETWORK_ID=0]", 0, user="ann")
    found = core.info("vrouter.info", 0)
    assert _nics(core) == cards and found.find("TEMPLATE/A") is None and found.findtext("TEMPLATE/C") == "3"


def test_cards_come_and_go(core: Core) -> None:
    core.call("vrouter.allocate", FLOATING, user="ann")
    assert (
        core.call("vrouter.attachnic", 0, "NIC=[NETWORK_ID=0,FLOATING_IP=YES,IP=10.0.0.3]", user="ann") == 0
    )
    assert [nic["VROUTER_IP"] for nic in _nics(core)] == ["10.0.0.1", "10.0.0.3"]
    for text in (
        "NIC_ALIAS=[NETWORK_ID=0,PARENT=NIC0]",
        "NIC=[NETWORK_ID=0]\nNIC=[NETWORK_ID=0]",
        "X=1",
        "NIC=[NETWORK_ID=9]",
        "NIC=[NETWORK_ID=0,FLOATING_IP=YES,IP=10.0.0.3]",
    ):
        _refused(core, ACTION, "vrouter.attachnic", 0, text)
    _refused(core, INTERNAL, "vrouter.attachnic", 0, "NIC=[")
    _refused(core, NO_EXISTS, "vrouter.attachnic", 9, "NIC=[NETWORK_ID=0]")
    _refused(core, AUTHORIZATION, "vrouter.attachnic", 0, "NIC=[NETWORK_ID=0]", user="bob")
    assert len(_nics(core)) == 2
    assert core.call("vrouter.detachnic", 0, 0, user="ann") == 0
    assert [nic["NIC_ID"] for nic in _nics(core)] == ["1"] and _leases(core) == [("10.0.0.3", "0")]
    _refused(core, ACTION, "vrouter.detachnic", 0, 0)
    _refused(core, NO_EXISTS, "vrouter.detachnic", 9, 0)
    _refused(core, AUTHORIZATION, "vrouter.detachnic", 0, 1, user="bob")
    assert core.call("vrouter.attachnic", 0, "NIC=[NETWORK_ID=0]", user="ann") == 0
    assert [nic["NIC_ID"] for nic in _nics(core)] == ["1", "2"]


def test_names(core: Core) -> None:
    core.call("vrouter.allocate", "NAME=r", user="ann")
    assert core.call("vrouter.allocate", "NAME=r", user="ann") == 1
    core.call("vrouter.rename", 1, "s", user="ann")
    core.call("vrouter.rename", 1, "r", user="ann")
    _refused(core, ACTION, "vrouter.rename", 1, "a;b", user="ann")
    core.call("vrouter.allocate", "NAME=r", user="bob")
    # Only a new owner may not have the name twice.
    assert "already owns" in _refused(core, INTERNAL, "vrouter.chown", 0, 3, -1).text
    assert core.call("vrouter.chown", 0, 0, 0) == 0
    assert core.info("vrouter.info", 0).findtext("GNAME") == "oneadmin"


def test_rights_and_locks(core: Core) -> None:
    core.call("vrouter.allocate", "NAME=r", user="ann")
    for method, args in (
        ("vrouter.info", (0,)),
        ("vrouter.update", (0, "X=1", 1)),
        ("vrouter.rename", (0, "else")),
        ("vrouter.chmod", (0, 1, 1, 1, -1, -1, -1, -1, -1, -1)),
        ("vrouter.chown", (0, 3, -1)),
        ("vrouter.lock", (0, 1)),
        ("vrouter.unlock", (0,)),
        ("vrouter.delete", (0,)),
    ):
        _refused(core, AUTHORIZATION, method, *args, user="bob")
        _refused(core, NO_EXISTS, method, 7, *args[1:])
    core.call("vrouter.chmod", 0, -1, -1, -1, 1, -1, -1, -1, -1, -1, True, user="ann")
    assert core.info("vrouterpool.info", -2, -1, -1, user="bob").findtext("VROUTER/ID") == "0"
    core.call("vrouter.lock", 0, 1, user="ann")
    assert [found.tag for found in core.info("vrouter.info", 0)][6:9] == ["PERMISSIONS", "LOCK", "VMS"]
    _refused(core, AUTHORIZATION, "vrouter.delete", 0, user="ann")
    core.call("vrouter.unlock", 0, user="ann")
    assert core.call("vrouter.delete", 0, True, user="ann") == 0
