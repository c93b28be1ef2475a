"""VDCs: members, documents, rights; and the permission rules that members give to groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.core import Core, Refused
from tests.support.schemas import Schemas

AUTHORIZATION, NO_EXISTS, ACTION, INTERNAL = 0x200, 0x400, 0x800, 0x2000
ALL = -10


@pytest.fixture
def zone(core: Core) -> Core:
    """Groups 100 and 101, hosts 0 and 1, cluster 100, VDC 100; the rules of the default VDC are gone."""
    for name in ("devs", "ops"):
        core.call("group.allocate", name)
    for host in ("n1", "n2"):
        core.call("host.allocate", host, "dummy", "dummy", 0)
    core.call("cluster.allocate", "c1")
    for gid in (1, 100, 101):
        core.call("vdc.delgroup", 0, gid)
    assert core.call("vdc.allocate", "NAME=v1\nNOTE=x", 0) == 100
    return core


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _rules(core: Core) -> list[str]:
    """The rules of groups from 100 on, in the order in which they were made."""
    found = [(int(rule.findtext("ID") or 0), rule.findtext("STRING") or "") for rule in core.info("acl.info")]
    return [text for _, text in sorted(found) if text.startswith("@1") and not text.startswith("@1 ")]


def _members(core: Core, path: str, oid: int = 100) -> list[tuple[str | None, ...]]:
    return [tuple(part.text for part in member) for member in core.info("vdc.info", oid).findall(path)]


# -- objects -----------------------------------------------------------------------------------------------
def test_a_new_vdc(zone: Core, shared_folder: Path) -> None:
    text = zone.call("vdc.info", 100)
    assert text == (
        "<VDC><ID>100</ID><NAME>v1</NAME><GROUPS></GROUPS><CLUSTERS></CLUSTERS><HOSTS></HOSTS>"
        "<DATASTORES></DATASTORES><VNETS></VNETS><TEMPLATE><NOTE><![CDATA[x]]></NOTE></TEMPLATE></VDC>"
    )
    for args in ((100, 0, 0), (100, 0, 100)):
        zone.call("vdc.addcluster", *args)
    zone.call("vdc.addhost", 100, 0, 1)
    zone.call("vdc.addgroup", 100, 100)
    assert Schemas(shared_folder / "spec/xsd").problem(zone.call("vdc.info", 100)) is None
    assert [found.findtext("ID") for found in zone.info("vdcpool.info")] == ["100", "0"]


def test_names_changes_and_the_end(zone: Core) -> None:
    _refused(zone, INTERNAL, "vdc.allocate", "NAME=v1")
    _refused(zone, INTERNAL, "vdc.allocate", "X=1")
    _refused(zone, INTERNAL, "vdc.allocate", "NAME=[")
    zone.call("vdc.allocate", "NAME=v2")
    _refused(zone, ACTION, "vdc.rename", 101, "v1")
    zone.call("vdc.rename", 101, "v3")
    zone.call("vdc.update", 101, "A=1", 1)
    document = zone.info("vdc.info", 101)
    assert (document.findtext("NAME"), document.findtext("TEMPLATE/A")) == ("v3", "1")
    _refused(zone, ACTION, "vdc.delete", 0)
    assert zone.call("vdc.delete", 101) == 101
    _refused(zone, NO_EXISTS, "vdc.info", 101)


def test_members(zone: Core) -> None:
    zone.call("vdc.addgroup", 100, 101)
    zone.call("vdc.addgroup", 100, 100)
    _refused(zone, INTERNAL, "vdc.addgroup", 100, 100)
    assert zone.info("vdc.info", 100).findtext("GROUPS/ID") == "100"
    _refused(zone, NO_EXISTS, "vdc.addgroup", 100, 77)
    _refused(zone, INTERNAL, "vdc.delgroup", 100, 77)
    for method, oid in (("host", 0), ("cluster", 100), ("datastore", 1)):
        assert zone.call(f"vdc.add{method}", 100, 0, oid) == 100
        _refused(zone, INTERNAL, f"vdc.add{method}", 100, 0, oid)
        _refused(zone, NO_EXISTS, f"vdc.add{method}", 100, 0, 77)
        _refused(zone, NO_EXISTS, f"vdc.add{method}", 100, 5, oid)
        _refused(zone, NO_EXISTS, f"vdc.add{method}", 55, 0, oid)
        # What is gone, or of a zone that is gone, is simply not among the members.
        _refused(zone, INTERNAL, f"vdc.del{method}", 100, 0, 77)
        _refused(zone, INTERNAL, f"vdc.del{method}", 100, 5, oid)
        assert zone.call(f"vdc.del{method}", 100, 0, oid) == 100
    refusal = _refused(zone, NO_EXISTS, "vdc.addvnet", 100, 0, 3)
    assert "virtual network [3]" in refusal.text
    zone.call("vdc.addvnet", 100, 0, ALL)
    assert _members(zone, "VNETS/VNET") == [("0", "-10")]
    assert zone.call("vdc.delvnet", 100, 0, ALL) == 100
    assert _members(zone, "VNETS/VNET") == []


def test_all_takes_the_place_of_single_members(zone: Core) -> None:
    zone.call("vdc.addgroup", 100, 100)
    for host in (1, 0):
        zone.call("vdc.addhost", 100, 0, host)
    assert _members(zone, "HOSTS/HOST") == [("0", "0"), ("0", "1")]
    zone.call("vdc.addhost", 100, 0, ALL)
    assert _members(zone, "HOSTS/HOST") == [("0", "-10")]
    assert _rules(zone) == ["@100 HOST/* MANAGE #0"]
    # As OpenNebula: a single one may join all of them again.
    zone.call("vdc.addhost", 100, 0, 1)
    assert _members(zone, "HOSTS/HOST") == [("0", "-10"), ("0", "1")]


def test_rights(zone: Core) -> None:
    zone.add_user("ann", 100)
    for method, args in (
        ("vdc.allocate", ("NAME=v9",)),
        ("vdc.info", (100,)),
        ("vdc.update", (100, "X=1", 1)),
        ("vdc.rename", (100, "else")),
        ("vdc.addgroup", (100, 100)),
        ("vdc.delgroup", (100, 100)),
        ("vdc.addhost", (100, 0, 1)),
        ("vdc.delhost", (100, 0, 1)),
        ("vdc.addcluster", (100, 0, ALL)),
        ("vdc.delete", (100,)),
    ):
        _refused(zone, AUTHORIZATION, method, *args, user="ann")
    assert zone.call("vdcpool.info", user="ann") == "<VDC_POOL></VDC_POOL>"
    # The VDC alone is not enough: zone and resource count too.
    vdc_admin = ("100000002", "2000100000064", "5", "400000000")
    zone.call("acl.addrule", *vdc_admin)
    zone.call("vdc.info", 100, user="ann")
    _refused(zone, AUTHORIZATION, "vdc.addhost", 100, 0, 1, user="ann")
    _refused(zone, AUTHORIZATION, "vdc.addgroup", 100, 100, user="ann")


# -- rules -------------------------------------------------------------------------------------------------
def test_rules_of_members(zone: Core) -> None:
    zone.call("vdc.addcluster", 100, 0, 100)
    zone.call("vdc.addgroup", 100, 100)
    first = ["@100 HOST/%100 MANAGE #0", "@100 NET/%100 USE #0", "@100 DATASTORE/%100 USE #0"]
    assert _rules(zone) == first
    zone.call("vdc.addhost", 100, 0, 1)
    zone.call("vdc.adddatastore", 100, 0, 1)
    zone.call("vdc.addvnet", 100, 0, ALL)
    single = ["@100 HOST/#1 MANAGE #0", "@100 DATASTORE/#1 USE #0", "@100 NET/* USE #0"]
    assert _rules(zone) == [*first, *single]
    zone.call("vdc.addgroup", 100, 101)
    second = [rule.replace("@100", "@101") for rule in (*first, single[0], single[1], single[2])]
    assert _rules(zone) == [*first, *single, *second]
    zone.call("vdc.delcluster", 100, 0, 100)
    assert _rules(zone) == [*single, *second[3:]]
    zone.call("vdc.delgroup", 100, 100)
    assert _rules(zone) == second[3:]
    zone.call("vdc.delete", 100)
    assert _rules(zone) == []


def test_a_rule_lives_while_any_vdc_gives_it(zone: Core) -> None:
    zone.call("vdc.allocate", "NAME=v2")
    for vdc in (100, 101):
        zone.call("vdc.addgroup", vdc, 100)
        zone.call("vdc.addhost", vdc, 0, 1)
    assert _rules(zone) == ["@100 HOST/#1 MANAGE #0"]
    zone.call("vdc.delhost", 100, 0, 1)
    assert _rules(zone) == ["@100 HOST/#1 MANAGE #0"]
    zone.call("vdc.addhost", 100, 0, 1)
    zone.call("vdc.delgroup", 101, 100)
    assert _rules(zone) == ["@100 HOST/#1 MANAGE #0"]
    zone.call("vdc.addgroup", 101, 100)
    zone.call("vdc.delete", 100)
    assert _rules(zone) == ["@100 HOST/#1 MANAGE #0"]
    # Two members of one VDC may give the same, too.
    zone.call("vdc.addhost", 101, 0, ALL)
    zone.call("vdc.addcluster", 101, 0, ALL)
    zone.call("vdc.delhost", 101, 0, ALL)
    assert sorted(_rules(zone)) == ["@100 DATASTORE/* USE #0", "@100 HOST/* MANAGE #0", "@100 NET/* USE #0"]
    zone.call("vdc.delcluster", 101, 0, ALL)
    assert _rules(zone) == []


def test_deleted_objects_leave_vdcs_with_their_rules(zone: Core) -> None:
    zone.call("vdc.addgroup", 100, 100)
    zone.call("vdc.addgroup", 100, 101)
    zone.call("vdc.addhost", 100, 0, 1)
    zone.call("vdc.addcluster", 100, 0, 100)
    zone.call("host.delete", 1)
    assert _members(zone, "HOSTS/HOST") == []
    assert not any("HOST/#1" in rule for rule in _rules(zone))
    zone.call("cluster.delete", 100)
    assert _members(zone, "CLUSTERS/CLUSTER") == [] and _rules(zone) == []
    zone.call("vdc.addhost", 100, 0, 0)
    zone.call("group.delete", 101)
    assert [group.text for group in zone.info("vdc.info", 100).findall("GROUPS/ID")] == ["100"]
    assert _rules(zone) == ["@100 HOST/#0 MANAGE #0"]


def test_rights_of_members_come_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    core = Core(
        tmp_path,
        'DEFAULT_VDC_HOST_ACL="USE+MANAGE"\nDEFAULT_VDC_DATASTORE_ACL="-"\n'
        'DEFAULT_VDC_CLUSTER_HOST_ACL="-"\nDEFAULT_VDC_CLUSTER_NET_ACL="ADMIN"\n',
    )
    assert _rules(core) == []
    core.call("group.allocate", "devs")
    assert _rules(core) == ["@100 NET/* ADMIN #0", "@100 DATASTORE/* USE #0"]
    core.call("host.allocate", "n1", "dummy", "dummy", 0)
    core.call("vdc.allocate", "NAME=v1")
    core.call("vdc.addgroup", 100, 100)
    core.call("vdc.adddatastore", 100, 0, 1)
    core.call("vdc.addhost", 100, 0, 0)
    assert _rules(core)[2:] == ["@100 HOST/#0 USE+MANAGE #0"]
    core.zone.close()
