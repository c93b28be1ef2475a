"""The right that VM operations need: user, then group, then oned.conf; and what cannot be set."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned.api.call import Call
from services.oned.auth import conf_check, operations, session
from services.oned.auth.operations import conf_right, operation_right
from services.oned.auth.rights import Right
from services.oned.config import from_settings
from services.oned.errors import RequestError
from tests.support.core import Core, Refused
from tests.support.zone import settings

INTERNAL = 0x2000


def right(core: Core, name: str, operation: str) -> Right:
    """What a user needs for an operation."""
    caller = session.caller(core.store, f"{name}:pw-{name}", core.zone.conf)
    with core.store.read() as tx:
        return operation_right(Call(tx, caller, core.zone.conf, "one.vm.action"), operation)


def test_the_stock_settings(core: Core) -> None:
    core.add_user("ann", 1)
    for operation in ("migrate", "live-migrate", "delete", "delete-recreate", "recover", "retry", "deploy",
                      "resched", "unresched"):  # fmt: skip
        assert right(core, "ann", operation) is Right.ADMIN, operation
    for operation in ("undeploy", "undeploy-hard", "hold", "release", "stop", "suspend", "resume", "reboot",
                      "reboot-hard", "poweroff", "poweroff-hard", "disk-attach", "disk-detach", "nic-attach",
                      "nic-detach", "disk-snapshot-create", "disk-snapshot-delete", "disk-snapshot-revert",
                      "disk-snapshot-rename", "terminate", "terminate-hard", "disk-resize", "snapshot-create",
                      "snapshot-delete", "snapshot-revert", "updateconf", "rename", "resize", "update",
                      "disk-saveas"):  # fmt: skip
        assert right(core, "ann", operation) is Right.MANAGE, operation


def test_user_goes_before_group_before_oned_conf(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    uid = core.add_user("ann", group)
    core.call("group.update", group, 'VM_USE_OPERATIONS="Hold, release"\nVM_ADMIN_OPERATIONS="stop"', 1)
    assert right(core, "ann", "hold") is Right.USE
    assert right(core, "ann", "stop") is Right.ADMIN
    assert right(core, "ann", "migrate") is Right.ADMIN  # oned.conf
    core.call("user.update", uid, 'VM_MANAGE_OPERATIONS="migrate,hold"\nVM_USE_OPERATIONS="migrate"', 1)
    assert right(core, "ann", "hold") is Right.MANAGE
    assert right(core, "ann", "live-migrate") is Right.MANAGE  # manage goes before use
    assert right(core, "ann", "release") is Right.USE
    core.call("user.chgrp", uid, 1)
    assert right(core, "ann", "release") is Right.MANAGE


def test_a_secondary_group_says_nothing(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    core.call("group.update", group, 'VM_USE_OPERATIONS="hold"', 1)
    core.add_user("ann", 1, group)
    assert right(core, "ann", "hold") is Right.MANAGE


def test_settings_that_oned_conf_leaves_out() -> None:
    assert conf_right(Template(), "deploy") is Right.ADMIN
    assert conf_right(Template.parse('VM_ADMIN_OPERATIONS=""'), "deploy") is Right.MANAGE
    assert conf_right(Template.parse('VM_USE_OPERATIONS="deploy"'), "deploy") is Right.ADMIN
    assert conf_right(Template(), "chown") is Right.MANAGE  # nothing can name it


@pytest.mark.parametrize("text", ["fly", "hold,fly", "hold, ,stop", "poweroff-hard"])
def test_operations_that_there_are_not(core: Core, text: str) -> None:
    for method, oid in (("user.update", 0), ("group.update", 1)):
        with pytest.raises(Refused, match="Cannot update template. Unknown vm operation") as refused:
            core.call(method, oid, f'VM_USE_OPERATIONS="{text}"', 1)
        assert refused.value.code == INTERNAL
    with pytest.raises(RequestError):
        operations.check(Template([("VM_USE_OPERATIONS", text)]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ('VM_USE_OPERATIONS="fly"', ["Unknown vm operation: fly"]),
        ('AUTH_MAD=[EXECUTABLE="x",AUTHZ="quota"]', ["AUTHZ"]),
        ('AUTH_MAD_CONF=[NAME="core",MAX_TOKEN_TIME="a day"]', ["core: MAX_TOKEN_TIME"]),
        ('AUTH_MAD_CONF=[NAME="core",MAX_TOKEN_TIME="-2"]', ["MAX_TOKEN_TIME"]),
    ],
)
def test_settings_that_stop_the_start(text: str, expected: list[str]) -> None:
    found = conf_check.problems(from_settings(settings(more=text)))
    assert len(found) == len(expected)
    assert all(part in problem for part, problem in zip(expected, found, strict=True))


def test_only_administrators_may_set_them(core: Core) -> None:
    uid = core.add_user("ann", 1)
    core.call("user.update", uid, 'VM_USE_OPERATIONS="hold,,"', 1)
    with pytest.raises(Refused, match="restricted attribute") as refused:
        core.call("user.update", uid, 'VM_USE_OPERATIONS="terminate"', 1, user="ann")
    assert refused.value.code == INTERNAL
    core.call("user.update", uid, "A=1", 0, user="ann")  # a replacement carries them over
    assert core.info("user.info", uid).findtext("TEMPLATE/VM_USE_OPERATIONS") == "hold,,"
