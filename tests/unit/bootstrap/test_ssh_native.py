"""SSH of a front-end under a prefix: driver actions use its own key and settings, whoever runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootstrap.steps import ssh_native
from services.oned.drivers import run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The SSH folder of an instance, in a path with a space and a quote."""
    prefix = tmp_path / "it's one"
    monkeypatch.setenv("ONE_LOCATION", str(prefix))
    found = prefix / "var/.ssh"
    found.parent.mkdir(parents=True)
    assert ssh_native.write(found, "2222") == []
    return found


def test_actions_find_our_ssh_first(folder: Path) -> None:
    path = run.clean_environment()["PATH"]
    assert path.split(":")[0] == str(folder / "bin")
    shown = subprocess.run(
        ["ssh", "-G", "node1"], env={"PATH": path}, text=True, capture_output=True, check=True
    ).stdout.splitlines()
    assert {"user oneadmin", "port 2222", "stricthostkeychecking accept-new"} <= set(shown)
    assert f"userknownhostsfile {folder}/known_hosts" in shown
    assert f"identityfile {folder}/id_rsa" in shown


def test_a_second_run_finds_the_same_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when it is started by what already has our folder in its PATH."""
    before = (folder / "bin/ssh").read_text()
    monkeypatch.setenv("PATH", run.clean_environment()["PATH"])
    ssh_native.write(folder, "2222")
    assert (folder / "bin/ssh").read_text() == before


def test_an_operators_settings_stay(folder: Path) -> None:
    (folder / "config").write_text("Host *\n  ProxyJump gate\n")
    ssh_native.write(folder)
    assert "ProxyJump gate" in (folder / "config").read_text()


def test_programs_that_are_missing_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert ssh_native.write(folder) == ["ssh", "scp", "sftp"]
