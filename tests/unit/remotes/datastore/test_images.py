"""mkfs, clone, rm, monitor, export and snapshots of the fs driver; each run twice, and on hostile names."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.datastore_driver import Stage

MB = 1024 * 1024


def info(path: str | Path) -> dict[str, object]:
    said = subprocess.run(["qemu-img", "info", "--output=json", str(path)], capture_output=True, check=True)
    found: dict[str, object] = json.loads(said.stdout)
    return found


def image(stage: Stage, name: str = "ab" * 16, data: bytes = b"image") -> Path:
    stage.base.mkdir(parents=True, exist_ok=True)
    path = stage.base / name
    path.write_bytes(data)
    return path


# -- empty images ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["raw", "qcow2"])
@pytest.mark.parametrize("file_system", ["", "ext4"])
def test_an_empty_image(stage: Stage, form: str, file_system: str) -> None:
    wanted = {"FORMAT": form, "SIZE": 20, "FS": file_system}
    path = stage.ok("mkfs", wanted)
    assert stage.ok("mkfs", wanted) == path, "a second run makes the same file"
    assert stage.files() == [Path(path).name]
    found = info(path)
    assert (found["format"], found["virtual-size"]) == (form, 20 * MB)
    raw = stage.folder / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, raw], check=True)
    assert (raw.read_bytes()[1080:1082] == b"\x53\xef") is bool(file_system), "the mark of ext4"


def test_swap(stage: Stage) -> None:
    path = stage.ok("mkfs", {"FORMAT": "swap", "SIZE": 20})
    assert Path(path).read_bytes()[4086:4096] == b"SWAPSPACE2"


def test_a_disk_that_will_be_saved_gets_a_path_only(stage: Stage) -> None:
    path = stage.ok("mkfs", {"FORMAT": "save_as", "SIZE": 20})
    assert Path(path).parent == stage.base and stage.files() == []
    assert stage.ok("mkfs", {"FORMAT": "save_as", "SIZE": 20, "ID": 8}) != path


@pytest.mark.parametrize(("more", "error"), [
    ({"FORMAT": "vmdk"}, "FORMAT of an empty image must be raw, qcow2 or swap"),
    ({"FS": "ext4; touch x"}, "FS must be one of ext2, ext3, ext4, xfs"),
    ({"FS": "-V"}, "FS must be one of"),
    ({"FS": "../ext4"}, "FS must be one of"),
    ({"SIZE": 0}, "at least 1 MB"),
    ({"SIZE": "1;2"}, "whole number"),
    ({"SIZE": 10**12}, "failed"),
    ({"SIZE": 1, "FS": "ext4", "FORMAT": "qcow2", "REGTIME": "x"}, "whole number"),
])  # fmt: skip
def test_empty_images_that_cannot_be(stage: Stage, more: dict[str, object], error: str) -> None:
    assert error in stage.run("mkfs", {"FORMAT": "raw", "SIZE": 20, **more}).error
    assert stage.files() == []


# -- copies ------------------------------------------------------------------------------------------------
def test_a_clone_is_a_file_of_its_own(stage: Stage) -> None:
    origin = image(stage, data=os.urandom(MB) + bytes(8 * MB))
    path = stage.ok("clone", {"PATH": origin, "ID": 9})
    assert Path(path).read_bytes() == origin.read_bytes()
    assert stage.ok("clone", {"PATH": origin, "ID": 9}) == path
    assert stage.files() == sorted([origin.name, Path(path).name])
    for bad in ("relative", f"{stage.base}/../x", stage.base, stage.base / "none"):
        assert "must be a file" in stage.run("clone", {"PATH": bad, "ID": 10}).error
    assert len(stage.files()) == 2


# -- removal -----------------------------------------------------------------------------------------------
def test_an_image_goes_with_its_snapshots(stage: Stage) -> None:
    path, other = image(stage), image(stage, "cd" * 16)
    snapshots = Path(f"{path}.snap")
    snapshots.mkdir()
    (snapshots / "0").symlink_to(other)
    (snapshots / snapshots.name).symlink_to(".")
    Path(f"{path}.md5sum").touch()
    stage.ok("rm", {"SOURCE": path})
    assert stage.files() == [other.name]
    again = stage.run("rm", {"SOURCE": path})
    assert again.code == 0 and "was gone already" in again.stderr
    stage.base.rename(stage.folder / "unmounted")
    assert "is it mounted?" in stage.run("rm", {"SOURCE": path}).error


def test_nothing_else_is_ever_removed(stage: Stage) -> None:
    kept = image(stage)
    outside = stage.folder / "outside"
    outside.write_text("kept")
    (stage.base / "folder").mkdir()
    (stage.base / "folder" / "file").write_text("kept")
    (stage.base / "link").symlink_to(outside)
    (stage.base / "link.snap").symlink_to(stage.safe)
    (stage.safe / "file").write_text("kept")
    for source in (
        outside,
        f"{stage.base}/",
        f"{stage.base}/.",
        f"{stage.base}/..",
        f"{stage.base}/../outside",
        f"{stage.base}/folder",
        f"{stage.base}/folder/file",
        f"{stage.base}/../100/../../outside",
        "/",
        "*",
        f"{stage.base}/* {kept}",
        "-rf",
        f"{stage.base}x/file",
    ):
        before = sorted(stage.folder.rglob("*"))
        answer = stage.run("rm", {"SOURCE": source})
        assert answer.code == 0 or "Bad formed image source" in answer.error
        assert sorted(stage.folder.rglob("*")) == before, source
    stage.ok("rm", {"SOURCE": f"{stage.base}/link"})
    assert outside.read_text() == "kept" and (stage.safe / "file").read_text() == "kept"
    assert not os.path.lexists(stage.base / "link")


@pytest.mark.parametrize("base", ["", "relative", "/a/../b", "/", "/with blank"])
def test_a_broken_base_path_is_refused(stage: Stage, base: str) -> None:
    command = stage.command("monitor", {})
    import base64

    document = base64.b64decode(command[1]).replace(str(stage.base).encode(), base.encode())
    command[1] = base64.b64encode(document).decode()
    done = subprocess.run(command, env=stage.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "BASE_PATH must" in done.stderr


# -- sizes and exports -------------------------------------------------------------------------------------
def test_monitor_tells_the_file_system(stage: Stage) -> None:
    said = dict(line.split("=") for line in stage.ok("monitor").splitlines())
    found = shutil.disk_usage(stage.base)
    assert int(said["TOTAL_MB"]) == -(-found.total // MB)
    assert abs(int(said["FREE_MB"]) - found.free // MB) < 4096
    assert 0 < int(said["USED_MB"]) <= int(said["TOTAL_MB"])


def test_what_a_marketplace_is_told(stage: Stage) -> None:
    data = b"QFI\xfb" + os.urandom(100)  # a guest can write to a raw disk what it likes
    path = image(stage, data=data)
    root = ElementTree.fromstring(stage.ok("export", {"SOURCE": path, "SIZE": 3, "FORMAT": "raw"}))
    assert {element.tag: element.text for element in root} == {
        "IMPORT_SOURCE": str(path),
        "MD5": hashlib.md5(data).hexdigest(),
        "SIZE": "3",
        "FORMAT": "raw",
        "DISPOSE": "NO",
    }
    assert "Bad formed" in stage.run("export", {"SOURCE": "/etc/passwd"}).error
    assert "is not there" in stage.run("export", {"SOURCE": f"{path}x"}).error


# -- snapshots ---------------------------------------------------------------------------------------------
def copies(stage: Stage) -> Path:
    """An image with two snapshots that are copies."""
    path = image(stage, data=b"now")
    Path(f"{path}.snap").mkdir()
    for number in (0, 1):
        Path(f"{path}.snap/{number}").write_text(f"then {number}")
    return path


def test_snapshots_that_are_copies(stage: Stage) -> None:
    path = copies(stage)
    for _ in range(2):
        stage.ok("snap_revert", {"SOURCE": path, "TARGET_SNAPSHOT": 1})
        assert path.read_text() == "then 1"
    for _ in range(2):
        stage.ok("snap_delete", {"SOURCE": path, "TARGET_SNAPSHOT": 1})
        assert os.listdir(f"{path}.snap") == ["0"]
    assert "has no snapshot 1" in stage.run("snap_flatten", {"SOURCE": path, "TARGET_SNAPSHOT": 1}).error
    for _ in range(2):
        stage.ok("snap_flatten", {"SOURCE": path, "TARGET_SNAPSHOT": 0})
        assert (stage.files(), path.read_text()) == ([path.name], "then 0")


def write(path: Path, offset: int, text: bytes) -> None:
    command = f"write -P {text[0]} {offset} 4096"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, str(path)], check=True, capture_output=True)


def holds(path: Path, form: str, offset: int, text: bytes) -> bool:
    command = f"read -P {text[0]} {offset} 4096"
    done = subprocess.run(
        ["qemu-io", "-f", form, "-r", "-c", command, str(path)], capture_output=True, text=True
    )
    return "Pattern verification failed" not in done.stdout and done.returncode == 0


def chain(stage: Stage) -> Path:
    """An image as the transfer driver qcow2 keeps it: 0 is a link to it, 1 a snapshot, 2 in use."""
    stage.base.mkdir(parents=True)
    path = stage.base / ("ef" * 16)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "4M"], check=True)
    write(path, 0, b"a")
    folder = Path(f"{path}.snap")
    folder.mkdir()
    (folder / folder.name).symlink_to(".")
    (folder / "0").symlink_to(path)
    for number in (1, 2):
        name = f"{folder.name}/{number - 1}"
        made = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", name, folder / str(number)]
        subprocess.run(made, check=True)
        write(folder / str(number), 0, bytes([b"a"[0] + number]))
    return path


def test_snapshots_that_are_a_chain(stage: Stage) -> None:
    path = chain(stage)
    folder = Path(f"{path}.snap")
    assert holds(folder / "2", "qcow2", 0, b"c")
    based = stage.run(
        "snap_delete", {"SOURCE": path, "TARGET_SNAPSHOT": 1, "FORMAT": "qcow2"}, tm_mad="qcow2"
    )
    assert "is the base of 2" in based.error
    for _ in range(2):
        stage.ok("snap_revert", {"SOURCE": path, "TARGET_SNAPSHOT": 1, "FORMAT": "qcow2"}, tm_mad="qcow2")
        assert holds(folder / "2", "qcow2", 0, b"b")
    assert info(folder / "2")["backing-filename"] == f"{folder.name}/1"
    stage.ok("snap_revert", {"SOURCE": path, "TARGET_SNAPSHOT": 0, "FORMAT": "qcow2"}, tm_mad="qcow2")
    assert holds(folder / "2", "qcow2", 0, b"a")
    stage.ok("snap_delete", {"SOURCE": path, "TARGET_SNAPSHOT": 1, "FORMAT": "qcow2"}, tm_mad="qcow2")
    refused = stage.run(
        "snap_revert", {"SOURCE": path, "TARGET_SNAPSHOT": 2, "FORMAT": "qcow2"}, tm_mad="qcow2"
    )
    assert "not a snapshot" in refused.error


def test_a_chain_is_flattened(stage: Stage) -> None:
    path = chain(stage)
    for _ in range(2):
        stage.ok("snap_flatten", {"SOURCE": path, "TARGET_SNAPSHOT": 1, "FORMAT": "qcow2"}, tm_mad="qcow2")
        assert stage.files() == [path.name]
    assert holds(path, "qcow2", 0, b"b") and "backing-filename" not in info(path)


def test_flattening_that_was_killed_is_finished(stage: Stage) -> None:
    path = copies(stage)
    Path(f"{path}.snap/0").unlink()
    Path(f"{path}.snap/.flattened-0").touch()
    stage.ok("snap_flatten", {"SOURCE": path, "TARGET_SNAPSHOT": 0})
    assert (stage.files(), path.read_text()) == ([path.name], "now")


def test_a_guest_cannot_make_a_raw_image_name_another_file(stage: Stage) -> None:
    """What a guest wrote to its raw disk looks like an image that is based on somebody else's."""
    other = image(stage, "cd" * 16, data=b"secret".ljust(4 * MB, b"s"))
    path = stage.base / ("ef" * 16)
    made = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(other), str(path)]
    subprocess.run(made, check=True)
    written = path.read_bytes()
    folder = Path(f"{path}.snap")
    folder.mkdir()
    (folder / folder.name).symlink_to(".")
    (folder / "0").symlink_to(path)
    name = f"{folder.name}/0"
    made = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", name, str(folder / "1")]
    subprocess.run(made, check=True)
    about = {"SOURCE": path, "TARGET_SNAPSHOT": 0, "FORMAT": "raw"}
    stage.ok("snap_revert", about, tm_mad="qcow2")
    assert info(folder / "1")["backing-filename-format"] == "raw"
    stage.ok("snap_flatten", about, tm_mad="qcow2")
    assert path.read_bytes()[: len(written)] == written
    copy = stage.ok("clone", {"PATH": path, "FORMAT": "raw", "ID": 9})
    assert Path(copy).read_bytes()[: len(written)] == written
