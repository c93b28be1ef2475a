"""The steps on a native prefix: what is there afterwards, who may read it, what a second run changes."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest

from bootstrap import mysql_settings, places
from bootstrap.context import StepError
from services.common import config
from tests.unit.bootstrap.conftest import Runner, files

PASSWORD = "Geheim-Wort.1"


def test_a_fresh_instance_has_what_the_services_need(run: Runner, prefix: Path) -> None:
    run()
    settings = config.read(prefix / "etc/oned.conf")
    assert settings.get("PORT") == "2633"
    assert settings.get("LISTEN_ADDRESS") == "127.0.0.1"
    assert settings.get_vector("DB") == {"BACKEND": "sqlite", "TIMEOUT": "2500"}
    assert config.read(prefix / "etc/sched.conf").get("ONE_XMLRPC") == "http://127.0.0.1:2633/RPC2"
    for folder in ("var/datastores", "var/run/wake", "var/remotes"):
        assert (prefix / folder).is_dir()
    state = json.loads(places.state().read_text())
    assert state["ready_url"] == "http://127.0.0.1:2633/ready"
    assert set(state["programs"]) == {
        "opennebula", "opennebula-engine", "opennebula-monitord", "opennebula-novnc", "opennebula-scheduler",
        "opennebula-ssh-add", "opennebula-ssh-agent", "supervisor-listener",
    }  # fmt: skip


def test_a_second_run_changes_nothing(run: Runner, prefix: Path) -> None:
    run(ONEBOX_DB="mysql")
    before = files(prefix.parent)
    lines = run(ONEBOX_DB="mysql")
    assert files(prefix.parent) == before
    assert any(line.endswith("directories, 0 created or changed") for line in lines)
    assert "[render programs] 11 programs, 0 changed" in lines


def test_credentials_are_their_owners_only(run: Runner, prefix: Path) -> None:
    run(ONEBOX_DB="mysql", ONEADMIN_PASSWORD=PASSWORD)
    auth = prefix / "var/.one"
    assert auth.stat().st_mode & 0o777 == 0o700
    assert (auth / "one_auth").read_text() == f"oneadmin:{PASSWORD}\n"
    for name in ("one_auth", "mysql_auth", "mysql_root_auth"):
        assert (auth / name).stat().st_mode & 0o777 == 0o600


def test_random_passwords_differ_between_instances_and_stay_over_restarts(run: Runner, prefix: Path) -> None:
    run(ONEBOX_DB="mysql")
    auth = prefix / "var/.one"
    first = {name: (auth / name).read_text() for name in ("one_auth", "mysql_auth", "mysql_root_auth")}
    assert len({text.split(":")[1] for text in first.values()}) == 3
    assert all(len(text.strip().split(":")[1]) >= 16 for text in first.values())
    run(ONEBOX_DB="mysql")
    assert {name: (auth / name).read_text() for name in first} == first


def test_no_secret_is_logged_or_readable_by_others(run: Runner, prefix: Path) -> None:
    lines = run(ONEBOX_DB="mysql", ONEADMIN_PASSWORD=PASSWORD, MYSQL_PASSWORD="Daten-Wort.2")
    secrets = [PASSWORD, "Daten-Wort.2", mysql_settings.MysqlSettings.load().root_password]
    assert not [line for line in lines for secret in secrets if secret in line]
    holders = {
        (name, mode)
        for name, (content, mode) in files(prefix.parent).items()
        for secret in secrets
        if secret.encode() in content
    }
    assert {mode for _, mode in holders} == {0o600}
    assert "one/etc/oned.conf" in {name for name, _ in holders}
    assert not [name for name, _ in holders if name.startswith("supervisor/")]


def test_the_password_parameter_is_the_initial_one_only(run: Runner, prefix: Path) -> None:
    run(ONEADMIN_PASSWORD=PASSWORD)
    lines = run(ONEADMIN_PASSWORD="Neues-Wort.3")
    assert (prefix / "var/.one/one_auth").read_text() == f"oneadmin:{PASSWORD}\n"
    [warning] = [line for line in lines if "warning: " in line]
    assert "sets the initial one only" in warning and PASSWORD not in warning and "Neues" not in warning


def test_a_spoilt_credentials_file_is_named(run: Runner, prefix: Path) -> None:
    run()
    (prefix / "var/.one/one_auth").write_text("nothing of use\n")
    with pytest.raises(StepError, match=r"one_auth: expected one line user:password"):
        run()


def test_every_port_moves_with_the_offset(run: Runner, prefix: Path) -> None:
    run(ONEBOX_DB="mysql", ONEBOX_PORT_OFFSET="100")
    settings = config.read(prefix / "etc/oned.conf")
    assert settings.get("PORT") == "2733"
    database = settings.get_vector("DB") or {}
    assert database["PORT"] == "13406" and database["SOCKET"] == str(prefix / "var/run/mysqld.sock")
    assert config.read(prefix / "etc/sched.conf").get("ONE_XMLRPC") == "http://127.0.0.1:2733/RPC2"
    assert mysql_settings.MysqlSettings.load().port == 13406
    assert ":vnc_proxy_port: 29976\n" in (prefix / "etc/sunstone-server.conf").read_text()
    assert json.loads(places.state().read_text())["ready_url"] == "http://127.0.0.1:2733/ready"


def test_an_operators_changes_stay(run: Runner, prefix: Path) -> None:
    run()
    file = prefix / "etc/oned.conf"
    changed = (
        file.read_text().replace('LISTEN_ADDRESS = "127.0.0.1"', 'LISTEN_ADDRESS = "0.0.0.0"')
        + "# mine\nAPI_THREADS = 3\n"
    )
    file.write_text(changed)
    (prefix / "var/remotes/vmm/mine").mkdir(parents=True)
    (prefix / "var/remotes/vmm/mine/deploy").write_text("#!/bin/sh\n")
    setting = next((prefix / "var/remotes/etc").rglob("*rc"))
    setting.write_text("DELAY=9\n")
    run(ONEBOX_PORT_OFFSET="1")
    assert file.read_text() == changed.replace("PORT = 2633", "PORT = 2634")
    assert (prefix / "var/remotes/vmm/mine/deploy").exists()
    assert setting.read_text() == "DELAY=9\n"


def test_our_drivers_are_executable_and_repaired(run: Runner, prefix: Path) -> None:
    run()
    action = prefix / "var/remotes/vmm/dummy/deploy"
    original = action.read_bytes()
    action.write_text("spoilt")
    action.chmod(0o600)
    run()
    assert action.read_bytes() == original and action.stat().st_mode & 0o777 == 0o755


def test_switching_the_database_removes_its_programs_and_settings(run: Runner, prefix: Path) -> None:
    run(ONEBOX_DB="mysql")
    assert (places.programs() / "mysqld.conf").exists()
    run(ONEBOX_DB="sqlite")
    assert not (places.programs() / "mysqld.conf").exists()
    assert config.read(prefix / "etc/oned.conf").get_vector("DB") == {"BACKEND": "sqlite"}


def test_an_outer_database_leaves_the_inner_one_out(run: Runner, prefix: Path) -> None:
    run(ONEBOX_DB="mysql", MYSQL_HOST="db.example.org", MYSQL_PASSWORD="p", MYSQL_PORT="3307")
    assert not (places.programs() / "mysqld.conf").exists()
    assert config.read(prefix / "etc/oned.conf").get_vector("DB") == {
        "BACKEND": "mysql", "SERVER": "db.example.org", "PORT": "3307", "USER": "oneadmin", "PASSWD": "p",
        "DB_NAME": "opennebula",
    }  # fmt: skip


def test_maintenance_holds_every_program_back_but_one(run: Runner, prefix: Path) -> None:
    run(MAINTENANCE_MODE="yes")
    autostart = {}
    for file in places.programs().glob("*.conf"):
        parser = configparser.ConfigParser()
        parser.read(file)
        [section] = parser.sections()
        autostart[file.stem] = parser[section]["autostart"]
    assert {name for name, value in autostart.items() if value == "true"} == {"infinite-loop"}
    assert len(autostart) > 3
    run()
    assert not (places.programs() / "infinite-loop.conf").exists()


def test_a_broken_configuration_file_stops_the_run(run: Runner, prefix: Path) -> None:
    run()
    (prefix / "etc/oned.conf").write_text('PORT = "26\n')
    with pytest.raises(StepError, match=r"oned.conf: line 1: "):
        run()


def test_actions_that_are_links_stay_links(run: Runner, prefix: Path) -> None:
    run()
    link = prefix / "var/remotes/tm/transit/check"
    assert link.is_symlink() and link.resolve() == (prefix / "var/remotes/tm/transit/folder").resolve()
    link.unlink()
    link.write_text("an older version's file")
    run()
    assert link.is_symlink() and link.resolve().name == "folder"
