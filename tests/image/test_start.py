"""A fresh all-in-one container: start, health, users, secrets."""

from __future__ import annotations

import json
import time

import pytest

from bootstrap import programs
from tests.support import containers
from tests.support.containers import Container, Engine

HEALTHY_LIMIT_S = 60.0
UNHEALTHY_LIMIT_S = 30.0
RECOVERY_LIMIT_S = 20.0
# Supervisor has to start programs as other users, and sshd too; the listener asks Supervisor; the last three
# are the engine's and this test's.
ROOTS = (
    "/frontend-entrypoint.sh",
    "supervisord",
    "-m bootstrap.listener",
    "sshd",
    "frontend-healthcheck",
    "bootstrap.health",
    "ps ",
)
SERVICES = [
    program.name
    for program in programs.load_all().values()
    if "all" in program.services and program.kind != "oneshot"
]
# Each of these by itself; the others, which nothing depends on, all at once.
WATCHED = [
    "mysqld",
    "opennebula",
    "opennebula-engine",
    "opennebula-monitord",
    "opennebula-scheduler",
    "supervisor-listener",
]


def test_fresh_container_becomes_healthy(docker: Engine, image: str) -> None:
    with containers.run(docker, image, {"OPENNEBULA_HOST": "localhost"}) as container:
        ready_s = container.wait_healthy(HEALTHY_LIMIT_S)
        print(f"container start to healthy, fresh volumes: {ready_s:.1f} s")
        assert container.inspect()["HostConfig"]["Privileged"] is False
        assert "Onebox" not in container.client().call("system.version")


def test_supervisorctl_works_for_root_only(frontend_container: Container) -> None:
    states = frontend_container.programs()
    assert {name: states.get(name) for name in SERVICES} == dict.fromkeys(SERVICES, "RUNNING")
    result = frontend_container.engine.try_call(
        "exec", "-u", "oneadmin", frontend_container.name, "supervisorctl", "status"
    )
    assert result.returncode != 0
    assert "RUNNING" not in result.stdout
    mode = frontend_container.exec(
        "stat", "-L", "-c", "%a %U", "/etc/supervisord.conf", "/run/supervisor/supervisor.sock"
    )
    assert mode.splitlines() == ["600 root", "700 root"]


def test_api_answers_with_the_given_password(
    frontend_container: Container, given_secrets: dict[str, str]
) -> None:
    assert frontend_container.session == f"oneadmin:{given_secrets['ONEADMIN_PASSWORD']}"
    with frontend_container.client() as client:
        assert "<NAME>oneadmin</NAME>" in client.call("user.info", -1)


def test_commands_work_inside(frontend_container: Container) -> None:
    assert "NAME" in frontend_container.exec("onevm", "list", user="oneadmin")
    assert "Total errors found: 0" in frontend_container.exec(
        "sudo", "-u", "oneadmin", "onedb", "fsck", "--dry-run"
    )


def test_only_what_must_be_root_runs_as_root(frontend_container: Container) -> None:
    listed = frontend_container.exec("ps", "axo", "user:20,args", "--no-headers")
    rows = [line.split(None, 1) for line in listed.splitlines()]
    wrong = [
        args
        for user, args in rows
        if user not in ("oneadmin", "mysql", "stunnel") and not any(word in args for word in ROOTS)
    ]
    assert wrong == []
    users = {user for user, _ in rows}
    assert {"oneadmin", "mysql", "root"} <= users


def _of_each_process(container: Container, file: str) -> str:
    """A file below /proc/PID of every process but the health check's, read by the process's own user.

    Reading as root would need a capability that the container does not have.
    """
    script = (
        "for folder in /proc/[0-9]*; do "
        "case $(tr '\\0' ' ' < $folder/cmdline 2>/dev/null) in *health*) continue ;; esac; "
        f"cat $folder/{file} 2>/dev/null | tr '\\0' '\\n'; done; true"
    )
    return "".join(
        # env -i: the engine gives the container's parameters to what it runs inside.
        container.exec("env", "-i", "/bin/sh", "-c", script, user=user)
        for user in ("root", "oneadmin", "mysql", "stunnel")
    )


def test_secrets_reach_no_process_and_no_log(
    frontend_container: Container, given_secrets: dict[str, str]
) -> None:
    seen = _of_each_process(frontend_container, "environ") + _of_each_process(frontend_container, "cmdline")
    for expected in (
        "HOME=/root",
        "USER=oneadmin",
        "USER=mysql",
        "supervisord",
        "services.oned.server",
        "mariadbd",
    ):
        assert expected in seen
    logs = frontend_container.logs() + frontend_container.exec("sh", "-c", "cat /var/log/one/*")
    for name, value in given_secrets.items():
        assert value not in seen, f"{name} in a process"
        assert value not in logs, f"{name} in a log"


def test_files_with_secrets_are_closed(frontend_container: Container, given_secrets: dict[str, str]) -> None:
    pattern = "\n".join(given_secrets.values()) + "\n"
    script = "grep -rlF -f - /etc /run /tmp /var/lib/one /var/log /srv 2>/dev/null; true"
    files = frontend_container.exec("sh", "-c", script, stdin=pattern).split()
    assert "/run/supervisor/environment" in files
    modes = frontend_container.exec("stat", "-c", "%a %n", *files).splitlines()
    # oned.conf is root's and readable for oneadmin's group, as OpenNebula has it.
    assert [line for line in modes if line.split()[0] not in ("600", "640")] == []


def test_logs_are_in_files_and_in_the_output(frontend_container: Container) -> None:
    output = frontend_container.logs()
    for file in ("oned.log", "sched.log"):
        lines = frontend_container.exec("cat", f"/var/log/one/{file}").splitlines()
        # Workers write a line each, in any order.
        assert lines, file
        assert lines[0] in output, file


@pytest.mark.parametrize("program", WATCHED)
def test_health_follows_each_program(frontend_container: Container, program: str) -> None:
    frontend_container.wait_healthy()
    frontend_container.supervisor("stop", program)
    unhealthy_s = frontend_container.wait_health("unhealthy", UNHEALTHY_LIMIT_S)
    assert program in frontend_container.problems()
    frontend_container.supervisor("start", program)
    healthy_s = frontend_container.wait_healthy(RECOVERY_LIMIT_S)
    print(f"{program}: unhealthy {unhealthy_s:.1f} s after stop, healthy {healthy_s:.1f} s after start")


def test_health_follows_the_small_programs(frontend_container: Container) -> None:
    small = sorted(set(SERVICES) - set(WATCHED))
    frontend_container.wait_healthy()
    frontend_container.supervisor("stop", *small)
    frontend_container.wait_health("unhealthy", UNHEALTHY_LIMIT_S)
    lines = frontend_container.problems().splitlines()
    assert sorted(line.split(":")[0] for line in lines) == small
    frontend_container.supervisor("start", *small)
    frontend_container.wait_healthy(RECOVERY_LIMIT_S)


def test_killed_program_comes_back(frontend_container: Container) -> None:
    frontend_container.wait_healthy()
    pid = frontend_container.supervisor("pid", "mysqld").strip()
    frontend_container.exec("sh", "-c", f"kill -9 {int(pid)}")
    deadline = time.monotonic() + 90
    while (now := frontend_container.supervisor("pid", "mysqld").strip()) in (pid, "0"):
        assert time.monotonic() < deadline, "Supervisor has not started mysqld again"
        time.sleep(0.2)
    assert now != pid
    while frontend_container.problems():
        assert time.monotonic() < deadline, frontend_container.problems()
        time.sleep(0.2)


def test_memory(frontend_container: Container) -> None:
    """Shared pages are counted once (PSS)."""
    lines = _of_each_process(frontend_container, "smaps_rollup").splitlines()
    sizes_kb = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    assert len(sizes_kb) >= len(SERVICES)
    memory_mb = sum(sizes_kb) / 1024
    print(f"memory of all services, idle: {memory_mb:.0f} MB")
    assert memory_mb < 450


def test_health_check_is_declared(docker: Engine, image: str) -> None:
    check = json.loads(docker.call("image", "inspect", image))[0]["Config"]["Healthcheck"]
    assert check["Test"] == ["CMD", "/frontend-healthcheck.sh"]
    # The longest way to "unhealthy" after a program stopped.
    assert (check["Interval"] + check["Timeout"]) * check["Retries"] <= UNHEALTHY_LIMIT_S * 1e9
