"""Authentication by the real programs, on both databases: first logins at once, services, restarts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.oca import Client, OneError
from tests.service.conftest import mysql_section
from tests.support import tokens
from tests.support.frontend import Frontend

SETTINGS = """
AUTH_MAD = [ EXECUTABLE = "one_auth_mad", AUTHN = "own,ssh,server_cipher" ]
AUTH_MAD_CONF = [ NAME = "own", DRIVER_MANAGED_GROUPS = "YES", DRIVER_MANAGED_GROUP_ADMIN = "YES" ]
DEFAULT_AUTH = "own"
API_THREADS = 16
"""
DRIVER = """#!/bin/sh
input=$(cat)
name=$(echo "$input" | sed 's/.*<USERNAME>\\(.*\\)<.USERNAME>.*/\\1/')
case "$input" in *"<SECRET>open-sesame</SECRET>"*) sleep 0.3; echo "own $name dn 1 *100" ;; *) exit 1 ;; esac
"""


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    """A front-end with a driver of a third party, on each database in turn."""
    folder: Path = tmp_path_factory.mktemp("front")
    if request.param == "mysql":
        section = mysql_section(request.getfixturevalue("mariadb"), "one_auth")
        made = Frontend(folder, section, extra_conf=SETTINGS)
    else:
        made = Frontend(folder, extra_conf=SETTINGS)
    action = folder / "var/remotes/auth/own/authenticate"
    action.parent.mkdir(parents=True)
    action.write_text(DRIVER)
    action.chmod(0o755)
    try:
        made.start("opennebula")
        assert admin(made).call("group.allocate", "devs") == 100
        yield made
    finally:
        made.stop()


def admin(front: Frontend) -> Client:
    """oneadmin's client."""
    return Client(front.endpoint, front.session)


def documents(front: Frontend, names: list[str], secret: str = "open-sesame") -> list[str]:
    """What user.info says to several callers at the same time; an empty text to those who are refused."""
    found = [""] * len(names)

    def ask(position: int) -> None:
        try:
            found[position] = str(Client(front.endpoint, f"{names[position]}:{secret}").call("user.info", -1))
        except OneError:
            pass

    threads = [threading.Thread(target=ask, args=(position,)) for position in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_strangers_at_the_same_time_become_one_user_each(front: Frontend) -> None:
    names = ["ann", "ben", "cid", "dan"]
    found = documents(front, names * 3)
    for name in names:
        answers = {text for text in found if f"<NAME>{name}</NAME>" in text}
        assert len(answers) == 1  # all three saw the same user
    pool = str(admin(front).call("userpool.info"))
    assert all(pool.count(f"<NAME>{name}</NAME>") == 1 for name in names)
    group = str(admin(front).call("group.info", 100))
    assert group.count("<ID>", group.index("<ADMINS>"), group.index("</ADMINS>")) == 4
    assert documents(front, names, "wrong") == [""] * 4
    assert "open-sesame" not in (front.folder / "var/oned.log").read_text()


def test_groups_return_at_the_next_login(front: Frontend) -> None:
    documents(front, ["eve"])
    uid = int(documents(front, ["eve"])[0].partition("<ID>")[2].partition("<")[0])
    admin(front).call("user.chauth", uid, "core", "eve-pw")
    admin(front).call("user.delgroup", uid, 100)
    admin(front).call("user.chauth", uid, "own", "dn")
    assert all("<GROUPS><ID>1</ID><ID>100</ID></GROUPS>" in text for text in documents(front, ["eve"] * 4))


def test_passwords_and_tokens_outlive_a_restart(front: Frontend, tmp_path: Path) -> None:
    key = tokens.new_key(tmp_path / "key")
    client = admin(front)
    client.call("user.allocate", "core-user", "pw", "core", [1])
    client.call("user.allocate", "ssh-user", tokens.public_key(key), "ssh", [1])
    mine = str(Client(front.endpoint, "core-user:pw").call("user.login", "core-user", "", 600, -1))
    front.kill("opennebula")
    front.spawn("opennebula")
    front.wait_ready()
    sessions = ["core-user:pw", f"core-user:{mine}", f"ssh-user:{tokens.ssh_token(key, 'ssh-user')}"]
    service = (front.folder / "var/.one/oneflow_auth").read_text().strip().partition(":")[2]
    sessions.append(f"serveradmin:core-user:{tokens.cipher_token(service, 'serveradmin', 'core-user')}")
    for session in sessions:
        assert "<NAME>" in str(Client(front.endpoint, session).call("user.info", -1))
    log = (front.folder / "var/oned.log").read_text()
    assert not any(secret in log for secret in (mine, service, "core-user:pw"))


def test_a_setting_that_would_open_doors_stops_the_start(tmp_path: Path) -> None:
    broken = Frontend(tmp_path, extra_conf='AUTH_MAD = [ EXECUTABLE = "one_auth_mad", AUTHZ = "quota" ]')
    broken.spawn("opennebula")
    assert broken.processes["opennebula"].wait(20) == 1
    assert "AUTHZ" in broken.tail("opennebula")
