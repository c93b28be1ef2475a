"""A VM's folder on its way: what is moved by drivers that delete, fail and begin again is never lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.oned.drivers.messages import error_text

KEY = "3.move"
FILES = {"disk.0": "root disk", "disk.1": "data", "disk.0.snap/0": "old root", "checkpoint": "memory"}


class Ends:
    """Two machines, each with its datastores; ``transit`` runs our action on one of them."""

    def __init__(self, location: Path) -> None:
        self.script = location / "var/remotes/tm/transit"
        self.source = location / "a/104/7"
        self.target = location / "b/105/7"
        self.listed = ""

    def fill(self) -> None:
        for name, text in FILES.items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.source / "disk.2").symlink_to("disk.0.snap/0")
        (self.source / "disk.0.snap/disk.0.snap").symlink_to(".")
        self.target.parent.mkdir(parents=True, exist_ok=True)

    def transit(
        self, verb: str, folder: Path, *args: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(self.script / verb), str(folder), *(args or (KEY,))]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30)

    def state(self, verb: str, folder: Path, *args: str, stdin: str = "") -> str:
        done = self.transit(verb, folder, *args, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n", 1)[0]

    def hold(self) -> str:
        done = self.transit("hold", self.source)
        assert done.returncode == 0, done.stderr
        self.listed = done.stdout
        return done.stdout.split("\n", 1)[0]

    def mv(self) -> None:
        """As the ssh driver: the target is emptied, the source copied there, then deleted."""
        shutil.rmtree(self.target, ignore_errors=True)
        shutil.copytree(self.source, self.target, symlinks=True)
        shutil.rmtree(self.source)

    def attempt(self) -> str:
        """The steps of the plan; what the last one said."""
        state = self.hold()
        if state != "STATE=here":
            arrived = self.state("check", self.target, stdin=self.listed)
            if arrived == "STATE=arrived":
                self.transit("release", self.source)
                return arrived
        self.mv()
        said = self.state("verify", self.target, stdin=self.listed)
        self.transit("release", self.source)
        return said

    def whole(self, folder: Path) -> bool:
        return all(
            (folder / name).is_file() and (folder / name).read_text() == text for name, text in FILES.items()
        )

    def left(self) -> list[str]:
        """What is beside the folders."""
        around = [*self.source.parent.iterdir(), *self.target.parent.iterdir()]
        return sorted(path.name for path in around if path.name.startswith("."))


@pytest.fixture
def ends(location: Path) -> Ends:
    made = Ends(location)
    made.fill()
    return made


def test_a_move(ends: Ends) -> None:
    assert ends.attempt() == "STATE=arrived"
    assert ends.whole(ends.target) and not ends.source.exists()
    assert os.readlink(ends.target / "disk.2") == "disk.0.snap/0"
    assert ends.left() == []


def test_notes_and_documents_need_not_arrive(ends: Ends) -> None:
    for name in (".host", "vm.xml", "deployment.0"):
        (ends.source / name).write_text("of this host")
    ends.hold()
    ends.mv()
    (ends.target / ".host").write_text("of another one")
    (ends.target / "vm.xml").unlink()
    assert ends.state("verify", ends.target, stdin=ends.listed) == "STATE=arrived"


def test_begun_again_when_all_is_done(ends: Ends) -> None:
    ends.attempt()
    assert ends.attempt() == "STATE=arrived"
    assert ends.whole(ends.target)


@pytest.mark.parametrize("lost", [["disk.0"], ["disk.0.snap/0", "checkpoint"], [*FILES, "disk.2"]])
def test_cut_off_while_the_driver_deletes(ends: Ends, lost: list[str]) -> None:
    ends.hold()
    shutil.copytree(ends.source, ends.target, symlinks=True)
    for name in lost:
        (ends.source / name).unlink()
    assert ends.attempt() == "STATE=arrived"
    assert ends.whole(ends.target)
    assert ends.left() == []


def test_cut_off_after_the_driver(ends: Ends) -> None:
    ends.hold()
    ends.mv()
    assert ends.attempt() == "STATE=arrived"
    assert ends.whole(ends.target)


def test_cut_off_while_it_is_being_held(ends: Ends) -> None:
    ends.hold()
    (ends.source.parent / f".7.held.{KEY}/list").unlink()
    assert ends.attempt() == "STATE=arrived"
    assert ends.whole(ends.target)


@pytest.mark.parametrize("name", ["disk.1", "disk.0.snap/0", "disk.2"])
def test_what_has_not_arrived(ends: Ends, name: str) -> None:
    ends.hold()
    ends.mv()
    (ends.target / name).unlink()
    done = ends.transit("verify", ends.target, stdin=ends.listed)
    assert (done.returncode, done.stdout) == (1, "STATE=missing\n")
    assert f"{name} missing or cut short; the source is kept" in error_text(done.stderr)
    ends.transit("putback", ends.source)
    assert ends.whole(ends.source)
    assert ends.attempt() == "STATE=arrived" and ends.whole(ends.target)


def test_what_has_arrived_cut_short(ends: Ends) -> None:
    ends.hold()
    ends.mv()
    (ends.target / "disk.0").write_text("root")
    assert ends.transit("verify", ends.target, stdin=ends.listed).returncode == 1


def test_a_source_that_somebody_else_has_moved(ends: Ends) -> None:
    ends.mv()
    assert ends.hold() == "STATE=gone"
    assert ends.state("check", ends.target, stdin=ends.listed) == "STATE=there"
    shutil.rmtree(ends.target)  # as the driver does, before it finds that there is no source
    ends.transit("putback", ends.target)
    assert ends.whole(ends.target)
    assert ends.state("release", ends.target) == ""
    assert ends.left() == []


def test_nowhere(ends: Ends) -> None:
    shutil.rmtree(ends.source)
    assert ends.hold() == "STATE=gone"
    assert ends.state("check", ends.target, stdin=ends.listed) == "STATE=none"


def test_files_that_cannot_be_held(ends: Ends) -> None:
    """On a filesystem without links only the list is kept: then nothing incomplete is moved."""
    script = ends.script / "folder"
    refusal = "def refused(*_, **__):\n    raise OSError(95, 'no')\n\n\nos.link = refused\n"
    script.write_text(script.read_text().replace("import time\n", f"import time\n{refusal}", 1))
    assert ends.hold() == "STATE=here"
    shutil.copytree(ends.source, ends.target, symlinks=True)
    (ends.source / "disk.0").unlink()
    assert ends.hold() == "STATE=partial"
    assert ends.state("check", ends.target, stdin=ends.listed) == "STATE=arrived"
    (ends.target / "disk.1").unlink()
    done = ends.transit("check", ends.target, stdin=ends.listed)
    assert done.returncode == 1 and "complete neither here nor" in error_text(done.stderr)
    shutil.rmtree(ends.source)
    shutil.rmtree(ends.target)
    assert ends.hold() == "STATE=gone"


def test_on_storage_that_both_ends_share(ends: Ends) -> None:
    ends.target = ends.source
    assert ends.hold() == "STATE=here"
    assert ends.state("verify", ends.target, stdin=ends.listed) == "STATE=arrived"
    assert ends.left() != []  # still held by the origin
    ends.transit("release", ends.source)
    assert ends.left() == [] and ends.whole(ends.source)
    assert ends.hold() == "STATE=here"


def test_a_driver_that_moves_nothing(ends: Ends) -> None:
    ends.hold()
    assert ends.transit("stay", ends.source, stdin=ends.listed).returncode == 0
    ends.mv()
    assert ends.transit("stay", ends.source, stdin=ends.listed).returncode == 1


def test_the_next_move_keeps_what_an_earlier_one_holds(ends: Ends) -> None:
    ends.hold()
    (ends.source / "disk.0").unlink()
    done = ends.transit("hold", ends.source, "5.move")
    assert done.stdout.startswith("STATE=here") and ends.whole(ends.source)
    assert ends.left() == [".7.held.5.move"]


def test_putting_back_the_newest_try(ends: Ends) -> None:
    ends.hold()
    shutil.rmtree(ends.source)
    assert ends.transit("putback", ends.source, "*").returncode == 0
    assert ends.whole(ends.source)
    assert ends.left() == []
    assert ends.transit("putback", ends.source, "*").returncode == 0


def test_other_vms_are_none_of_its_business(ends: Ends) -> None:
    other = ends.source.parent / ".77.held.3.move"
    other.mkdir()
    ends.transit("release", ends.source, "*")
    assert other.exists()


# -- saving ------------------------------------------------------------------------------------------------
def test_saving_is_done_once(ends: Ends) -> None:
    args = ("3.end", "disk.0")
    assert ends.state("secure", ends.source, *args) == "STATE=here"
    # The driver moves the disk away; then the engine dies.
    (ends.source / "disk.0").unlink()
    shutil.rmtree(ends.source / "disk.0.snap")
    assert ends.state("secure", ends.source, *args) == "STATE=here"
    assert (ends.source / "disk.0").read_text() == "root disk"
    assert (ends.source / "disk.0.snap/0").read_text() == "old root"
    shutil.rmtree(ends.source)
    assert ends.state("secure", ends.source, *args) == "STATE=here"
    assert sorted(path.name for path in ends.source.iterdir()) == ["disk.0", "disk.0.snap"]
    shutil.rmtree(ends.source)
    ends.transit("finish", ends.source, "3.end")
    assert ends.state("secure", ends.source, *args) == "STATE=done"
    assert ends.left() == [".7.done.3.end"]


def test_what_is_gone_cannot_be_saved(ends: Ends) -> None:
    shutil.rmtree(ends.source)
    done = ends.transit("secure", ends.source, "3.end", "disk.0")
    assert done.returncode == 1 and "they cannot be saved" in error_text(done.stderr)


def test_what_is_done_is_forgotten_after_a_while(ends: Ends) -> None:
    ends.transit("finish", ends.source, "1.end")
    names = (".7.done.1.end", ".8.done.2.end", ".9.held.1.stop", ".x.held.1", "8")
    marks = [ends.source.parent / name for name in names]
    for mark in marks[1:]:
        mark.mkdir()
        os.utime(mark, (0, 0))
    ends.hold()
    assert [mark.exists() for mark in marks] == [True, False, False, True, True]


# -- snapshots of disks ------------------------------------------------------------------------------------
def test_traces_of_snapshots(ends: Ends) -> None:
    disk = ends.source / "disk.2"
    assert ends.state("snapped", disk, "4") == "STATE=unknown"
    disk.unlink()
    disk.symlink_to("disk.2.snap/5")
    assert ends.state("snapped", disk, "4") == "STATE=done"
    assert ends.state("snapped", ends.source / "disk.0", "4") == "STATE=unknown"
    assert ends.state("unsnapped", ends.source / "disk.0", "0") == "STATE=unknown"
    assert ends.state("unsnapped", ends.source / "disk.0", "1") == "STATE=done"
    assert ends.state("unsnapped", ends.source / "disk.1", "1") == "STATE=unknown"


@pytest.mark.parametrize(
    "args", [("hold", "7", "k"), ("hold", "/", "k"), ("folder", "/a/7", "k"), ("hold", "/a/7")]
)
def test_what_it_cannot_work_on(ends: Ends, args: tuple[str, ...]) -> None:
    command = [sys.executable, "-I", str(ends.script / args[0]), *args[1:]]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "ERROR MESSAGE" in done.stderr
