"""The drivers that need no directory: ssh, the services' ones, and executables of third parties."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from services.common import paths
from services.oned.auth import drivers, session
from services.oned.auth.drivers import Context, Login, Refusal
from services.oned.auth.session import Caller
from services.oned.errors import AuthenticationError
from tests.support import tokens
from tests.support.core import Core


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An RSA private key."""
    return tokens.new_key(tmp_path_factory.mktemp("key") / "id_rsa")


def caller(core: Core, text: str) -> Caller:
    """The user that a session proves."""
    return session.caller(core.store, text, core.zone.conf)


def refused(core: Core, text: str) -> bool:
    """Whether a session proves nobody."""
    try:
        caller(core, text)
    except AuthenticationError:
        return True
    return False


def service_password() -> str:
    """serveradmin's password, from a file that services read."""
    return (paths.auth_dir() / "sunstone_auth").read_text().strip().partition(":")[2]


# -- ssh ---------------------------------------------------------------------------------------------------
def test_ssh_tokens_of_the_original_client(core: Core, key: Path) -> None:
    uid = core.call("user.allocate", "ann", tokens.public_key(key), "ssh", [])
    token = tokens.ssh_token(key, "ann")
    assert caller(core, f"ann:{token}").uid == uid
    assert refused(core, f"ann:{tokens.ssh_token(key, 'ben')}")
    assert refused(core, f"ann:{tokens.ssh_token(key, 'ann', valid_s=-1)}")
    assert refused(core, f"ann:{token[:-8]}AAAAAAA=")
    for secret in ("", "x", "====", tokens.public_key(key)):
        assert refused(core, f"ann:{secret}")


def test_another_key_opens_nothing(core: Core, key: Path, tmp_path: Path) -> None:
    core.call("user.allocate", "ann", tokens.public_key(key), "ssh", [])
    assert refused(core, f"ann:{tokens.ssh_token(tokens.new_key(tmp_path / 'other'), 'ann')}")


def test_a_stored_password_that_is_no_key(core: Core, key: Path) -> None:
    core.call("user.allocate", "ann", "ssh-rsa", "ssh", [])
    assert refused(core, f"ann:{tokens.ssh_token(key, 'ann')}")


# -- services ----------------------------------------------------------------------------------------------
def test_a_service_acts_for_a_user(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    uid = core.add_user("ann", group)
    core.call("user.update", uid, "UMASK=022", 1)
    token = tokens.cipher_token(service_password(), "serveradmin", "ann")
    found = caller(core, f"serveradmin:ann:{token}")
    assert (found.uid, found.gid, found.gname, found.umask, found.is_admin) == (
        uid,
        group,
        "devs",
        0o022,
        False,
    )
    itself = tokens.cipher_token(service_password(), "serveradmin", "serveradmin")
    assert caller(core, f"serveradmin:serveradmin:{itself}").uid == 1
    assert (
        core.zone.value("one.user.info", -1, session=f"serveradmin:ann:{token}").count("<NAME>ann</NAME>")
        == 1
    )


def test_a_service_may_name_the_group(core: Core) -> None:
    group = core.call("group.allocate", "devs")
    core.add_user("ann", 1, group)
    token = tokens.cipher_token(service_password(), "serveradmin", "ann")
    found = caller(core, f"serveradmin:ann:{group}:{token}")
    assert (found.gid, found.gname, found.groups) == (group, "devs", {group})
    for text in ("x", "", "1x", "1:1"):
        assert refused(core, f"serveradmin:ann:{text}:{token}")


def test_a_services_token_is_for_one_user(core: Core) -> None:
    core.add_user("ann", 1)
    token = tokens.cipher_token(service_password(), "serveradmin", "ann")
    assert refused(core, f"serveradmin:oneadmin:{token}")
    assert refused(core, f"serveradmin:nobody:{token}")
    assert refused(core, f"serveradmin:{token}")
    assert refused(core, "serveradmin:" + service_password())
    assert refused(core, f"ann:ann:{token}")
    for wrong in (
        tokens.cipher_token(service_password(), "other", "ann"),
        tokens.cipher_token("guess", "serveradmin", "ann"),
        tokens.cipher_token(service_password(), "serveradmin", "ann", valid_s=-1),
        "AAAA",
        "",
    ):
        assert refused(core, f"serveradmin:ann:{wrong}")


def test_users_that_are_disabled_have_no_service_either(core: Core) -> None:
    uid = core.add_user("ann", 1)
    token = tokens.cipher_token(service_password(), "serveradmin", "ann")
    assert caller(core, f"serveradmin:ann:{token}").uid == uid
    core.call("user.enable", uid, False)
    assert refused(core, f"serveradmin:ann:{token}")
    core.call("user.enable", uid, True)
    core.call("user.enable", 1, False)
    assert refused(core, f"serveradmin:ann:{token}")


def test_an_accepted_token_ends_with_its_own_time(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.cipher_token(service_password(), "serveradmin", "oneadmin", valid_s=60)
    assert caller(core, f"serveradmin:oneadmin:{token}").uid == 0
    later = time.time() + 61  # well within SESSION_EXPIRATION_TIME
    monkeypatch.setattr(time, "time", lambda: later)
    assert refused(core, f"serveradmin:oneadmin:{token}")


def test_services_with_a_certificate(core: Core, key: Path, tmp_path: Path) -> None:
    folder = paths.etc() / "auth"
    folder.mkdir(parents=True)
    authority = tokens.Authority(tmp_path / "ca")
    (folder / "cert.pem").write_text(authority.issue(key, "/O=Test/CN=front end"))
    core.add_user("ann", 1)
    core.call("user.allocate", "webadmin", r"/O=Test/CN=front\20end", "server_x509", [0])
    until = int(time.time()) + 600
    twice = tokens.base64.b64encode(tokens.signed(key, f"webadmin:ann:{until}").encode()).decode()
    assert refused(core, f"webadmin:ann:{twice}")  # :srv_user is not set
    (folder / "server_x509_auth.conf").write_text(":srv_user: webadmin\n")
    assert caller(core, f"webadmin:ann:{twice}").name == "ann"
    assert refused(core, f"webadmin:oneadmin:{twice}")
    assert refused(core, f"webadmin:ann:{tokens.signed(key, f'webadmin:ann:{until}')}")
    core.call("user.passwd", 3, "/O=Test/CN=other")
    assert refused(core, f"webadmin:ann:{twice}")


# -- executables -------------------------------------------------------------------------------------------
def install(name: str, script: str) -> Path:
    """A driver's action below remotes."""
    action = paths.remotes() / "auth" / name / "authenticate"
    action.parent.mkdir(parents=True)
    action.write_text(f"#!/bin/sh\n{script}\n")
    action.chmod(0o755)
    return action


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Core:
    """A zone with drivers of third parties enabled."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    return Core(
        tmp_path, 'AUTH_MAD = [ EXECUTABLE="one_auth_mad", AUTHN="own, gone,slow" ]\nDEFAULT_AUTH="own"'
    )


def test_a_driver_of_a_third_party(third: Core, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    install(
        "own",
        f'cat > {tmp_path}/stdin; echo "$@" > {tmp_path}/argv; grep -q "<SECRET>s&amp;t" {tmp_path}/stdin',
    )
    uid = third.call("user.allocate", "ann", "stored", "own", [])
    with caplog.at_level("DEBUG"):
        assert caller(third, "ann:s&t").uid == uid
        assert refused(third, "ann:other")
    expected = "<AUTHN><USERNAME>ann</USERNAME><PASSWORD>stored</PASSWORD><SECRET>other</SECRET></AUTHN>"
    assert (tmp_path / "stdin").read_text() == expected
    assert (tmp_path / "argv").read_text().strip() == ""
    assert "s&t" not in caplog.text and "other" not in caplog.text


def test_a_failing_driver_says_why_without_the_secret(third: Core, caplog: pytest.LogCaptureFixture) -> None:
    install("own", 'echo "no luck with hush" >&2; exit 3')
    third.call("user.allocate", "ann", "stored", "own", [])
    with caplog.at_level("INFO"):
        assert refused(third, "ann:hush")
    assert "ended with 3: no luck with ***" in caplog.text


def test_drivers_that_are_named_but_missing(third: Core) -> None:
    third.call("user.allocate", "ann", "stored", "gone", [])
    assert refused(third, "ann:x")


def test_drivers_that_are_there_but_not_named(third: Core) -> None:
    install("unnamed", "exit 0")
    third.call("user.allocate", "ann", "stored", "unnamed", [])
    assert refused(third, "ann:x")


def test_names_that_lead_out_of_the_folder(third: Core) -> None:
    install("own", "exit 0")
    context = Context(third.zone.conf, lambda _: {})
    for name in ("../auth/own", "..", "", "own/", "./own"):
        with pytest.raises(Refusal):
            drivers.ask(third.zone.conf, name, Login("ann", "", "x"), context)


def test_without_a_list_everything_that_is_there_is_enabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    core = Core(tmp_path, 'AUTH_MAD = [ EXECUTABLE="one_auth_mad" ]')
    install("own", "exit 0")
    assert drivers.find(core.zone.conf, "own") and drivers.find(core.zone.conf, "ssh")
    assert drivers.find(core.zone.conf, "gone") is None
    assert drivers.find(core.zone.conf, "dummy") is None  # lets everybody in: only when it is named
