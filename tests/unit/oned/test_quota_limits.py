"""Limits of users, groups and the default ones: how they are set, kept and shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.core import Core, Refused
from tests.support.schemas import Schemas

ALL = """
DATASTORE = [ ID = "1", IMAGES = "2", SIZE = "100" ]
NETWORK = [ ID = "0", LEASES = "3" ]
IMAGE = [ ID = "7", RVMS = "4" ]
VM = [ VMS = "5", CPU = "2.5", MEMORY = "-2" ]
"""


@pytest.fixture
def zone(core: Core) -> Core:
    """Users alice (2) of the group users and boss (3) of oneadmin; group 100, of which alice is no member."""
    core.add_user("alice")
    core.add_user("boss", 0)
    core.call("group.allocate", "staff")
    return core


def document(zone: Core, table: str, oid: int) -> str:
    key = table.replace("_quotas", "_oid")
    return str(zone.rows(f"SELECT body FROM {table} WHERE {key} = ?", oid)[0][0])


def defaults(zone: Core, kind: str) -> str:
    return str(zone.rows("SELECT body FROM system_attributes WHERE name = ?", f"DEFAULT_{kind}_QUOTAS")[0][0])


@pytest.mark.parametrize(
    ("kind", "oid", "table"), [("user", 2, "user_quotas"), ("group", 100, "group_quotas")]
)
def test_the_document_is_openNebulas(zone: Core, kind: str, oid: int, table: str) -> None:
    assert zone.call(f"{kind}.quota", oid, ALL) == oid
    assert document(zone, table, oid) == (
        f"<QUOTAS><ID>{oid}</ID><DATASTORE_QUOTA><DATASTORE><ID><![CDATA[1]]></ID><IMAGES><![CDATA[2]]></IMAGES>"
        "<IMAGES_USED><![CDATA[0]]></IMAGES_USED><SIZE><![CDATA[100]]></SIZE><SIZE_USED><![CDATA[0]]></SIZE_USED>"
        "</DATASTORE></DATASTORE_QUOTA><NETWORK_QUOTA><NETWORK><ID><![CDATA[0]]></ID><LEASES><![CDATA[3]]></LEASES>"
        "<LEASES_USED><![CDATA[0]]></LEASES_USED></NETWORK></NETWORK_QUOTA><VM_QUOTA><VM><CPU><![CDATA[2.50]]></CPU>"
        "<CPU_USED><![CDATA[0]]></CPU_USED><MEMORY><![CDATA[-2]]></MEMORY><MEMORY_USED><![CDATA[0]]></MEMORY_USED>"
        "<RUNNING_CPU><![CDATA[-1]]></RUNNING_CPU><RUNNING_CPU_USED><![CDATA[0]]></RUNNING_CPU_USED>"
        "<RUNNING_MEMORY><![CDATA[-1]]></RUNNING_MEMORY><RUNNING_MEMORY_USED><![CDATA[0]]></RUNNING_MEMORY_USED>"
        "<RUNNING_VMS><![CDATA[-1]]></RUNNING_VMS><RUNNING_VMS_USED><![CDATA[0]]></RUNNING_VMS_USED>"
        "<SYSTEM_DISK_SIZE><![CDATA[-1]]></SYSTEM_DISK_SIZE><SYSTEM_DISK_SIZE_USED><![CDATA[0]]></SYSTEM_DISK_SIZE_USED>"
        "<VMS><![CDATA[5]]></VMS><VMS_USED><![CDATA[0]]></VMS_USED></VM></VM_QUOTA><IMAGE_QUOTA><IMAGE>"
        "<ID><![CDATA[7]]></ID><RVMS><![CDATA[4]]></RVMS><RVMS_USED><![CDATA[0]]></RVMS_USED></IMAGE></IMAGE_QUOTA>"
        "</QUOTAS>"
    )


def test_every_info_shows_them(zone: Core, shared_folder: Path) -> None:
    zone.call("user.quota", 2, ALL)
    zone.call("group.quota", 1, "VM=[VMS=9]")
    zone.call("userquota.update", "VM=[VMS=8]")
    schemas = Schemas(shared_folder / "spec/xsd")
    for user in ("oneadmin", "alice"):
        for method, args, path, limit in (
            ("user.info", (2,), "VM_QUOTA/VM/VMS", "5"),
            ("user.info", (2,), "DEFAULT_USER_QUOTAS/VM_QUOTA/VM/VMS", "8"),
            ("group.info", (1,), "VM_QUOTA/VM/VMS", "9"),
            ("userpool.info", (), "QUOTAS[ID='2']/VM_QUOTA/VM/VMS", "5"),
            ("userpool.info", (), "DEFAULT_USER_QUOTAS/VM_QUOTA/VM/VMS", "8"),
            ("grouppool.info", (), "QUOTAS[ID='1']/VM_QUOTA/VM/VMS", "9"),
            ("userquota.info", (), "VM_QUOTA/VM/VMS", "8"),
        ):
            assert zone.info(method, *args, user=user).findtext(path) == limit, (method, user)
            assert schemas.problem(zone.call(method, *args, user=user)) is None


def test_setting_again_keeps_usage_and_forgets_what_is_left_out(zone: Core) -> None:
    zone.call("user.quota", 2, "VM=[VMS=5, CPU=3]")
    zone.call("vm.allocate", "CPU=1\nMEMORY=64", True, user="alice")
    zone.call("user.quota", 2, "VM=[MEMORY=100]")
    vm = zone.info("user.info", 2).find("VM_QUOTA/VM")
    assert vm is not None
    assert [vm.findtext(name) for name in ("VMS", "VMS_USED", "CPU", "MEMORY", "MEMORY_USED")] == [
        "-1",
        "1",
        "-1",
        "100",
        "64",
    ]


def test_an_entry_without_limit_and_usage_goes(zone: Core) -> None:
    empty = document(zone, "user_quotas", 2)
    zone.call("user.quota", 2, ALL)
    zone.call("user.quota", 2, "DATASTORE=[ID=1]\nNETWORK=[ID=0,LEASES=-1]\nIMAGE=[ID=7]\nVM=[VMS=-1]")
    assert document(zone, "user_quotas", 2) == empty
    zone.call("user.quota", 2, "IMAGE=[ID=1,RVMS=2]\nIMAGE=[ID=2,RVMS=3]\nIMAGE=[ID=1,RVMS=-1]")
    assert [e.findtext("ID") for e in zone.info("user.info", 2).findall("IMAGE_QUOTA/IMAGE")] == ["2"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("7", "7"), ("0", "0"), ("1.239", "1.24"), ("1e3", "1000"), (" 4", "4"), ("-1", None), ("-2", "-2")],
)
def test_numbers(zone: Core, given: str, kept: str | None) -> None:
    zone.call("user.quota", 2, f'VM=[CPU="{given}"]')
    assert zone.info("user.info", 2).findtext("VM_QUOTA/VM/CPU") == kept


@pytest.mark.parametrize("given", ["many", "1 2", "", "0x5", "nan", "inf", "1e99", "1e999"])
def test_what_is_no_number_counts_as_left_out(zone: Core, given: str) -> None:
    zone.call("user.quota", 2, f'VM=[CPU="{given}", VMS="1"]')
    assert zone.info("user.info", 2).findtext("VM_QUOTA/VM/CPU") == "-1"


@pytest.mark.parametrize(
    "text",
    [
        "VM=[VMS=-3]",
        "VM=[CPU=-1.5]",
        "DATASTORE=[SIZE=5]",
        "DATASTORE=[ID=one,SIZE=5]",
        "IMAGE=[ID=1,RVMS=2]\nNETWORK=[ID=1.5,LEASES=2]",
        "VM=[VMS=1",
        "<VM><VMS>1</VM>",
    ],
)
def test_wrong_limits_of_a_user(zone: Core, text: str) -> None:
    before = document(zone, "user_quotas", 2)
    with pytest.raises(Refused) as refusal:
        zone.call("user.quota", 2, text)
    assert refusal.value.code == 0x800
    assert document(zone, "user_quotas", 2) == before


def test_a_group_takes_what_comes_before_a_wrong_limit(zone: Core) -> None:
    # What OpenNebula answers: success.
    assert zone.call("group.quota", 100, "DATASTORE=[ID=1,SIZE=5]\nVM=[VMS=-3]\nIMAGE=[ID=1,RVMS=6]") == 100
    group = zone.info("group.info", 100)
    assert group.findtext("DATASTORE_QUOTA/DATASTORE/SIZE") == "5"
    assert group.findtext("IMAGE_QUOTA/IMAGE/RVMS") == "6"
    assert group.find("VM_QUOTA/VM") is None
    with pytest.raises(Refused) as refusal:
        zone.call("group.quota", 100, "VM=[VMS=1")
    assert refusal.value.code == 0x800


@pytest.mark.parametrize(
    ("method", "args", "user", "code"),
    [
        ("user.quota", (0, "VM=[VMS=1]"), "oneadmin", 0x800),
        ("user.quota", (0, "VM=[VMS=1]"), "alice", 0x200),
        ("user.quota", (2, "VM=[VMS=1]"), "alice", 0x200),
        ("user.quota", (99, "VM=[VMS=1]"), "oneadmin", 0x400),
        ("group.quota", (0, "VM=[VMS=1]"), "oneadmin", 0x800),
        ("group.quota", (0, "VM=[VMS=1]"), "alice", 0x800),
        ("group.quota", (1, "VM=[VMS=1]"), "alice", 0x200),
        ("group.quota", (99, "VM=[VMS=1]"), "oneadmin", 0x400),
        ("userquota.update", ("VM=[VMS=1]",), "alice", 0x200),
        ("groupquota.update", ("VM=[VMS=1]",), "alice", 0x200),
        ("userquota.update", ("VM=[VMS=-1]",), "oneadmin", 0x800),
        ("groupquota.update", ("VM=[VMS=",), "oneadmin", 0x800),
        ("groupquota.update", ("NETWORK=[LEASES=1]",), "oneadmin", 0x800),
    ],
)
def test_refusals(zone: Core, method: str, args: tuple[object, ...], user: str, code: int) -> None:
    with pytest.raises(Refused) as refusal:
        zone.call(method, *args, user=user)
    assert refusal.value.code == code


@pytest.mark.parametrize("kind", ["user", "group"])
def test_defaults(zone: Core, kind: str) -> None:
    empty = defaults(zone, kind.upper())
    answer = zone.call(f"{kind}quota.update", "VM=[VMS=4]\nDATASTORE=[ID=1,IMAGES=-2,SIZE=6]", user="boss")
    assert answer == defaults(zone, kind.upper()) == zone.call(f"{kind}quota.info", user="alice")
    found = zone.info(f"{kind}quota.info")
    assert found.tag == f"DEFAULT_{kind.upper()}_QUOTAS"
    assert found.findtext("VM_QUOTA/VM/VMS") == "4"
    assert found.findtext("VM_QUOTA/VM/CPU") == "-2"
    assert found.findtext("VM_QUOTA/VM/CPU_USED") == "0"
    assert found.findtext("DATASTORE_QUOTA/DATASTORE/IMAGES") == "-2"
    zone.call(f"{kind}quota.update", "VM=[VMS=-2]\nDATASTORE=[ID=1]")
    assert defaults(zone, kind.upper()) == empty
