"""What users and groups use: counted with every change, never above a limit, given back at the end."""

from __future__ import annotations

import pytest

from tests.support.core import Core, Refused
from tests.support.played import Played

USED = ("VMS", "CPU", "MEMORY", "SYSTEM_DISK_SIZE", "RUNNING_VMS", "RUNNING_CPU", "RUNNING_MEMORY")
ALICE, BOB, USERS, STAFF = 2, 3, 1, 100


class Cloud(Played):
    """Users alice and bob, both of group users, bob of staff (100) too; alice is the one who acts."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        core.add_user("alice")
        core.call("group.allocate", "staff")
        core.add_user("bob", USERS, STAFF)

    def vm(self, extra: str = "", user: str = "alice", hold: bool = False) -> int:
        return super().vm(extra, user, hold)

    def running(self, extra: str = "", user: str = "alice") -> int:
        return super().running(extra, user)

    def act(self, name: str, vm_id: int, user: str = "alice", ok: bool = True) -> None:
        super().act(name, vm_id, user, ok)

    def refused(self, method: str, *args: object, user: str = "alice") -> Refused:
        return super().refused(method, *args, user=user)

    def used(self, oid: int = ALICE, kind: str = "user") -> tuple[str | None, ...]:
        """What counts against the VM quotas of a user or group; empty without an entry."""
        vm = self.info(f"{kind}.info", oid).find("VM_QUOTA/VM")
        return () if vm is None else tuple(vm.findtext(f"{name}_USED") for name in USED)


@pytest.fixture
def cloud(core: Core) -> Cloud:
    return Cloud(core)


def test_a_vm_counts_for_its_user_and_group_from_creation_to_the_end(cloud: Cloud) -> None:
    assert cloud.used() == cloud.used(USERS, "group") == ()
    vm_id = cloud.vm("DISK=[TYPE=fs,SIZE=100]\nDISK=[TYPE=swap,SIZE=20]")
    everything = ("1", "0.50", "64", "120", "1", "0.50", "64")
    assert cloud.used() == cloud.used(USERS, "group") == everything
    cloud.call("vm.deploy", vm_id, cloud.host, False, -1, "")
    cloud.work()
    assert cloud.used() == everything and cloud.contradictions() == []
    cloud.act("poweroff", vm_id)
    assert cloud.used() == cloud.used(USERS, "group") == ("1", "0.50", "64", "120", "0", "0", "0")
    cloud.act("resume", vm_id)
    assert cloud.used() == everything and cloud.contradictions() == []
    cloud.act("terminate", vm_id)
    assert cloud.used() == cloud.used(USERS, "group") == (), "an entry without usage and limit goes"
    assert cloud.contradictions() == []


@pytest.mark.parametrize("action", ["poweroff", "suspend", "stop", "undeploy"])
def test_what_does_not_run_gives_back_running_quota(cloud: Cloud, action: str) -> None:
    vm_id = cloud.running()
    cloud.call("vm.action", action, vm_id, user="alice")
    assert cloud.used()[4] == "1", "on the way it still runs"
    cloud.work()
    assert cloud.used() == ("1", "0.50", "64", "0", "0", "0", "0")
    assert cloud.contradictions() == []
    cloud.call("vm.action", "resume", vm_id, user="alice")
    assert cloud.used()[4:] == ("1", "0.50", "64")


def test_a_driver_that_fails_is_never_refused(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.call("vm.action", "suspend", vm_id, user="alice")
    cloud.call("user.quota", ALICE, "VM=[VMS=0,RUNNING_VMS=0,MEMORY=1]")
    cloud.work(ok=False)
    assert cloud.core.info("vm.info", vm_id).findtext("LCM_STATE") == "3"
    assert cloud.used()[4] == "1" and cloud.contradictions() == []


@pytest.mark.parametrize("operation", [3, 5])
def test_recovery_gives_everything_back(cloud: Cloud, operation: int) -> None:
    vm_id = cloud.running()
    cloud.act("poweroff", vm_id)
    cloud.call("vm.recover", vm_id, operation)
    cloud.work()
    assert cloud.used() == cloud.used(USERS, "group") == ()


def test_recreation_counts_as_running_again(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.act("stop", vm_id)
    cloud.call("vm.recover", vm_id, 4)
    assert cloud.used()[4] == "1" and cloud.contradictions() == []


# -- limits ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        ("VMS=1", 1),
        ("VMS=2", 2),
        ("VMS=0", 0),
        ("CPU=1", 2),
        ("CPU=0.99", 1),
        ("MEMORY=128", 2),
        ("MEMORY=127", 1),
        ("SYSTEM_DISK_SIZE=20", 2),
        ("SYSTEM_DISK_SIZE=9", 0),
        ("RUNNING_VMS=2", 2),
        ("RUNNING_CPU=0.5", 1),
        ("RUNNING_MEMORY=63", 0),
        ("VMS=-2,CPU=-1", 3),
    ],
)
@pytest.mark.parametrize("kind", ["user", "group", "default user", "default group"])
def test_a_limit_holds(cloud: Cloud, limits: str, fits: int, kind: str) -> None:
    if kind.startswith("default"):
        cloud.call(f"{kind.split()[1]}quota.update", f"VM=[{limits.replace('=-1', '=-2')}]")
    else:
        cloud.call(f"{kind}.quota", ALICE if kind == "user" else USERS, f"VM=[{limits}]")
    for _ in range(fits):
        cloud.vm("DISK=[TYPE=fs,SIZE=10]")
    if fits < 3:
        before = cloud.used(), cloud.used(USERS, "group")
        refusal = cloud.refused("vm.allocate", "CPU=0.5\nMEMORY=64\nDISK=[TYPE=fs,SIZE=10]", False)
        assert refusal.code == 0x200
        metric, limit = limits.split("=")
        assert f"limit of {float(limit):.2f}".rstrip("0").rstrip(".") in refusal.text
        assert metric in refusal.text and ("group [1]" if "group" in kind else "user [2]") in refusal.text
        assert (cloud.used(), cloud.used(USERS, "group")) == before
        assert len(cloud.core.rows("SELECT oid FROM vm_pool")) == fits


def test_ones_own_limit_comes_before_the_default_one(cloud: Cloud) -> None:
    cloud.call("userquota.update", "VM=[VMS=1]")
    cloud.call("user.quota", ALICE, "VM=[VMS=2]")
    cloud.vm(), cloud.vm()
    assert cloud.refused("vm.allocate", "CPU=1\nMEMORY=1", False).code == 0x200
    cloud.call("user.quota", ALICE, "VM=[VMS=-2]")
    cloud.vm()
    cloud.call("user.quota", ALICE, "VM=[VMS=-1]")
    assert cloud.refused("vm.allocate", "CPU=1\nMEMORY=1", False).code == 0x200


def test_whoever_is_above_a_limit_creates_nothing(cloud: Cloud) -> None:
    cloud.vm("DISK=[TYPE=fs,SIZE=10]")
    cloud.call("user.quota", ALICE, "VM=[SYSTEM_DISK_SIZE=5]")
    # It needs no disk, but OpenNebula looks at every limit.
    assert cloud.refused("vm.allocate", "CPU=1\nMEMORY=1", False).code == 0x200


def test_oneadmin_is_neither_counted_nor_limited(cloud: Cloud) -> None:
    cloud.call("userquota.update", "VM=[VMS=0]")
    cloud.call("groupquota.update", "VM=[VMS=0]")
    cloud.vm(user="oneadmin")
    assert cloud.used(0) == cloud.used(0, "group") == ()
    cloud.core.add_user("helper", 0)
    assert cloud.refused("vm.allocate", "CPU=1\nMEMORY=1", False, user="helper").code == 0x200
    cloud.call("user.quota", 4, "VM=[VMS=1]")
    cloud.vm(user="helper")
    assert cloud.used(4)[0] == "1" and cloud.used(0, "group") == ()


def test_resume_needs_room(cloud: Cloud) -> None:
    vm_id = cloud.running()
    cloud.act("poweroff", vm_id)
    cloud.call("user.quota", ALICE, "VM=[RUNNING_VMS=1]")
    other = cloud.vm()
    for user in ("alice", "oneadmin"):
        refusal = cloud.refused("vm.action", "resume", vm_id, user=user)
        assert refusal.code == 0x800 and "RUNNING_VMS" in refusal.text
    cloud.call("vm.action", "terminate", other, user="alice")
    cloud.act("resume", vm_id)
    assert cloud.used()[:5] == ("1", "0.50", "64", "0", "1")


def test_the_way_out_and_the_administrator_are_not_refused(cloud: Cloud) -> None:
    first, second = cloud.running(), cloud.running()
    cloud.act("poweroff", first)
    cloud.act("stop", second)
    cloud.call("user.quota", ALICE, "VM=[RUNNING_VMS=0]")
    cloud.act("terminate", first)
    cloud.call("vm.deploy", second, cloud.host, False, -1, "")
    assert cloud.used()[:5] == ("1", "0.50", "64", "0", "1") and cloud.contradictions() == []


# -- owners ------------------------------------------------------------------------------------------------
def test_chown_moves_usage(cloud: Cloud) -> None:
    vm_id = cloud.vm("DISK=[TYPE=fs,SIZE=10]")
    everything = ("1", "0.50", "64", "10", "1", "0.50", "64")
    cloud.call("vm.chown", vm_id, BOB, -1)
    assert (cloud.used(ALICE), cloud.used(BOB), cloud.used(USERS, "group")) == ((), everything, everything)
    cloud.call("vm.chown", vm_id, -1, STAFF)
    assert (cloud.used(USERS, "group"), cloud.used(STAFF, "group")) == ((), everything)
    cloud.call("vm.chown", vm_id, 0, 0)
    assert cloud.used(BOB) == cloud.used(STAFF, "group") == ()
    cloud.call("vm.chown", vm_id, ALICE, USERS)
    assert cloud.used(ALICE) == cloud.used(USERS, "group") == everything
    assert cloud.contradictions() == []
    cloud.call("vm.action", "terminate", vm_id)
    assert cloud.used(ALICE) == cloud.used(USERS, "group") == ()


@pytest.mark.parametrize(("limited", "to"), [("user", (BOB, -1)), ("group", (-1, STAFF))])
def test_the_new_owner_needs_room(cloud: Cloud, limited: str, to: tuple[int, int]) -> None:
    vm_id = cloud.vm()
    cloud.call(f"{limited}.quota", BOB if limited == "user" else STAFF, "VM=[VMS=0]")
    # OpenNebula says that there is no such VM.
    assert cloud.refused("vm.chown", vm_id, *to, user="oneadmin").code == 0x400
    vm = cloud.core.info("vm.info", vm_id)
    assert (vm.findtext("UID"), vm.findtext("GID")) == ("2", "1")
    assert cloud.used() == cloud.used(USERS, "group") and set(cloud.used(BOB)) <= {"0"}


def test_giving_to_the_owner_needs_room_for_twice_as_much(cloud: Cloud) -> None:
    # As OpenNebula, which counts for the new owner before it gives back for the old one.
    vm_id = cloud.vm()
    cloud.call("user.quota", ALICE, "VM=[VMS=1]")
    assert cloud.refused("vm.chown", vm_id, ALICE, -1, user="oneadmin").code == 0x400
    cloud.call("user.quota", ALICE, "VM=[VMS=2]")
    cloud.call("vm.chown", vm_id, ALICE, USERS)
    assert cloud.used() == cloud.used(USERS, "group") == ("1", "0.50", "64", "0", "1", "0.50", "64")


def test_an_ended_vm_is_not_given_away(cloud: Cloud) -> None:
    vm_id = cloud.vm()
    cloud.call("vm.action", "terminate", vm_id)
    assert cloud.refused("vm.chown", vm_id, BOB, -1, user="oneadmin").code == 0x800
    assert cloud.used(BOB) == ()


# -- consistency -------------------------------------------------------------------------------------------
def test_fsck_finds_a_wrong_count(cloud: Cloud) -> None:
    cloud.vm()
    body = str(cloud.core.rows("SELECT body FROM group_quotas WHERE group_oid = 1")[0][0])
    wrong = body.replace("<VMS_USED><![CDATA[1]]>", "<VMS_USED><![CDATA[3]]>")
    cloud.core.change("UPDATE group_quotas SET body = ? WHERE group_oid = 1", wrong)
    cloud.core.change("UPDATE user_quotas SET body = '<QUOTAS><ID>2</ID></QUOTAS>' WHERE user_oid = 2")
    found = cloud.contradictions()
    assert "group 1: quota VM VMS_USED is 3, the objects say 1" in found
    assert "user 2: quota VM MEMORY_USED is 0, the objects say 64" in found


def test_a_database_without_the_row_gets_it(cloud: Cloud) -> None:
    cloud.core.change("DELETE FROM user_quotas WHERE user_oid = 2")
    cloud.vm()
    assert cloud.used()[0] == "1" and cloud.contradictions() == []
