"""Virtual networks: what their template makes of them, VLAN ids, clusters, owners, deletion."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned import fsck
from services.oned.store.vlans import VlanMap
from tests.support.core import Core, Refused

AUTHORIZATION, NO_EXISTS, ACTION, API, INTERNAL = 0x200, 0x400, 0x800, 0x1000, 0x2000
LAN = "VN_MAD=dummy\nBRIDGE=br0\nAR=[TYPE=IP4,IP=10.0.0.1,SIZE=5]"
TAGGED = "VN_MAD=802.1Q\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=YES"


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _new(core: Core, name: str, template: str = LAN, user: str = "oneadmin") -> int:
    oid: int = core.call("vn.allocate", f'NAME="{name}"\n{template}', -1, user=user)
    return oid


def _template(core: Core, oid: int) -> Template:
    return Template.from_element(core.info("vn.info", oid).find("TEMPLATE"))


def _texts(core: Core, oid: int, *paths: str) -> list[str | None]:
    document = core.info("vn.info", oid)
    return [document.findtext(path) for path in paths]


# -- creation ----------------------------------------------------------------------------------------------
def test_a_new_network(core: Core) -> None:
    oid = _new(core, "lan ", f"{LAN}\nDNS=1.1.1.1")
    assert oid == 0
    assert _texts(core, oid, "NAME", "BRIDGE", "BRIDGE_TYPE", "VN_MAD", "PHYDEV", "PARENT_NETWORK_ID") == [
        "lan", "br0", "linux", "dummy", "", "",
    ]  # fmt: skip
    assert _template(core, oid) == Template.parse(
        'BRIDGE=br0\nBRIDGE_TYPE=linux\nDNS="1.1.1.1"\nPHYDEV=""\nSECURITY_GROUPS=0\nVN_MAD=dummy'
    )
    assert core.info("cluster.info", 0).findtext("VNETS/ID") == "0"
    assert core.rows("SELECT cid, oid FROM cluster_network_relation") == [(0, 0)]
    assert core.rows("SELECT name, pid, owner_u, group_u FROM network_pool") == [("lan", -1, 1, 0)]


@pytest.mark.parametrize(
    ("template", "bridge", "bridge_type"),
    [
        ("VN_MAD=bridge", "onebr0", "linux"),
        ("VN_MAD=BRIDGE", "onebr0", "linux"),
        ("VN_MAD=ovswitch\nVLAN_ID=7", "onebr.7", "openvswitch"),
        ("VN_MAD=802.1Q\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=yes", "onebr0", "linux"),
        ("VN_MAD=vcenter\nBRIDGE=pg", "pg", "vcenter_port_groups"),
        ("VN_MAD=elastic", "onebr0", "linux"),
        ("VN_MAD=bridge\nBRIDGE_TYPE=none", "onebr0", "linux"),
    ],
)
def test_bridges(core: Core, template: str, bridge: str, bridge_type: str) -> None:
    oid = _new(core, "lan", template)
    assert _texts(core, oid, "BRIDGE", "BRIDGE_TYPE", "TEMPLATE/BRIDGE", "TEMPLATE/BRIDGE_TYPE") == [
        bridge, bridge_type, bridge, bridge_type,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("", "VN_MAD"),
        ("VN_MAD=unknown", 'named "unknown" is not defined'),
        ("VN_MAD=dummy", "BRIDGE is mandatory for driver dummy"),
        ("VN_MAD=802.1Q\nVLAN_ID=1", "PHYDEV"),
        ("VN_MAD=vxlan\nPHYDEV=eth0", "VLAN_ID"),
        ("VN_MAD=802.1Q\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=NO", "VLAN_ID"),
        ("VN_MAD=ovswitch_vxlan", "OUTER_VLAN_ID"),
        ("VN_MAD=bridge\nAR=[TYPE=IP4,SIZE=3]", "IP attribute"),
    ],
)
def test_templates_that_are_refused(core: Core, template: str, words: str) -> None:
    assert words in _refused(core, INTERNAL, "vn.allocate", f"NAME=lan\n{template}", -1).text
    assert core.rows("SELECT 1 FROM network_pool") == []
    assert core.rows("SELECT 1 FROM cluster_network_relation") == []
    # The very first id is lost with a refusal, later ones are not.
    assert _new(core, "lan") == 1
    _refused(core, INTERNAL, "vn.allocate", f"NAME=dmz\n{template}", -1)
    assert _new(core, "dmz") == 2


def test_other_refusals_of_allocate(core: Core) -> None:
    core.add_user("ann")
    _refused(core, INTERNAL, "vn.allocate", "NAME=[", -1)
    _refused(core, NO_EXISTS, "vn.allocate", f"NAME=lan\n{LAN}", 99)
    _refused(core, AUTHORIZATION, "vn.allocate", f"NAME=lan\n{LAN}", -1, user="ann")
    assert "NAME" in _refused(core, INTERNAL, "vn.allocate", LAN, -1).text
    assert "'/'" in _refused(core, INTERNAL, "vn.allocate", f'NAME="a/b"\n{LAN}', -1).text
    _new(core, "lan")
    assert "taken by NET 1" in _refused(core, INTERNAL, "vn.allocate", f"NAME=lan\n{LAN}", -1).text
    ipam = _refused(
        core, ACTION, "vn.allocate", "NAME=x\nVN_MAD=bridge\nIPAM_MAD=aws\nAR=[TYPE=IP4,SIZE=3]", -1
    )
    assert "not available in this version" in ipam.text


@pytest.mark.parametrize(("given", "kept"), [("", "0"), ("100,5,100", "0,5,100"), ("x", "0")])
def test_security_groups(core: Core, given: str, kept: str) -> None:
    oid = _new(core, "lan", f'{LAN}\nSECURITY_GROUPS="{given}"')
    assert _texts(core, oid, "TEMPLATE/SECURITY_GROUPS") == [kept]


# -- VLAN ids ----------------------------------------------------------------------------------------------
def _taken(core: Core) -> list[int]:
    return core.store.run(lambda tx: VlanMap.load(tx).taken())


def test_vlan_ids_of_the_pool(core: Core) -> None:
    oids = [_new(core, f"v{number}", TAGGED) for number in range(3)]
    assert [_texts(core, oid, "VLAN_ID", "VLAN_ID_AUTOMATIC") for oid in oids] == [
        ["2", "1"],
        ["3", "1"],
        ["4", "1"],
    ]
    assert "VLAN_ID" not in _template(core, 0) and "AUTOMATIC_VLAN_ID" not in _template(core, 0)
    core.call("vn.delete", 1)
    assert _taken(core) == [2, 4]
    assert _texts(core, _new(core, "v5", "VN_MAD=ovswitch\nVLAN_ID=4"), "VLAN_ID", "VLAN_ID_AUTOMATIC") == [
        "4",
        "0",
    ]
    assert _taken(core) == [2, 4]
    core.call("vn.delete", 0)
    core.call("vn.delete", 3)
    assert _taken(core) == [4]


@pytest.mark.parametrize(
    ("template", "vlan", "outer"),
    [
        ("VN_MAD=vxlan\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=YES", "2", ""),
        ("VN_MAD=ovswitch_vxlan\nPHYDEV=eth0\nAUTOMATIC_OUTER_VLAN_ID=YES", "", "2"),
        ("VN_MAD=ovswitch_vxlan\nPHYDEV=eth0\nAUTOMATIC_OUTER_VLAN_ID=YES\nAUTOMATIC_VLAN_ID=YES", "2", "2"),
        ("VN_MAD=vxlan\nPHYDEV=eth0\nAUTOMATIC_VLAN_ID=YES\nVLAN_ID=77", "77", ""),
        ("VN_MAD=bridge\nAUTOMATIC_VLAN_ID=YES", "", ""),
    ],
)
def test_vlan_ids_by_driver(core: Core, template: str, vlan: str, outer: str) -> None:
    oid = _new(core, "v", template)
    assert _texts(core, oid, "VLAN_ID", "OUTER_VLAN_ID") == [vlan, outer]
    assert _taken(core) == ([2] if "ovswitch_vxlan" in template and vlan else [])


def test_the_pool_of_vlan_ids_is_used_up(core: Core) -> None:
    def fill(tx: object) -> None:
        full = VlanMap.load(tx)  # type: ignore[arg-type]
        for vlan_id in range(2, 4094):
            full.mark(vlan_id, True)
        full.save(tx)  # type: ignore[arg-type]

    core.store.run(fill)
    assert _texts(core, _new(core, "v0", TAGGED), "VLAN_ID") == ["4094"]
    assert "VLAN_IDS" in _refused(core, INTERNAL, "vn.allocate", f"NAME=v1\n{TAGGED}", -1).text
    assert core.rows("SELECT oid FROM network_pool") == [(0,)]


# -- update ------------------------------------------------------------------------------------------------
def test_update(core: Core) -> None:
    oid = _new(core, "v", f"{TAGGED}\nA=b")
    core.call("vn.update", oid, "DNS=8.8.8.8\nVN_MAD=bridge\nVLAN_ID=99\nAUTOMATIC_VLAN_ID=NO", 0)
    assert _texts(core, oid, "VN_MAD", "PHYDEV", "BRIDGE", "VLAN_ID", "VLAN_ID_AUTOMATIC") == [
        "bridge", "", "onebr0", "2", "1",
    ]  # fmt: skip
    assert _template(core, oid) == Template.parse(
        'BRIDGE=onebr0\nDNS=8.8.8.8\nOUTER_VLAN_ID=""\nPHYDEV=""\nVN_MAD=bridge'
    )
    core.call("vn.update", oid, "BRIDGE=br9\nSECURITY_GROUPS=100\nOUTER_VLAN_ID=5", 1)
    assert _texts(core, oid, "BRIDGE", "OUTER_VLAN_ID", "TEMPLATE/DNS") == ["br9", "5", "8.8.8.8"]
    _refused(core, API, "vn.update", oid, "A=b", 2)
    _refused(core, INTERNAL, "vn.update", oid, "A=[", 0)
    _refused(core, NO_EXISTS, "vn.update", 99, "A=b", 0)


def test_restricted_attributes(core: Core) -> None:
    ann = core.add_user("ann")
    oid = _new(core, "lan")
    core.call("vn.chown", oid, ann, -1)
    for text in ("BRIDGE=other", "PHYDEV=eth1", "VLAN_ID=4"):
        assert "restricted" in _refused(core, INTERNAL, "vn.update", oid, text, 1, user="ann").text
    core.call("vn.update", oid, "DNS=1.1.1.1", 0, user="ann")
    assert _texts(core, oid, "VN_MAD", "BRIDGE", "TEMPLATE/DNS") == ["dummy", "br0", "1.1.1.1"]


# -- what all kinds share ----------------------------------------------------------------------------------
def test_rename_chmod_chown_lock(core: Core) -> None:
    ann = core.add_user("ann")
    lan, dmz = _new(core, "lan"), _new(core, "dmz")
    core.call("vn.rename", lan, "office")
    assert _refused(core, ACTION, "vn.rename", lan, "dmz").object_id == lan
    core.call("vn.chmod", lan, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    core.call("vn.chown", dmz, ann, 1)
    assert _texts(core, dmz, "UNAME", "GNAME") == ["ann", "users"]
    _refused(core, AUTHORIZATION, "vn.chown", lan, ann, -1, user="ann")
    core.call("vn.lock", dmz, 2, user="ann")
    _refused(core, AUTHORIZATION, "vn.hold", dmz, "LEASES=[IP=10.0.0.2]", user="ann")
    core.call("vn.unlock", dmz, user="ann")
    core.call("vn.hold", dmz, "LEASES=[IP=10.0.0.2]", user="ann")


def test_lists(core: Core) -> None:
    ann = core.add_user("ann")
    for name in ("a", "b"):
        _new(core, name)
    core.call("vn.chown", 1, ann, -1)
    pool = core.info("vnpool.info", -2, -1, -1)
    assert [net.findtext("ID") for net in pool] == ["1", "0"]
    assert [net.findtext("ID") for net in core.info("vnpool.info", -3, -1, -1, user="ann")] == ["1"]
    _refused(core, API, "vnpool.info", -5, -1, -1)


def test_who_sees_which_leases(core: Core) -> None:
    core.add_user("ann")
    core.add_user("bob")
    oid = _new(core, "lan")
    core.call("vn.chmod", oid, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    mine = core.call("vn.reserve", oid, "NAME=mine\nSIZE=1", user="ann")
    core.call("vn.hold", oid, "LEASES=[IP=10.0.0.5]")
    paths = ("AR_POOL/AR/USED_LEASES", "AR_POOL/AR/LEASES/LEASE/VNET", "AR_POOL/AR/LEASES/LEASE/VM")

    def shown(user: str) -> list[str | None]:
        document = core.info("vn.info", oid, user=user)
        return [document.findtext(path) for path in paths]

    assert shown("oneadmin") == ["2", str(mine), "-1"]
    assert shown("ann") == ["2", str(mine), None]
    assert shown("bob") == ["2", None, None]


# -- clusters and deletion ---------------------------------------------------------------------------------
def test_clusters(core: Core) -> None:
    core.add_user("ann")
    east = core.call("cluster.allocate", "east")
    oid = core.call("vn.allocate", f"NAME=lan\n{LAN}", east)
    assert [cluster.text for cluster in core.info("vn.info", oid).iterfind("CLUSTERS/ID")] == [str(east)]
    assert core.call("cluster.addvnet", 0, oid) == 0
    assert core.call("cluster.addvnet", 0, oid) == 0
    assert [cluster.text for cluster in core.info("vn.info", oid).iterfind("CLUSTERS/ID")] == ["0", str(east)]
    assert core.rows("SELECT cid FROM cluster_network_relation ORDER BY cid") == [(0,), (east,)]
    assert core.call("cluster.delvnet", east, oid) == east
    assert core.call("cluster.delvnet", east, oid) == east
    assert core.info("cluster.info", east).find("VNETS/ID") is None
    _refused(core, NO_EXISTS, "cluster.addvnet", 99, oid)
    _refused(core, NO_EXISTS, "cluster.addvnet", 0, 99, user="ann")
    _refused(core, AUTHORIZATION, "cluster.delvnet", 0, oid, user="ann")
    core.call("vn.delete", oid)
    assert core.rows("SELECT cid FROM cluster_network_relation") == []
    assert core.info("cluster.info", 0).find("VNETS/ID") is None


def test_delete(core: Core) -> None:
    core.add_user("ann")
    oid = _new(core, "lan")
    _refused(core, NO_EXISTS, "vn.delete", 99)
    _refused(core, AUTHORIZATION, "vn.delete", oid, user="ann")
    core.call("vn.hold", oid, "LEASES=[IP=10.0.0.2]")
    assert "leases in use" in _refused(core, ACTION, "vn.delete", oid).text
    core.call("vn.release", oid, "LEASES=[IP=10.0.0.2]")
    assert core.call("vn.delete", oid) == oid
    _refused(core, NO_EXISTS, "vn.info", oid)
    with core.store.read() as tx:
        assert fsck.check(tx) == []


def test_rules_about_all_networks_do_not_mean_reservations(core: Core) -> None:
    ann, bob = core.add_user("ann"), core.add_user("bob")
    oid = _new(core, "lan")
    mine = core.call("vn.reserve", oid, "NAME=mine\nSIZE=1")
    core.call("vn.chown", mine, ann, -1)

    def seen(user: str) -> list[str | None]:
        return [net.findtext("ID") for net in core.info("vnpool.info", -2, -1, -1, user=user)]

    # The default VDC lets members of the group "users" use every network of every cluster.
    core.call("vn.info", oid, user="bob")
    _refused(core, AUTHORIZATION, "vn.info", mine, user="bob")
    assert (seen("ann"), seen("bob")) == ([str(mine), str(oid)], [str(oid)])
    users_rule = core.call("acl.addrule", hex(0x100000000 | bob), hex(0x4100000000 | mine), "0x1")
    assert seen("bob") == [str(mine), str(oid)]
    core.call("vn.info", mine, user="bob")
    core.call("acl.delrule", users_rule)
    core.call("acl.addrule", "0x400000000", "0x4400000000", "0x7", "0x400000000")
    _refused(core, AUTHORIZATION, "vn.info", mine, user="bob")
    assert seen("bob") == [str(oid)]
