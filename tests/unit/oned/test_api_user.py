"""User and group methods beyond what the recorded answers show."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from tests.support.core import Core, Refused

AUTHORIZATION, NO_EXISTS, ACTION, API, INTERNAL = 0x200, 0x400, 0x800, 0x1000, 0x2000


def members(core: Core, gid: int, part: str = "USERS") -> list[int]:
    """The users (or ADMINS) that a group's document lists."""
    return [int(found.text or -1) for found in core.info("group.info", gid).findall(f"{part}/ID")]


def groups(core: Core, uid: int) -> list[int]:
    """The groups that a user's document lists."""
    return [int(found.text or -1) for found in core.info("user.info", uid).findall("GROUPS/ID")]


def rules(core: Core) -> set[str]:
    """The texts of all permission rules."""
    return {found.text or "" for found in core.info("acl.info").findall("ACL/STRING")}


def refusal(core: Core, method: str, *args: object, user: str = "oneadmin") -> Refused:
    """The answer to a call that must fail."""
    with pytest.raises(Refused) as refused:
        core.call(method, *args, user=user)
    return refused.value


# -- creation ------------------------------------------------------------------------------------------------
def test_the_first_group_is_the_primary_one(core: Core) -> None:
    devs, ops = core.call("group.allocate", "devs"), core.call("group.allocate", "ops")
    uid = core.add_user("ann", ops, devs, ops)
    document = core.info("user.info", uid)
    assert (document.findtext("GID"), document.findtext("GNAME")) == (str(ops), "ops")
    assert groups(core, uid) == [devs, ops]
    assert members(core, devs) == members(core, ops) == [uid]


def test_a_missing_group_stops_the_creation(core: Core) -> None:
    refused = refusal(core, "user.allocate", "ann", "x", "core", [1, 77])
    assert (refused.code, refused.object_id) == (NO_EXISTS, 77)
    assert members(core, 1) == []
    assert core.rows("SELECT COUNT(*) FROM user_pool") == [(2,)]
    assert core.add_user("ann") == 2  # the refused call used up no id


def test_optional_arguments(core: Core) -> None:
    assert core.call("user.allocate", "ann", "x") == 2
    assert groups(core, 2) == [1]


@pytest.mark.parametrize("name", ["a" * 129, "a\tb", "a/b", "<a>", "a;b", "a\\b", "a b"])
def test_names_that_users_cannot_have(core: Core, name: str) -> None:
    assert refusal(core, "user.allocate", name, "x").code == INTERNAL


def test_a_password_with_white_space_is_refused_and_not_repeated(core: Core) -> None:
    refused = refusal(core, "user.allocate", "ann", "hush hush")
    assert refused.code == INTERNAL and "hush" not in refused.text
    core.add_user("ann")
    refused = refusal(core, "user.passwd", 2, "hush hush")
    assert refused.code == ACTION and "hush" not in refused.text


def test_names_differ_by_case(core: Core) -> None:
    core.add_user("ann")
    assert "already taken by USER 2" in refusal(core, "user.allocate", "ann", "x").text
    assert core.add_user("Ann") == 3


# -- groups --------------------------------------------------------------------------------------------------
def test_a_primary_group_that_was_secondary_keeps_the_old_one(core: Core) -> None:
    devs = core.call("group.allocate", "devs")
    uid = core.add_user("ann", 1, devs)
    core.call("user.chgrp", uid, devs)
    assert groups(core, uid) == [1, devs]
    assert members(core, 1) == members(core, devs) == [uid]
    core.call("user.chgrp", uid, devs)  # again: nothing happens
    core.call("user.delgroup", uid, 1)
    assert groups(core, uid) == [devs] and members(core, 1) == []


def test_oneadmin_stays_in_its_group(core: Core) -> None:
    refused = refusal(core, "user.chgrp", 0, 1)
    assert refused.code == INTERNAL and "cannot be moved outside of the group [0]" in refused.text
    assert refusal(core, "user.chgrp", 0, -1).code == API
    assert members(core, 0) == [0, 1]


def test_deleting_a_user_empties_its_groups(core: Core) -> None:
    devs = core.call("group.allocate", "devs")
    uid = core.add_user("ann", 1, devs)
    core.call("group.addadmin", devs, uid)
    core.call("user.delete", uid)
    assert members(core, 1) == members(core, devs) == members(core, devs, "ADMINS") == []
    assert not any(text.startswith(f"#{uid} ") for text in rules(core))
    assert core.rows("SELECT user_oid FROM user_quotas WHERE user_oid = ?", uid) == []
    core.call("group.delete", devs)
    assert not any(f"@{devs}" in text for text in rules(core))


def test_administrators_of_groups(core: Core) -> None:
    devs, ops = core.call("group.allocate", "devs"), core.call("group.allocate", "ops")
    ann, ben = core.add_user("ann", devs, ops), core.add_user("ben", devs)
    cid = core.add_user("cid", ops)
    before = rules(core)
    core.call("group.addadmin", devs, ann)
    assert members(core, devs, "ADMINS") == [ann]
    assert rules(core) - before == {
        f"#{ann} USER/@{devs} USE+MANAGE+ADMIN+CREATE *",
        f"#{ann} VM+NET+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+VROUTER+VMGROUP/@{devs} USE+MANAGE *",
        f"#{ann} VROUTER/* CREATE *",
        f"#{ann} GROUP/#{devs} MANAGE *",
    }
    core.call("user.passwd", ben, "pw-ben", user="ann")
    new = core.call("user.allocate", "dan", "x", "core", [], user="ann")
    assert groups(core, new) == [devs]
    assert refusal(core, "user.passwd", cid, "x", user="ann").code == AUTHORIZATION
    assert refusal(core, "user.allocate", "eve", "x", "core", [ops], user="ann").code == AUTHORIZATION
    core.call("group.update", devs, "A=1", 1, user="ann")
    # Two groups share one rule, which must outlive the first one's end.
    core.call("group.addadmin", ops, ann)
    core.call("group.deladmin", devs, ann)
    assert f"#{ann} VROUTER/* CREATE *" in rules(core)
    core.call("group.deladmin", ops, ann)
    assert rules(core) == before


def test_leaving_a_group_ends_its_administration(core: Core) -> None:
    devs = core.call("group.allocate", "devs")
    uid = core.add_user("ann", 1, devs)
    before = rules(core)
    core.call("group.addadmin", devs, uid)
    core.call("user.delgroup", uid, devs)
    assert members(core, devs, "ADMINS") == [] and rules(core) == before


def test_driver_managed_groups(tmp_path_factory: pytest.TempPathFactory) -> None:
    core = Core(tmp_path_factory.mktemp("zone"))
    uid = core.call("user.allocate", "ann", "x", "ldap", [])
    devs = core.call("group.allocate", "devs")
    for method in ("user.chgrp", "user.addgroup", "user.delgroup"):
        refused = refusal(core, method, uid, devs)
        assert (
            refused.code == ACTION
            and "Groups cannot be manually managed for auth driver ldap" in refused.text
        )
    core.zone.close()


def test_a_new_group_may_use_what_the_default_vdc_has(core: Core) -> None:
    before = rules(core)
    gid = core.call("group.allocate", "devs")
    added = {f"@{gid} HOST/* MANAGE #0", f"@{gid} NET/* USE #0", f"@{gid} DATASTORE/* USE #0"}
    assert rules(core) - before == added
    assert f"<ID>{gid}</ID>" in core.call("vdc.info", 0)
    core.call("group.delete", gid)
    assert rules(core) == before
    assert f"<ID>{gid}</ID>" not in core.call("vdc.info", 0)


def test_the_rights_of_a_new_group_are_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    core = Core(
        tmp_path_factory.mktemp("zone"),
        'DEFAULT_VDC_CLUSTER_HOST_ACL="-"\nDEFAULT_VDC_CLUSTER_NET_ACL="USE+MANAGE"',
    )
    gid = core.call("group.allocate", "devs")
    own = {text for text in rules(core) if text.startswith(f"@{gid} ")}
    assert own == {f"@{gid} NET/* USE+MANAGE #0", f"@{gid} DATASTORE/* USE #0"}
    core.zone.close()


# -- what users may do themselves ----------------------------------------------------------------------------
def test_users_manage_themselves_but_not_their_rights(core: Core) -> None:
    uid = core.add_user("ann", 1)
    core.call("user.update", uid, "PHONE=1", 1, user="ann")
    core.call("user.passwd", uid, "pw-ann", user="ann")
    for method, *args in (
        ("user.chauth", "core", "x"),
        ("user.enable", False),
        ("user.delete",),
        ("user.addgroup", 0),
        ("user.chgrp", 0),
    ):
        assert refusal(core, method, uid, *args, user="ann").code == AUTHORIZATION, method
    refused = refusal(core, "user.update", uid, 'VM_USE_OPERATIONS="terminate"', 1, user="ann")
    assert refused.code == INTERNAL and "VM_USE_OPERATIONS" in refused.text
    core.call("user.update", uid, 'VM_USE_OPERATIONS="terminate"', 1)
    core.call("user.update", uid, "A=1", 0, user="ann")  # cannot be dropped by a replacement either
    assert core.info("user.info", uid).findtext("TEMPLATE/VM_USE_OPERATIONS") == "terminate"


def test_drivers_may_forbid_own_password_changes(core: Core) -> None:
    uid = core.add_user("ann", 1)
    ben = core.add_user("ben", 1)
    core.call("user.chauth", uid, "x509", "subject")
    assert core.info("user.info", uid).findtext("PASSWORD") == "subject"
    core.call("acl.addrule", f"{0x100000000 | ben:x}", f"{0x10100000000 | uid:x}", "2", "400000000")
    refused = refusal(core, "user.passwd", uid, "x", user="ben")
    assert refused.code == ACTION and "driver x509 cannot be changed" in refused.text
    core.call("user.passwd", uid, "other")
    assert core.info("user.info", uid).findtext("PASSWORD") == "other"


def test_oneadmin_cannot_be_disabled(core: Core) -> None:
    refused = refusal(core, "user.enable", 0, False)
    assert refused.code == ACTION
    assert core.info("user.info", 0).findtext("ENABLED") == "1"


def test_info_of_minus_one_is_the_callers(core: Core) -> None:
    devs = core.call("group.allocate", "devs")
    uid = core.add_user("ann", devs)
    assert core.info("user.info", -1, user="ann").findtext("ID") == str(uid)
    assert core.info("group.info", -1, user="ann").findtext("ID") == str(devs)


def test_pools_show_quotas_beside_each_object(core: Core) -> None:
    uid = core.add_user("ann", 1)
    quota = f"<QUOTAS><ID>{uid}</ID><VM_QUOTA><VM><VMS>5</VMS></VM></VM_QUOTA></QUOTAS>"
    core.store.run(lambda tx: tx.run("UPDATE user_quotas SET body = ? WHERE user_oid = ?", quota, uid))
    core.store.run(lambda tx: tx.run("DELETE FROM user_quotas WHERE user_oid = 1"))
    pool = core.info("userpool.info")
    assert [child.tag for child in pool] == ["USER", "QUOTAS"] * 3 + ["DEFAULT_USER_QUOTAS"]
    assert [child.findtext("ID") for child in pool[:6]] == ["2", "2", "1", "1", "0", "0"]
    assert pool[1].findtext("VM_QUOTA/VM/VMS") == "5"
    assert core.info("user.info", uid).findtext("VM_QUOTA/VM/VMS") == "5"
    assert [child.tag for child in pool[3]] == [
        "ID",
        "DATASTORE_QUOTA",
        "NETWORK_QUOTA",
        "VM_QUOTA",
        "IMAGE_QUOTA",
    ]
    assert core.info("user.info", 1).find("VM_QUOTA") is not None


def test_users_see_themselves_only(core: Core) -> None:
    core.add_user("ann", 1)
    core.add_user("ben", 1)
    names = [found.text for found in core.info("userpool.info", user="ann").findall("USER/NAME")]
    assert names == ["ann"]
    seen = [found.text for found in core.info("grouppool.info", user="ann").findall("GROUP/NAME")]
    assert seen == ["users"]


# -- rules through the interface -----------------------------------------------------------------------------
def test_rules_are_for_administrators(core: Core) -> None:
    core.add_user("ann", 1)
    for method, *args in (("acl.info",), ("acl.addrule", "1", "1", "1", "1"), ("acl.delrule", 0)):
        refused = refusal(core, method, *args, user="ann")
        assert refused.code == AUTHORIZATION
        assert refused.text.endswith("User [2] : Not authorized to perform MANAGE ACL.")


def test_a_rule_without_zone_is_for_this_one(core: Core) -> None:
    oid = core.call("acl.addrule", "100000002", "1400000000", "1")
    found = core.info("acl.info").find(f"ACL[ID='{oid}']/STRING")
    assert found is not None and found.text == "#2 VM/* USE #0"


@pytest.mark.parametrize("part", ["", "xyz", "-5", "1" * 17, "8000000000000000"])
def test_rule_parts_that_are_no_numbers(core: Core, part: str) -> None:
    refused = refusal(core, "acl.addrule", "100000002", part, "1")
    assert refused.code == INTERNAL and "resource" in refused.text


# -- the front-end itself ------------------------------------------------------------------------------------
def test_version(core: Core) -> None:
    assert core.call("system.version") == "6.0.0.3"


def test_the_configuration_hides_secrets(tmp_path_factory: pytest.TempPathFactory) -> None:
    core = Core(
        tmp_path_factory.mktemp("zone"), 'ONE_KEY="hush"\nAPI_WORKERS=3\nX_MAD=[NAME="x",PASSWD="hush"]'
    )
    text = core.call("system.config")
    assert "hush" not in text and "API_WORKERS" not in text
    document = xmldoc.parse(text)
    assert document.findtext("X_MAD/PASSWD") == "***"
    assert document.findtext("DB/BACKEND") == "sqlite"
    core.add_user("ann", 1)
    assert refusal(core, "system.config", user="ann").code == AUTHORIZATION
    core.zone.close()


def test_pools_of_kinds_that_are_read_only(core: Core) -> None:
    core.add_user("ann", 1)
    for user in ("oneadmin", "ann"):
        for resource, root in (
            ("image", "IMAGE"),
            ("vn", "VNET"),
            ("vmgroup", "VM_GROUP"),
            ("vrouter", "VROUTER"),
            ("vntemplate", "VNTEMPLATE"),
            ("hook", "HOOK"),
            ("marketapp", "MARKETPLACEAPP"),
        ):
            assert core.call(f"{resource}pool.info", -2, -1, -1, user=user) == f"<{root}_POOL></{root}_POOL>"
        assert core.call("documentpool.info", -2, -1, -1, 100, user=user) == "<DOCUMENT_POOL></DOCUMENT_POOL>"
        # Rules and permission bits show these to everybody.
        assert len(core.info("marketpool.info", user=user)) == 4
        assert len(core.info("secgrouppool.info", -2, -1, -1, user=user)) == 1
        assert len(core.info("zonepool.info", user=user)) == 1
    assert len(core.info("vdcpool.info")) == 1
    assert core.call("vdcpool.info", user="ann") == "<VDC_POOL></VDC_POOL>"
    assert refusal(core, "zone.raftstatus", user="ann").code == AUTHORIZATION


def test_pages_and_ranges(core: Core) -> None:
    def ids(start: int, end: int) -> list[str | None]:
        return [
            found.text
            for found in core.info("secgrouppool.info", -2, start, end).findall("SECURITY_GROUP/ID")
        ]

    body = core.call("secgroup.info", 0)
    for oid in (100, 101, 102):
        copy = body.replace("<ID>0</ID>", f"<ID>{oid}</ID>", 1)
        core.store.run(
            lambda tx, oid=oid, copy=copy: tx.run(
                "INSERT INTO secgroup_pool VALUES (?, ?, ?, 0, 0, 1, 0, 0)", oid, f"g{oid}", copy
            )
        )
    assert ids(-1, -1) == ["102", "101", "100", "0"]
    assert ids(100, 101) == ["101", "100"]
    assert ids(101, -1) == ["102", "101"]
    assert ids(0, -2) == ["102", "101"]
    assert ids(2, -2) == ["100", "0"]
