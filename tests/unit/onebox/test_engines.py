"""What the engines refuse and ask for; a small program stands in for the container engine."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest

from onebox_cli import container, engines
from onebox_cli.container import Container
from onebox_cli.instance import ROOT, Instance
from onebox_cli.native import Native
from onebox_cli.ui import Failure

# Writes its arguments down; fails "run" as often as the file FAILS has lines, with that text.
ENGINE = """#!/bin/sh
here=$(dirname "$0")
printf '%s\\n' "$*" >> "$here/calls"
case " $* " in *" run "*) is_run=yes ;; *) is_run=no ;; esac
if [ "$is_run" = yes ] && [ -s "$here/fails" ]; then
    head -n 1 "$here/fails" >&2
    sed -i 1d "$here/fails"
    exit 125
fi
[ "$1 $2" != "container inspect" ] || cat "$here/container" 2>/dev/null || exit 1
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an engine that only takes notes; it answers as docker and as podman."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "podman", "runc"):
        (folder / name).write_text(ENGINE)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name in list(os.environ):
        if name.startswith(("OPENNEBULA_", "ONEADMIN_", "MYSQL_", "MAINTENANCE_")):
            monkeypatch.delenv(name)
    return folder


def calls(engine: Path) -> list[str]:
    return (engine / "calls").read_text().splitlines()


def started(engine: Path, instance: Instance) -> list[str]:
    instance.data.mkdir(exist_ok=True)
    Container(instance)._run()
    return [call for call in calls(engine) if "run -d" in call]


def test_a_container_gets_no_privilege_and_a_local_port(engine: Path, tmp_path: Path) -> None:
    [call] = started(engine, Instance("two", tmp_path / "data", "docker", 10, "mysql"))
    assert "privileged" not in call and "cap-add" not in call
    assert " -p 127.0.0.1:2643:2633 " in call
    assert " -p 4134:4134/tcp -p 4134:4134/udp -p 127.0.0.1:29886:29886 " in call
    assert " -e MONITORD_PORT=4134 -e SUNSTONE_VNC_PORT=29886 " in call
    assert " -v two_mysql:/var/lib/mysql " in call
    assert "OPENNEBULA_HOST=localhost" in call and "ONEBOX_DB=mysql" in call


def test_the_port_of_reports_can_be_chosen(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITORD_PORT", "5000")
    [call] = started(engine, Instance("two", tmp_path / "data", "docker", 10, "mysql"))
    assert " -p 5000:5000/tcp -p 5000:5000/udp " in call
    assert " -e MONITORD_PORT=5000 " in call and "4134" not in call


def test_secrets_go_in_as_files(engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEADMIN_PASSWORD", "geheim")
    monkeypatch.setenv("OPENNEBULA_HOST", "cloud.example.org")
    [call] = started(engine, Instance("two", tmp_path / "data", "docker", 0, "mysql"))
    assert "geheim" not in call and "OPENNEBULA_HOST=cloud.example.org" in call
    assert "ONEADMIN_PASSWORD_FILE=/run/secrets/oneadmin_password" in call
    file = tmp_path / "data/secrets/oneadmin_password"
    assert file.read_text() == "geheim" and file.stat().st_mode & 0o777 == 0o600


def test_faulty_parameters_are_refused_before_anything_starts(
    engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEADMIN_PASWORD", "geheim")
    monkeypatch.setenv("MYSQL_PORT", "abc")
    with pytest.raises(Failure, match="faulty parameters") as caught:
        Container(Instance("two", tmp_path, "docker", 0, "mysql")).up(wait=False)
    shown = str(caught.value)
    assert (
        "did you mean ONEADMIN_PASSWORD?" in shown
        and "MYSQL_PORT: expected" in shown
        and "geheim" not in shown
    )
    assert not [call for call in calls(engine) if "run -d" in call]


def test_every_volume_of_the_image_has_a_name() -> None:
    declared = re.findall(r"^VOLUME((?:.*\\\n)*.*)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    paths = " ".join(declared).replace("\\\n", " ").split()
    assert paths and set(paths) <= set(container.VOLUMES)


def test_podman_is_tried_again_with_what_some_machines_need(
    engine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (engine / "fails").write_text("setrlimit: operation not permitted\ncrun: unknown version\n")
    tries = started(engine, Instance("two", tmp_path / "data", "podman", 0, "mysql"))
    assert ["--ulimit" in call for call in tries] == [False, True, False]
    assert tries[2].startswith("--runtime runc run -d")
    assert "podman needs --runtime runc" in capsys.readouterr().err


def test_a_port_in_use_is_named_and_not_tried_again(engine: Path, tmp_path: Path) -> None:
    (engine / "fails").write_text("Bind for 127.0.0.1:2633 failed: port is already allocated\n")
    with pytest.raises(Failure, match="port 2633 is in use") as caught:
        started(engine, Instance("two", tmp_path / "data", "docker", 0, "mysql"))
    assert "--port-offset" in caught.value.advice
    (engine / "fails").write_text("Bind for 0.0.0.0:4124 failed: port is already allocated\n")
    with pytest.raises(Failure, match="port 4124 is in use"):
        started(engine, Instance("two", tmp_path / "data", "docker", 0, "mysql"))


def test_a_container_that_ended_is_a_failure_with_its_log(engine: Path, tmp_path: Path) -> None:
    (engine / "container").write_text(json.dumps([{"State": {"Status": "exited"}}]))
    found = Container(Instance("two", tmp_path, "docker", 0, "mysql"))
    with pytest.raises(Failure, match="the container is exited"):
        found._wait_ready(engines_step())


def engines_step() -> container.Step:
    return container.Step()


def test_purge_removes_only_volumes_of_the_instance(engine: Path, tmp_path: Path) -> None:
    (engine / "docker").write_text(
        ENGINE + "[ \"$1 $2\" != 'volume ls' ] || echo two_mysql other_mysql two_x\n"
    )
    Container(Instance("two", tmp_path, "docker", 0, "mysql")).purge()
    assert [call for call in calls(engine) if call.startswith("volume rm")] == ["volume rm two_mysql"]


def test_data_stays_with_its_engine_and_database(engine: Path, tmp_path: Path) -> None:
    known = Instance("two", tmp_path, "native", 0, "sqlite")
    with pytest.raises(Failure, match="two has its data in db sqlite"):
        engines.for_up(known, "auto", None, "mysql")
    with pytest.raises(Failure, match="two has its data in engine native"):
        engines.for_up(known, "docker", None, None)
    assert engines.for_up(known, "auto", 7, None).instance.port == 2640


def test_auto_takes_docker_then_podman_then_neither(engine: Path, tmp_path: Path) -> None:
    fresh = Instance("two", tmp_path)
    assert engines.for_up(fresh, "auto", None, None).instance.engine == "docker"
    (engine / "docker").write_text("#!/bin/sh\nexit 1\n")
    assert engines.for_up(fresh, "auto", None, None).instance.engine == "podman"
    (engine / "podman").write_text("#!/bin/sh\nexit 1\n")
    chosen = engines.for_up(fresh, "auto", None, None).instance
    assert (chosen.engine, chosen.db) == ("native", "sqlite")
    with pytest.raises(Failure, match="docker does not answer"):
        engines.for_up(fresh, "docker", None, None)


# -- native -----------------------------------------------------------------------------------------------


def native(folder: Path, port_offset: int = 0) -> Native:
    return Native(Instance("two", folder, "native", port_offset, "sqlite"))


def test_a_path_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="too long for the sockets"):
        native(tmp_path / ("x" * 80)).up(wait=False)


@pytest.mark.parametrize("name", ["50%", "a;b", "a#b", "a[b]", 'a"b'])
def test_a_path_that_supervisor_cannot_read_is_refused(name: str) -> None:
    with pytest.raises(Failure, match="Supervisor cannot work with"):
        native(Path("/tmp") / name).up(wait=False)


def test_a_port_in_use_is_refused_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Failure, match=f"port {port} is in use by another program"):
            native(tmp_path, port - 2633)._wait_port_free()


def test_a_stale_pid_file_and_socket_are_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "supervisor"
    folder.mkdir()
    (folder / "supervisord.conf").write_text(f"[unix_http_server]\nfile = {folder}/supervisor.sock\n")
    with socket.socket(socket.AF_UNIX) as stale:
        # By its short name: the folder's own is longer than a socket's may be.
        here = os.open(folder, os.O_RDONLY)
        stale.bind(f"/proc/self/fd/{here}/supervisor.sock")
        os.close(here)
    # The number is somebody else's by now: this very test's.
    (folder / "supervisord.pid").write_text(str(os.getpid()))
    found = native(tmp_path)
    assert not found.is_running()
    found._refuse_silent_supervisor()
    assert found.down() is False
