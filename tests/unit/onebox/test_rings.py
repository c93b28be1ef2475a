"""What ``onebox test`` makes of pytest's reports, and getting a machine ready."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from onebox_cli import machine, rings, ui, venv
from onebox_cli.instance import ROOT

SAMPLE = """
import pytest

def test_passes(): pass

@pytest.mark.xfail
def test_known_fault(): assert False

@pytest.mark.skip(reason="left out: no ../shared/conformance beside this checkout")
def test_left_out(): pass

@pytest.mark.skip(reason="no mariadbd")
def test_skipped(): pass
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose ring ``unit`` has the sample's tests."""
    (tmp_path / "tests/unit").mkdir(parents=True)
    (tmp_path / "tests/unit/test_sample.py").write_text(SAMPLE)
    monkeypatch.setattr(rings, "ROOT", tmp_path)
    monkeypatch.setattr(rings, "_PARALLEL", ())
    return tmp_path


def ring(everything: bool) -> rings.Outcome:
    # The plugins that come with the environment take longer to load than these rings to run.
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    return rings._pytest("unit", Path(sys.executable), os.environ | environment, everything)


def test_a_ring_that_may_skip_passes(checkout: Path) -> None:
    outcome = ring(False)
    assert outcome.faults == ()
    assert re.fullmatch(r"1 passed, 2 skipped, 1 xfailed in [0-9.]+s.*", outcome.summary)


def test_tests_of_a_ring_can_run_in_several_processes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rings, "_PARALLEL", ("unit",))
    seen = """
import os, pathlib

def test_where(): pathlib.Path(__file__ + ".seen").write_text(os.environ["PYTEST_XDIST_WORKER"])
"""
    (checkout / "tests/unit/test_where.py").write_text(seen)
    outcome = ring(True)
    assert outcome.faults == ("skipped: no mariadbd",)
    assert outcome.summary.startswith("2 passed, 2 skipped")
    assert (checkout / "tests/unit/test_where.py.seen").read_text().startswith("gw")


def test_with_all_a_skipped_test_is_a_fault_unless_it_needs_the_folder(checkout: Path) -> None:
    assert ring(True).faults == ("skipped: no mariadbd",)


def test_a_failing_test_fails_the_ring(checkout: Path) -> None:
    (checkout / "tests/unit/test_more.py").write_text("def test_fails(): assert False\n")
    outcome = ring(False)
    assert outcome.faults == ("pytest ended with code 1",)
    assert outcome.summary.startswith("1 failed, 1 passed")


def test_a_ring_without_tests_fails(checkout: Path) -> None:
    (checkout / "tests/unit/test_sample.py").unlink()
    assert ring(False).faults == ("no test in tests/unit",)


def test_the_closing_lines_hold_every_summary(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [
        rings.Outcome("unit", "3 passed in 1.00s"),
        rings.Outcome("image", skipped="no engine"),
        rings.Outcome("service", "1 failed in 1.00s", faults=("pytest ended with code 1",)),
    ]
    assert rings._report(outcomes) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "  image    skipped: no engine" in lines
    assert lines[-2:] == ["==== 3 passed in 1.00s ====", "==== 1 failed in 1.00s ===="]
    assert rings._report(outcomes[:2]) == 0


def test_only_stale_pid_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale, garbled = tmp_path / "a.pid", tmp_path / "b.pid"
    stale.write_text(str(os.getpid()))
    garbled.write_text("nothing")
    monkeypatch.setattr(machine, "_DOCKER_PIDFILES", (stale, garbled, tmp_path / "missing.pid"))
    machine._remove_stale_pidfiles()
    assert not stale.exists(), "the process is this test, not dockerd"
    assert garbled.exists()


def test_a_failure_says_what_the_log_and_what_to_do() -> None:
    shown = str(ui.Failure("x failed", log=["a", "b"], advice="try y"))
    assert shown == "onebox: failed: x failed\n  last log lines:\n    a\n    b\n  what to do: try y"


def test_an_environment_is_keyed_by_its_lock_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venv, "ROOT", tmp_path)
    wanted = venv.Environment("run", ("x.lock",))
    (tmp_path / "x.lock").write_text("a")
    first = wanted.folder
    (tmp_path / "x.lock").write_text("b")
    assert wanted.folder != first and not wanted.is_ready


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements*.lock")), ids=lambda lock: lock.name)
def test_lock_files_pin_by_hash_and_name_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert "http" not in text and "index-url =" not in text and "--find-links" not in text
    blocks = re.split(r"^(?=[a-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
    pins = [block for block in blocks if block.strip()]
    assert pins
    for pin in pins:
        assert re.match(r"[a-z0-9._-]+==\S+ \\\n", pin), pin[:40]
        assert "--hash=sha256:" in pin


def test_every_declared_requirement_is_locked() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [
        name for extra in project["optional-dependencies"].values() for name in extra
    ]
    locked = {
        line.split("==")[0]
        for lock in ROOT.glob("requirements*.lock")
        for line in lock.read_text().splitlines()
        if re.match(r"[a-z0-9]", line)
    }  # fmt: skip
    assert {name.split("==")[0].lower() for name in wanted} <= locked
