"""Starting and stopping agents: the steps, and the copy of the driver actions with rsync and with tar."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.common import xmldoc
from services.oned.config import from_settings
from services.oned.drivers import im_plan
from services.oned.drivers.step import PlanError, Step
from services.oned.drivers.table import Drivers
from services.oned.store.job_limits import Lane
from services.oned.store.jobs import Job
from tests.support.zone import ROOT, settings

# What stands in for ssh: the far end is a folder of this machine, reached through a shell as there.
SSH = """#!/bin/sh
while :; do
    case $1 in -o) shift 2 ;; --) shift; break ;; *) break ;; esac
done
host=$1; shift
[ "$host" = there ] || { echo "ssh: connect to host $host: No route to host" >&2; exit 255; }
PATH=$NODE_PATH exec sh -c "$*"
"""


def job(operation: str, driver: str = "kvm", host: str = "node1") -> Job:
    return Job(5, "HOST", 12, operation, driver, host, {}, 1, None, 0)


@pytest.fixture
def drivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drivers:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    (tmp_path / "etc").mkdir()
    shutil.copy(ROOT / "share/etc/monitord.conf", tmp_path / "etc")
    return Drivers(from_settings(settings(more='DATASTORE_LOCATION = "/ds"')))


def test_a_start_copies_and_runs(drivers: Drivers, tmp_path: Path) -> None:
    copy, run = im_plan.steps(job("im.START"), drivers)
    assert copy.args[:3] == (str(tmp_path / "var/remotes"), "node1", "/var/tmp/one")
    assert (copy.host, run.host, run.gives_output) == ("", "node1", True)
    assert run.args == ("/var/tmp/one/im/run_monitord_client", "kvm", "12", "node1")
    assert {copy.timeout_s, run.timeout_s} == {90}
    given = xmldoc.parse(run.command("", 90).stdin)
    assert (given.tag, given.findtext("HOST_ID"), given.findtext("DATASTORE_LOCATION")) == (
        "MONITOR_CONFIGURATION", "12", "/ds",
    )  # fmt: skip
    assert "12 node1" in run.command("", 90).argv[-1]


def test_a_stop_copies_nothing(drivers: Drivers) -> None:
    (run,) = im_plan.steps(job("im.STOP"), drivers)
    assert run.args == ("/var/tmp/one/im/stop_monitord_client", "kvm", "12", "node1")


def test_local_drivers_run_here(drivers: Drivers, tmp_path: Path) -> None:
    (run,) = im_plan.steps(job("im.START", "vcenter"), drivers)
    assert (run.host, run.is_encoded) == ("", True)
    assert run.args[0] == str(tmp_path / "var/remotes/im/run_monitord_client")


def test_polled_hosts_are_asked(drivers: Drivers) -> None:
    (ask,) = im_plan.steps(job("im.MONITOR", "dummy"), drivers)
    assert (ask.name, ask.args) == ("im/dummy/monitor", ("dummy", "12", "node1"))


@pytest.mark.parametrize(
    ("operation", "driver", "says"),
    [
        ("im.START", "nosuch", "Cannot find driver: 'nosuch'"),
        ("im.MONITOR", "kvm", "does not ask monitoring driver 'kvm'"),
        ("im.OTHER", "kvm", "there is no operation im.OTHER"),
    ],
)
def test_what_cannot_be_planned(drivers: Drivers, operation: str, driver: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        im_plan.steps(job(operation, driver), drivers)


def test_a_broken_file_is_named(drivers: Drivers, tmp_path: Path) -> None:
    (tmp_path / "etc/monitord.conf").write_text("NETWORK = [ PORT = x ]\n")
    with pytest.raises(PlanError, match=r"host 12: .*monitord.conf: NETWORK/PORT must be"):
        im_plan.steps(job("im.START"), drivers)


def test_how_many_at_once_is_the_files_say(drivers: Drivers, tmp_path: Path) -> None:
    file = tmp_path / "etc/monitord.conf"
    file.write_text('IM_MAD = [ NAME = "kvm", EXECUTABLE = "one_im_ssh", ARGUMENTS = "-t 40 kvm" ]\n')
    assert [drivers.lane_limit(Lane("im", name)) for name in ("kvm", "dummy")] == [40, 15]


# -- the copy ----------------------------------------------------------------------------------------------
class Copy:
    """The step, with a folder of this machine as the node. has_rsync: whether the node has it."""

    def __init__(self, drivers: Drivers, tmp_path: Path) -> None:
        self.source = tmp_path / "var/remotes"
        self.target = tmp_path / "no'de $HOME/one"
        (self.source / "vmm/kvm").mkdir(parents=True)
        (self.source / "vmm/kvm/deploy").write_text("#!/bin/sh\n")
        (self.source / "vmm/kvm/deploy").chmod(0o755)
        (self.source / "vmm/qemu").symlink_to("kvm")
        self._bin = tmp_path / "bin"
        self._bin.mkdir()
        (self._bin / "ssh").write_text(SSH)
        (self._bin / "ssh").chmod(0o755)
        self._bare = tmp_path / "bare"
        self._bare.mkdir()
        for name in ("sh", "mkdir", "tar", "gzip"):
            (self._bare / name).symlink_to(shutil.which(name) or "")
        drivers.remote_folder = str(self.target)
        self._drivers = drivers

    def run(self, host: str = "there", *, has_rsync: bool = True) -> subprocess.CompletedProcess[str]:
        step: Step = im_plan.steps(job("im.START", host=host), self._drivers)[0]
        path = f"{self._bin}:{os.environ['PATH']}"
        environment: dict[str, Any] = {"PATH": path, "NODE_PATH": path if has_rsync else str(self._bare)}
        command = step.command("", 90)
        return subprocess.run(command.argv, env=environment, text=True, capture_output=True, timeout=60)

    def shown(self) -> list[str]:
        return sorted(str(file.relative_to(self.target)) for file in self.target.rglob("*") if file.is_file())


@pytest.fixture
def copy(drivers: Drivers, tmp_path: Path) -> Copy:
    return Copy(drivers, tmp_path)


@pytest.mark.parametrize("has_rsync", [True, False])
def test_actions_come_to_the_node(copy: Copy, has_rsync: bool) -> None:
    for _ in range(2):
        done = copy.run(has_rsync=has_rsync)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert copy.shown() == ["vmm/kvm/deploy", "vmm/qemu/deploy"]
    assert (copy.target / "vmm/kvm/deploy").stat().st_mode & stat.S_IXUSR


def test_what_is_gone_here_goes_there_with_rsync(copy: Copy) -> None:
    assert copy.run().returncode == 0
    (copy.source / "vmm/qemu").unlink()
    (copy.source / "vmm/kvm/deploy").write_text("#!/bin/sh\nexit 1\n")
    assert copy.run().returncode == 0
    assert copy.shown() == ["vmm/kvm/deploy"]
    assert (copy.target / "vmm/kvm/deploy").read_text().endswith("exit 1\n")


@pytest.mark.parametrize("has_rsync", [True, False])
def test_a_running_action_keeps_its_text(copy: Copy, has_rsync: bool) -> None:
    assert copy.run(has_rsync=has_rsync).returncode == 0
    with open(copy.target / "vmm/kvm/deploy") as opened:
        (copy.source / "vmm/kvm/deploy").write_text("#!/bin/sh\nexit 7\n")
        assert copy.run(has_rsync=has_rsync).returncode == 0
        assert opened.read() == "#!/bin/sh\n"


def test_a_node_that_cannot_be_reached(copy: Copy) -> None:
    done = copy.run("elsewhere")
    assert done.returncode == 255 and done.stderr.count("No route to host") == 1


@pytest.mark.parametrize("name", ["-oProxyCommand=touch x", ""])
def test_names_that_are_none(copy: Copy, name: str) -> None:
    done = copy.run(name)
    assert done.returncode == 1 and "cannot be used" in done.stderr
