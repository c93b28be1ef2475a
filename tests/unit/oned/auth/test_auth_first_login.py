"""Users made at their first login, groups kept by a driver, and what is remembered of a driver's answers."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from services.common import paths
from services.oned.auth import login, session
from services.oned.auth.session import Caller
from services.oned.errors import AuthenticationError
from services.oned.model.user import User
from tests.support.core import Core

SETTINGS = """
AUTH_MAD = [ EXECUTABLE="one_auth_mad", AUTHN="own" ]
AUTH_MAD_CONF = [ NAME="core", PASSWORD_CHANGE="YES" ]
AUTH_MAD_CONF = [ NAME="own", PASSWORD_CHANGE="NO", DRIVER_MANAGED_GROUPS="YES",
                  DRIVER_MANAGED_GROUP_ADMIN="{admin}" ]
DEFAULT_AUTH = "own"
{more}
"""


class Directory:
    """A driver that answers a settable line, counts its calls, and accepts the secret "right" only."""

    def __init__(self, folder: Path) -> None:
        self.line = folder / "line"
        self.calls = folder / "calls"
        action = paths.remotes() / "auth/own/authenticate"
        action.parent.mkdir(parents=True)
        action.write_text(
            f"#!/bin/sh\necho x >> {self.calls}\nwhile [ -e {folder}/slow ]; do sleep 0.05; done\n"
            f'grep -q "<SECRET>right</SECRET>" && cat {self.line}\n'
        )
        action.chmod(0o755)
        self.says("own ann dn")

    def says(self, line: str) -> None:
        """What the driver prints from now on."""
        self.line.write_text(f"{line}\n")

    @property
    def count(self) -> int:
        """How often it was asked."""
        return len(self.calls.read_text().split()) if self.calls.exists() else 0


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Directory:
    """The driver; made before the zone."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    return Directory(tmp_path)


def zone(folder: Path, admin: str = "YES", more: str = "") -> Core:
    """A zone with groups devs (100) and ops (101) that asks the driver about strangers."""
    core = Core(folder, SETTINGS.format(admin=admin, more=more))
    core.call("group.allocate", "devs")
    core.call("group.allocate", "ops")
    return core


def caller(core: Core, text: str = "ann:right") -> Caller:
    """The user that a session proves."""
    return session.caller(core.store, text, core.zone.conf)


def members(core: Core, gid: int, part: str = "USERS") -> list[int]:
    """The users (or ADMINS) that a group's document lists."""
    return [int(found.text or -1) for found in core.info("group.info", gid).findall(f"{part}/ID")]


# -- first login -------------------------------------------------------------------------------------------
def test_a_stranger_becomes_a_user(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path)
    directory.says(r"own ann cn=ann,dc=x 100 *101")
    answer = core.zone.call("one.user.info", -1, session="ann:right")
    assert answer[0] and "<NAME>ann</NAME>" in answer[1]
    document = core.info("user.info", 2)
    assert [document.findtext(part) for part in ("GID", "GNAME", "AUTH_DRIVER", "PASSWORD", "ENABLED")] == [
        "100", "devs", "own", "cn=ann,dc=x", "1",
    ]  # fmt: skip
    assert document.findtext("TEMPLATE/TOKEN_PASSWORD")
    assert members(core, 100) == members(core, 101) == members(core, 101, "ADMINS") == [2]
    assert members(core, 100, "ADMINS") == []
    assert caller(core).groups == {100, 101}


def test_without_groups_it_is_the_users(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path)
    found = caller(core)
    assert (found.gid, found.gname, found.groups) == (1, "users", {1})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "own",
        "own ann",
        "own ann dn x",
        "own ann dn 100x",
        "own ann dn 777",
        "own a:b dn",
        "own oneadmin dn",
        "own ann dn -1",
    ],
)
def test_answers_that_make_no_user(tmp_path: Path, directory: Directory, line: str) -> None:
    core = zone(tmp_path)
    directory.says(line)
    with pytest.raises(AuthenticationError):
        caller(core)
    assert core.rows("SELECT COUNT(*) FROM user_pool") == [(2,)]
    assert members(core, 100) == []


def test_strangers_that_the_driver_refuses(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path)
    with pytest.raises(AuthenticationError):
        caller(core, "ann:wrong")
    before = directory.count
    with pytest.raises(AuthenticationError):
        caller(core, "a b:right")  # nobody can have that name, so nobody is asked
    assert directory.count == before


def test_the_driver_chooses_the_name(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path)
    assert caller(core, "ANN:right").name == "ann"
    # As OpenNebula: the name is taken now, and the other spelling is still nobody's.
    with pytest.raises(AuthenticationError):
        caller(core, "ANN:right")


def test_without_a_default_driver_strangers_are_refused(core: Core) -> None:
    assert core.zone.refusal("one.user.info", -1, session="nobody:x")[0] == 0x100


# -- managed groups ----------------------------------------------------------------------------------------
def test_groups_follow_the_driver(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path, more='SESSION_EXPIRATION_TIME = "0"')
    directory.says("own ann dn 100 101")
    assert caller(core).gid == 100
    directory.says("own ann dn *101 1")
    found = caller(core)
    assert (found.gid, found.gname, found.groups) == (101, "ops", {1, 101})
    assert members(core, 100) == [] and members(core, 1) == members(core, 101, "ADMINS") == [2]
    directory.says("own ann dn 1 101")  # the primary group stays while it is among them
    assert caller(core).gid == 101 and members(core, 101, "ADMINS") == []
    directory.says("own ann dn")  # no groups named: nothing changes
    assert caller(core).groups == {1, 101}
    for line in ("own ann dn 1 x", "own ann dn 1 777"):
        directory.says(line)
        with pytest.raises(AuthenticationError):
            caller(core)
    assert members(core, 1) == [2]


def test_administrators_may_be_left_alone(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path, admin="NO", more='SESSION_EXPIRATION_TIME = "0"')
    directory.says("own ann dn *100")
    caller(core)
    assert members(core, 100, "ADMINS") == []
    core.call("group.addadmin", 100, 2)
    caller(core)
    assert members(core, 100, "ADMINS") == [2]


# -- what is remembered ------------------------------------------------------------------------------------
def test_an_accepted_secret_is_asked_about_once(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path)
    uid = core.call("user.allocate", "ann", "dn", "own", [])
    for _ in range(3):
        assert caller(core).uid == uid
    assert directory.count == 1
    with pytest.raises(AuthenticationError):
        caller(core, "ann:wrong")
    assert directory.count == 2 and caller(core).uid == uid and directory.count == 2


def test_expiration_can_be_switched_off(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path, more='SESSION_EXPIRATION_TIME = "0"')
    core.call("user.allocate", "ann", "dn", "own", [])
    caller(core)
    caller(core)
    assert directory.count == 2


def test_what_is_remembered_expires(
    tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = zone(tmp_path)
    core.call("user.allocate", "ann", "dn", "own", [])
    caller(core)
    later = time.time() + 901
    monkeypatch.setattr(time, "time", lambda: later)
    caller(core)
    assert directory.count == 2


@pytest.mark.parametrize(
    "change", [("passwd", "dn2"), ("chauth", "own", "dn3"), ("chauth", "gone", ""), ("enable", False)]
)
def test_changes_end_what_is_remembered(
    tmp_path: Path, directory: Directory, change: tuple[object, ...]
) -> None:
    core = zone(tmp_path)
    uid = core.call("user.allocate", "ann", "dn", "own", [])
    caller(core)
    core.call(f"user.{change[0]}", uid, *change[1:])
    if change[1] in ("dn2", "own"):
        caller(core)
        assert directory.count == 2
    else:
        with pytest.raises(AuthenticationError):
            caller(core)


def test_a_password_that_changes_while_the_driver_is_asked(
    tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = zone(tmp_path)
    uid = core.call("user.allocate", "ann", "dn", "own", [])
    asked: list[str] = []
    original = login.known_user

    def known_user(store, conf, uid, driver, who):  # type: ignore[no-untyped-def]
        asked.append(who.password)
        answer = original(store, conf, uid, driver, who)
        if len(asked) == 1:
            store.run(lambda tx: _set_password(tx, uid))
        return answer

    monkeypatch.setattr(login, "known_user", known_user)
    assert caller(core).uid == uid
    assert asked == ["dn", "changed"]  # the first answer was about a password that no longer holds


def _set_password(tx, uid: int) -> None:  # type: ignore[no-untyped-def]
    user = User.load(tx, uid)
    user.password = "changed"
    user.save(tx)


def test_a_slow_driver_holds_no_transaction(tmp_path: Path, directory: Directory) -> None:
    core = zone(tmp_path)
    core.call("user.allocate", "ann", "dn", "own", [])
    (tmp_path / "slow").touch()
    answers: list[list[object]] = []

    def slow() -> None:
        answers.append(core.zone.call("one.user.update", 2, "A=1", 1, session="ann:right"))
        core.store.close()

    thread = threading.Thread(target=slow)
    thread.start()
    while directory.count == 0:
        time.sleep(0.01)
    core.call("user.update", 2, "B=1", 1)  # writes the very row
    core.call("template.allocate", "NAME=x")
    assert not answers  # the driver still thinks
    (tmp_path / "slow").unlink()
    thread.join()
    assert answers[0][0] is True
    document = core.info("user.info", 2)
    assert document.findtext("TEMPLATE/A") == document.findtext("TEMPLATE/B") == "1"


def test_a_slow_driver_leaves_threads_for_others(
    tmp_path: Path, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = zone(tmp_path, more="API_THREADS = 3")
    core.call("user.allocate", "ann", "dn", "own", [])
    (tmp_path / "slow").touch()
    monkeypatch.setattr(login, "_DRIVER_WAIT_S", 0.1)
    found: list[bool] = []

    def ask(secret: str) -> None:
        found.append(core.zone.call("one.user.info", -1, session=f"ann:{secret}")[0])
        core.store.close()

    first = threading.Thread(target=ask, args=("right",))
    first.start()
    while directory.count == 0:
        time.sleep(0.01)
    ask("also")  # one of three threads may wait for drivers: this one is refused instead
    assert found == [False] and directory.count == 1
    (tmp_path / "slow").unlink()
    first.join()
    assert found == [False, True]
