"""Descriptors, and what Supervisor makes of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from supervisor.options import ServerOptions  # type: ignore[import-untyped]

from bootstrap import places, programs, start, supervisor
from bootstrap.params import SERVICES

ALL = programs.load_all()


def parsed(prefix: Path, names: list[str], **changes: object) -> ServerOptions:
    """Supervisor's own reading of the main configuration and of these programs."""
    conf = supervisor.write_main_conf()
    for name in names:
        program = dataclasses.replace(ALL[name], **changes)  # type: ignore[arg-type]
        text = programs.render(program, native=True, maintenance=False)
        (places.programs() / f"{name}.conf").write_text(text)
    options = ServerOptions()
    options.configfile = str(conf)
    options.process_config(do_usage=False)
    return options


@pytest.fixture
def ready_prefix(prefix: Path) -> Path:
    places.program_logs().mkdir(parents=True)  # type: ignore[union-attr]
    return prefix


def test_supervisor_reads_every_program(ready_prefix: Path) -> None:
    options = parsed(ready_prefix, list(ALL))
    found = {group.name: group.process_configs[0] for group in options.process_group_configs}
    assert set(found) == set(ALL)
    for name, config in found.items():
        assert config.command.endswith(f"-m bootstrap.start {name}")
        assert config.priority == ALL[name].priority
    assert found["mysqld-configure"].startsecs == 0
    assert found["opennebula"].stdout_logfile == str(ready_prefix.parent / "logs/opennebula.log")


def test_order_of_starting() -> None:
    order = [
        p.name
        for p in programs.select(ALL.values(), "all", native=False, inner_mysql=True, maintenance=False)
    ]
    assert order == [
        "supervisor-listener", "crond", "mysqld", "sshd", "stunnel", "mysqld-upgrade", "mysqld-configure",
        "opennebula-ssh-agent", "opennebula-ssh-add", "opennebula-ssh-socks-cleaner", "opennebula",
        "opennebula-engine", "opennebula-monitord", "opennebula-configure", "opennebula-novnc",
        "opennebula-scheduler", "opennebula-showback",
    ]  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_programs(service: str) -> None:
    chosen = programs.select(ALL.values(), service, native=False, inner_mysql=True, maintenance=False)
    assert [program.name for program in chosen if program.kind != "listener"]


def test_every_wait_is_known_and_has_a_deadline() -> None:
    for program in ALL.values():
        for wait in program.waits:
            assert wait.name in start.WAITS
            assert 0 < wait.deadline_s <= 300


def test_only_root_s_work_is_root_s() -> None:
    assert {program.name for program in ALL.values() if program.user == "root"} == {
        "infinite-loop", "sshd", "supervisor-listener",
    }  # fmt: skip


def test_in_the_container_output_goes_to_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONE_LOCATION", raising=False)
    text = programs.render(ALL["opennebula"], native=False, maintenance=False)
    assert "\nstdout_logfile = /dev/stdout\nstdout_logfile_maxbytes = 0\n" in text
    assert "\nuser = oneadmin\n" in text


def test_blanks_in_the_path_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "half of it" / "one"
    monkeypatch.setenv("ONE_LOCATION", str(prefix))
    places.program_logs().mkdir(parents=True)  # type: ignore[union-attr]
    options = parsed(prefix, ["opennebula"])
    [group] = options.process_group_configs
    assert group.process_configs[0].stdout_logfile == str(prefix.parent / "logs/opennebula.log")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'name = "x"\npriority = 1\nservices = []\ncommand = []\ncolour = 1\n',
            "x.toml: unknown field colour",
        ),
        ('name = "y"\npriority = 1\nservices = []\ncommand = []\n', "x.toml: name must be x, found y"),
        (
            'name = "x"\npriority = 1\nservices = []\ncommand = []\nkind = "z"\n',
            "x.toml: kind must be one of",
        ),
        ('name = "x"\n', "x.toml: "),
    ],
)
def test_a_faulty_descriptor_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        programs.load(file)


def test_the_main_configuration_is_private_and_its_password_new_each_time(prefix: Path) -> None:
    first = supervisor.write_main_conf()
    text = first.read_text()
    assert first.stat().st_mode & 0o777 == 0o600
    assert supervisor.write_main_conf().read_text() != text
