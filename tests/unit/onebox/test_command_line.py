"""The script as a person calls it, as far as nothing has to be started."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from onebox_cli.instance import ROOT, Instance


def onebox(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Nothing but the standard library, as on a machine where nothing was installed yet.
    command = [sys.executable, "-E", "-S", str(ROOT / "onebox"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    "command", ["up", "down", "status", "logs", "env", "shell", "build", "test", "bench"]
)
def test_every_subcommand_picks_its_instance(command: str) -> None:
    text = onebox(command, "--help").stdout
    assert "--name" in text and "--data" in text


@pytest.mark.parametrize("command", ["down", "status", "logs", "env", "shell"])
def test_an_instance_that_is_not_there_is_named(tmp_path: Path, command: str) -> None:
    result = onebox(command, "--data", str(tmp_path))
    assert result.returncode == 1
    assert f"there is no instance in {tmp_path}" in result.stderr
    assert f"./onebox up --data {tmp_path}" in result.stderr


def test_env_can_be_evaluated(tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    Instance("two", folder, "native", 100, "sqlite").save()
    result = onebox("env", "--data", str(folder))
    script = result.stdout + '\nprintf "%s\\n" "$ONE_XMLRPC" "$ONE_AUTH" "$PATH"'
    shown = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": "/x"}
    )
    assert shown.stdout.splitlines() == [
        "http://127.0.0.1:2733/RPC2",
        f"{folder}/one/var/.one/one_auth",
        f"{ROOT / 'bin'}:/x",
    ]


def test_status_of_a_stopped_instance(tmp_path: Path) -> None:
    Instance("two", tmp_path, "native", 0, "sqlite").save()
    result = onebox("status", "--data", str(tmp_path))
    assert (result.returncode, result.stdout.splitlines()[-1]) == (3, "stopped")


def test_purge_removes_the_data_of_a_stopped_instance(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    Instance("two", folder, "native", 0, "sqlite").save()
    result = onebox("down", "--purge", "--data", str(folder))
    assert result.returncode == 0 and not folder.exists()


def test_the_command_knows_every_option_of_the_benchmarks() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    options = set(re.findall(r"--[a-z]+\b", found.stdout)) - {"--existing"}  # what --name and --data lead to
    assert {"--step", "--victim", "--seconds"} <= options
    assert options - set(re.findall(r"--[a-z]+\b", onebox("bench", "--help").stdout)) == set()


@pytest.mark.parametrize("value", ["-1", "x", "50001"])
def test_port_offsets(value: str) -> None:
    result = onebox("up", "--port-offset", value)
    assert result.returncode == 2 and "expected a whole number from 0 to 50000" in result.stderr


def test_an_unknown_ring_is_named() -> None:
    result = onebox("test", "nope")
    assert result.returncode == 1 and "unknown ring nope" in result.stderr
