"""Locks: which levels stand against which rights, who may lock and unlock, and the codes of refusals."""

from __future__ import annotations

import pytest

from tests.support.core import Core, Refused

AUTHORIZATION, ACTION = 0x200, 0x800


@pytest.fixture
def locked(core: Core) -> Core:
    """ann's template 0; everybody may do everything with it, ben too."""
    group = core.call("group.allocate", "devs")
    core.call("acl.addrule", f"{0x200000000 | group:x}", f"{0x20400000000:x}", "8", f"{0x400000000:x}")
    core.add_user("ann", group)
    core.add_user("ben", group)
    core.call("template.allocate", "NAME=a", user="ann")
    core.call("template.chmod", 0, *[1] * 9)
    return core


def refused(core: Core, method: str, *args: object, user: str = "ann") -> Refused | None:
    """The refusal of a call, or None."""
    try:
        core.call(method, *args, user=user)
    except Refused as answer:
        return answer
    return None


# What a template's calls need: USE, MANAGE and ADMIN.
CALLS = {"use": ("template.clone", 0, "copy"), "manage": ("template.update", 0, "A=1", 1)}
ADMIN = ("template.chmod", 0, -1, -1, 0, -1, -1, -1, -1, -1, -1)


@pytest.mark.parametrize("user", ["ann", "ben", "oneadmin"])
@pytest.mark.parametrize(
    ("level", "stopped"),
    [(1, {"use", "manage", "admin"}), (2, {"manage", "admin"}), (3, {"admin"}), (4, {"admin"}), (0, set())],
)
def test_levels(locked: Core, level: int, stopped: set[str], user: str) -> None:
    locked.call("template.lock", 0, level)
    for right, call in (*CALLS.items(), ("admin", ADMIN)):
        answer = refused(locked, *call, user=user)
        assert (answer is not None) is (right in stopped), right
        if answer is not None:
            assert answer.code == AUTHORIZATION
            assert ("is locked" in answer.text) is (user == "oneadmin")
    assert locked.call("template.info", 0, user=user)  # reading is always possible


@pytest.mark.parametrize("level", [-1, 5, 100])
def test_levels_that_there_are_not(locked: Core, level: int) -> None:
    answer = refused(locked, "template.lock", 0, level)
    assert answer is not None and answer.code == ACTION


def test_a_lock_can_be_replaced_unless_it_is_tested_for(locked: Core) -> None:
    locked.call("template.lock", 0, 4, True)
    time_of_lock = locked.info("template.info", 0).findtext("LOCK/TIME")
    answer = refused(locked, "template.lock", 0, 1, True, user="ben")
    assert answer is not None and answer.code == ACTION and answer.text.endswith(f" {time_of_lock}")
    locked.call("template.lock", 0, 1, user="ben")
    document = locked.info("template.info", 0)
    assert (document.findtext("LOCK/LOCKED"), document.findtext("LOCK/OWNER")) == ("1", "3")


def test_only_the_holder_and_administrators_unlock(locked: Core) -> None:
    locked.call("template.lock", 0, 4, user="ann")
    answer = refused(locked, "template.unlock", 0, user="ben")
    assert answer is not None and answer.code == ACTION
    locked.call("template.unlock", 0, user="ann")
    # Without a lock nobody holds it, so only administrators may remove it.
    answer = refused(locked, "template.unlock", 0, user="ann")
    assert answer is not None and answer.code == ACTION
    assert locked.call("template.unlock", 0) == 0
    locked.call("template.lock", 0, 4, user="ann")
    locked.call("template.unlock", 0)
    assert locked.info("template.info", 0).find("LOCK") is None


def test_locking_needs_the_management(locked: Core) -> None:
    locked.call("template.chmod", 0, 1, 1, 0, 1, 0, 0, 1, 0, 0)
    for method, args in (("lock", (1, False)), ("unlock", ())):
        answer = refused(locked, f"template.{method}", 0, *args, user="ben")
        assert answer is not None and answer.code == AUTHORIZATION
