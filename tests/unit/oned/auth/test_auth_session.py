"""Who a session string proves, and that nothing about it is remembered longer than it holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest

from services.oned.auth import session
from services.oned.auth.session import Caller
from services.oned.errors import AuthenticationError
from services.oned.model.user import LoginToken, User
from tests.support.core import Core


def caller(core: Core, text: str) -> Caller:
    """The user that a session proves."""
    return session.caller(core.store, text, core.zone.conf)


def change(core: Core, uid: int, how: Callable[[User], None]) -> None:
    """Change a user's document behind the API's back."""

    def run(tx: object) -> None:
        user = User.load(tx, uid)  # type: ignore[arg-type]
        how(user)
        user.save(tx)  # type: ignore[arg-type]

    core.store.run(run)


def test_a_password_proves_its_user(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    uid = core.add_user("ann", group)
    core.call("user.addgroup", uid, 1)
    core.call("user.update", uid, "UMASK=027", 1)
    found = caller(core, "ann:pw-ann")
    assert (found.uid, found.gid, found.name, found.gname) == (uid, group, "ann", "devs")
    assert found.groups == {1, group}
    assert found.umask == 0o027
    assert not found.is_admin


def test_administrators(core: Core) -> None:
    uid = core.add_user("ann", 1)
    assert caller(core, "oneadmin:opennebula").is_oneadmin
    core.call("user.addgroup", uid, 0)
    found = caller(core, "ann:pw-ann")
    assert found.is_admin and not found.is_oneadmin


@pytest.mark.parametrize(
    "text",
    ["ann:wrong", "ann:", "ann", "", ":", "nobody:pw-ann", "ANN:pw-ann", "ann:pw-ann ", "serveradmin:x:y"],
)
def test_anything_else_is_refused(core: Core, text: str) -> None:
    core.add_user("ann", 1)
    with pytest.raises(AuthenticationError):
        caller(core, text)


def test_passwords_may_hold_colons(core: Core) -> None:
    core.call("user.allocate", "ann", "a:b:c", "", [])
    assert caller(core, "ann:a:b:c").name == "ann"


def test_changes_hold_at_once(core: Core) -> None:
    uid = core.add_user("ann", 1)
    group = core.call("group.allocate", "devs")
    assert caller(core, "ann:pw-ann").gid == 1
    core.call("user.chgrp", uid, group)
    assert caller(core, "ann:pw-ann").groups == {group}
    core.call("user.passwd", uid, "new")
    with pytest.raises(AuthenticationError):
        caller(core, "ann:pw-ann")
    assert caller(core, "ann:new").uid == uid
    core.call("user.enable", uid, False)
    with pytest.raises(AuthenticationError):
        caller(core, "ann:new")
    core.call("user.enable", uid, True)
    core.call("user.delete", uid)
    with pytest.raises(AuthenticationError):
        caller(core, "ann:new")


def test_a_new_user_of_an_old_name_is_another_one(core: Core) -> None:
    old = core.add_user("ann", 1)
    assert caller(core, "ann:pw-ann").uid == old
    core.call("user.delete", old)
    new = core.add_user("ann", 1)
    assert caller(core, "ann:pw-ann").uid == new != old


@pytest.mark.parametrize("driver", ["other", "plain", "../auth", "."])
def test_drivers_that_are_not_enabled_refuse(
    core: Core, driver: str, caplog: pytest.LogCaptureFixture
) -> None:
    core.call("user.allocate", "ann", "subject", driver, [])
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthenticationError):
        caller(core, "ann:subject")
    assert f"driver {driver} is not available" in caplog.text


def test_public_users_come_through_services_and_tokens_only(core: Core) -> None:
    uid = core.call("user.allocate", "ann", "secret", "public", [])
    with pytest.raises(AuthenticationError):
        caller(core, "ann:secret")
    change(core, uid, lambda user: user.tokens.append(LoginToken("aaa", -1, -1)))
    assert caller(core, "ann:aaa").uid == uid


def test_no_secret_reaches_the_log(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    core.add_user("ann", 1)
    with caplog.at_level(logging.DEBUG):
        for text in ("ann:t0p-secret", "nobody:t0p-secret", "t0p-secret", "ann:pw-ann"):
            with pytest.raises(AuthenticationError):
                caller(core, text)
                raise AuthenticationError  # the last one is right: its secret must not be logged either
    assert caplog.text
    assert "t0p-secret" not in caplog.text and "pw-ann" not in caplog.text


def test_names_cannot_forge_log_lines(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(AuthenticationError):
        caller(core, "x\nSat Nov 21 [Z0][AuM][I]: user oneadmin accepted:x")
    assert all("\n" not in record.getMessage() for record in caplog.records)


# -- login tokens ------------------------------------------------------------------------------------------
def test_a_login_token_stands_for_the_password(core: Core) -> None:
    uid = core.add_user("ann", 1)
    later = int(time.time()) + 1000
    change(
        core, uid, lambda user: user.tokens.extend([LoginToken("aaa", later, -1), LoginToken("bbb", -1, -1)])
    )
    assert caller(core, "ann:aaa").uid == uid
    assert caller(core, "ann:bbb").uid == uid
    assert caller(core, "ann:pw-ann").uid == uid
    core.call("user.update", uid, "A=1", 1)
    assert caller(core, "ann:bbb").uid == uid  # other changes keep the tokens
    core.call("user.passwd", uid, "new")
    with pytest.raises(AuthenticationError):
        caller(core, "ann:bbb")


def test_an_expired_token_is_refused(core: Core, caplog: pytest.LogCaptureFixture) -> None:
    uid = core.add_user("ann", 1)
    change(core, uid, lambda user: user.tokens.append(LoginToken("aaa", int(time.time()) - 1, -1)))
    with caplog.at_level(logging.INFO), pytest.raises(AuthenticationError):
        caller(core, "ann:aaa")
    assert "expired" in caplog.text


def test_a_token_may_open_one_group_only(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    uid = core.add_user("ann", 1, group)
    change(core, uid, lambda user: user.tokens.append(LoginToken("aaa", -1, group)))
    found = caller(core, "ann:aaa")
    assert (found.gid, found.gname, found.groups) == (group, "devs", {group})
    core.call("user.delgroup", uid, group)
    with pytest.raises(AuthenticationError):
        caller(core, "ann:aaa")
    assert "LOGIN_TOKEN" not in core.call("user.info", uid)  # it can never open anything again
