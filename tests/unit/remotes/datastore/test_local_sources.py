"""stat and cp of files of the front-end: SAFE_DIRS, hostile paths and hostile images."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import struct
import subprocess
from pathlib import Path

import pytest

from tests.support.datastore_driver import Stage

MB = 1024 * 1024
CONTENT = os.urandom(2 * MB) + bytes(MB)


def qcow2(path: Path, *options: str, size: str = "50M") -> Path:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), size], check=True)
    return path


def register(stage: Stage, path: object, **more: object) -> str:
    """stat and cp of a path; what cp prints."""
    image = {"PATH": path, **{name.replace("__", "/"): value for name, value in more.items()}}
    size = stage.ok("stat", image)
    return stage.ok("cp", {**image, "SIZE": size})


@pytest.mark.parametrize("name", ["plain", "a b'c\"d;$(touch x)&", "-rf", "new\nline", "ümläut", "%2e%2e"])
def test_a_file_of_any_name_is_copied(stage: Stage, name: str) -> None:
    source = stage.safe / name
    source.write_bytes(CONTENT)
    assert stage.ok("stat", {"PATH": source}) == "3"
    path, form = register(stage, source).split()
    assert (Path(path).parent, form) == (stage.base, "raw")
    assert Path(path).read_bytes() == CONTENT
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert stage.files() == [Path(path).name]


def test_zeros_take_no_room(stage: Stage) -> None:
    source = stage.safe / "sparse"
    with open(source, "wb") as file:
        file.truncate(64 * MB)
    path = register(stage, source).split()[0]
    assert os.stat(path).st_size == 64 * MB
    assert os.stat(path).st_blocks * 512 < MB


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_sources_are_unpacked(stage: Stage, pack: object) -> None:
    source = stage.safe / "packed"
    assert callable(pack)
    source.write_bytes(pack(CONTENT[: 2 * MB]) + pack(CONTENT[2 * MB :]))  # two streams count as one
    assert stage.ok("stat", {"PATH": source}) == "3"
    assert Path(register(stage, source).split()[0]).read_bytes() == CONTENT
    kept = stage.ok("cp", {"PATH": source, "REGTIME": 2}, NO_DECOMPRESS="yes").split()[0]
    assert Path(kept).read_bytes() == source.read_bytes()


def test_files_for_contexts_and_kernels_are_kept_as_they_are(stage: Stage) -> None:
    source = stage.safe / "initrd"
    source.write_bytes(gzip.compress(CONTENT))
    path, form = stage.ok("cp", {"PATH": source, "TYPE": 4}, kind=2).split()
    assert (form, Path(path).read_bytes()) == ("raw", source.read_bytes())


def test_qcow2_tells_its_own_size(stage: Stage) -> None:
    source = qcow2(stage.safe / "disk")
    assert stage.ok("stat", {"PATH": source}) == "50"
    assert register(stage, source).split()[1] == "qcow2"
    source.write_bytes(gzip.compress(source.read_bytes()))
    assert stage.ok("stat", {"PATH": source}) == "50"


@pytest.mark.parametrize(("driver", "more", "form"), [
    ("raw", {}, "raw"),
    ("qcow2", {}, "qcow2"),
    ("raw", {"CONVERT": "no"}, "qcow2"),
    ("", {}, "qcow2"),
])  # fmt: skip
def test_the_datastores_driver_decides_the_format(
    stage: Stage, driver: str, more: dict[str, str], form: str
) -> None:
    source = qcow2(stage.safe / "disk")
    path, found = stage.ok("cp", {"PATH": source, "SIZE": 50}, DRIVER=driver, **more).split()
    assert found == form
    assert Path(path).read_bytes()[:4] == (b"QFI\xfb" if form == "qcow2" else bytes(4))
    assert len(stage.files()) == 1


@pytest.mark.parametrize("name", ["MD5", "SHA1", "SHA256", "SHA512"])
def test_checksums_are_compared(stage: Stage, name: str) -> None:
    source = stage.safe / "packed"
    source.write_bytes(gzip.compress(CONTENT))
    right = hashlib.new(name, source.read_bytes()).hexdigest()
    register(stage, source, **{f"TEMPLATE__{name}": right.upper()})
    wrong = stage.run("cp", {"PATH": source, "SIZE": 3, "REGTIME": 2, f"TEMPLATE/{name}": right[::-1]})
    assert "Hash does not match" in wrong.error and right in wrong.error
    broken = stage.run("cp", {"PATH": source, "SIZE": 3, "REGTIME": 2, f"TEMPLATE/{name}": "12;rm"})
    assert f"{name} must be" in broken.error
    assert len(stage.files()) == 1


# -- where from ---------------------------------------------------------------------------------------------
def test_paths_are_judged_where_they_lead(stage: Stage) -> None:
    secret = stage.folder / "secret"
    secret.write_bytes(CONTENT)
    (stage.safe / "link").symlink_to(secret)
    (stage.safe / "out").symlink_to(stage.folder)
    beside = Path(f"{stage.safe}-beside")
    beside.mkdir()
    (beside / "file").write_bytes(CONTENT)
    (stage.folder / "lost").symlink_to(stage.folder / "nowhere")
    for path in (
        secret,
        stage.safe / "link",
        stage.safe / "out" / "secret",
        f"{stage.safe}/../secret",
        f"file://{stage.safe}/%2e%2e/secret",
        beside / "file",
        stage.folder / "lost",
        stage.folder / "nowhere",
        "/proc/self/environ",
        f"/proc/self/root{secret}",
    ):
        for action in ("stat", "cp"):
            assert "Not allowed to copy image from" in stage.run(action, {"PATH": path}).error
    assert stage.files() == []


def test_safe_dirs_win_and_the_front_ends_own_folders_are_always_restricted(stage: Stage) -> None:
    stage.env["ONE_LOCATION"] = str(stage.folder / "one")
    for folder in ("one/var", "one/etc", "open"):
        (stage.folder / folder).mkdir(parents=True)
        (stage.folder / folder / "file").write_bytes(CONTENT)
    own = {"PATH": stage.folder / "one/var/file"}
    none: dict[str, str] = {"SAFE_DIRS": "", "RESTRICTED_DIRS": ""}
    stage.env["HOME"] = "/nonexistent"
    assert "Not allowed" in stage.run("stat", own, **none).error
    assert "Not allowed" in stage.run("stat", {"PATH": stage.folder / "one/etc/file"}, **none).error
    for path in ("/var/log/one/oned.log", "/run/one/sunstone_vnc_tokens/one-7"):
        stage.env.pop("ONE_LOCATION")
        assert "Not allowed" in stage.run("stat", {"PATH": path}, **none).error
        stage.env["ONE_LOCATION"] = str(stage.folder / "one")
    assert stage.ok("stat", {"PATH": stage.folder / "open/file"}, **none) == "3"
    # Processes' secrets are files, too.
    for path in ("/proc/self/environ", "/proc/1/../version", "/sys/kernel/uevent_helper", "/dev/shm/../null"):
        assert "Not allowed" in stage.run("stat", {"PATH": path}, **none).error, path
    assert stage.ok("stat", own, SAFE_DIRS=f"/nowhere {stage.folder}/one/var", RESTRICTED_DIRS="/") == "3"


@pytest.mark.parametrize(("path", "error"), [
    ("relative", "absolute path"),
    ("", "has no PATH"),
    ("{safe}/nothing", "No such file"),
    ("{safe}", "not a regular file"),
    ("{safe}/pipe", "not a regular file"),
    ("file://elsewhere{safe}/x", "of this machine"),
    ("file:{safe}/x?y", "no query"),
    ("ftp://host/x", "scheme 'ftp'"),
    ("docker://alpine?size=64", "container registries are not available"),
    ("dockerfile:///?fileb64=eA==&size=64", "container registries are not available"),
    ("lxd://images/alpine", "LXD image servers are not available"),
    ("ssh://host:/etc/passwd", "only marketplaces"),
    ("s3://bucket/key", "S3 are not available"),
    ("data:;base64,*", "not in base64"),
    ("data:", "must be data:"),
    ("data:,", "is empty"),
])  # fmt: skip
def test_what_is_no_source_is_refused_with_one_error(stage: Stage, path: str, error: str) -> None:
    os.mkfifo(stage.safe / "pipe")
    for action in ("stat", "cp"):
        assert error in stage.run(action, {"PATH": path.format(safe=stage.safe)}).error
    assert stage.files() == []


def test_data_in_the_address(stage: Stage) -> None:
    path = stage.ok("cp", {"PATH": "data:text/plain;base64,aGVs\nbG8=", "TYPE": 5}, kind=2).split()[0]
    assert Path(path).read_bytes() == b"hello"
    path = stage.ok("cp", {"PATH": "data:,a%20b", "TYPE": 5, "REGTIME": 2}, kind=2).split()[0]
    assert Path(path).read_bytes() == b"a b"


# -- hostile images -----------------------------------------------------------------------------------------
def _patched(source: Path, offset: int, data: bytes) -> bytes:
    content = bytearray(source.read_bytes())
    content[offset : offset + len(data)] = data
    return bytes(content)


def test_images_that_name_other_files_are_refused(stage: Stage) -> None:
    base = stage.safe / "base"
    base.write_bytes(CONTENT)
    plain = qcow2(stage.safe / "plain")
    sources = {
        "backing file": qcow2(stage.safe / "overlay", "-F", "raw", "-b", str(base), size="3M").read_bytes(),
        "in another file": _patched(plain, 72, struct.pack(">Q", 4)),
        "several files": b'# Disk DescriptorFile\nversion=1\nRW 8 FLAT "/etc/passwd" 0\n'.ljust(1024),
        "version 1": _patched(plain, 4, struct.pack(">I", 1)),
        "format zip": b"PK\x03\x04" + CONTENT,
        "format tar": bytes(257) + b"ustar" + CONTENT,
        "format QED": b"QED\0" + CONTENT,
        "Zstandard": b"\x28\xb5\x2f\xfd" + CONTENT,
        "is cut off": b"QFI\xfb\0\0\0\3",
        "compressed twice": gzip.compress(gzip.compress(CONTENT)),
        "gzip data has no end": gzip.compress(CONTENT)[:-100],
        "bzip2 data has no end": bz2.compress(CONTENT)[:-100],
        "xz data has no end": lzma.compress(CONTENT)[:-100],
        "broken gzip data": _broken(gzip.compress(CONTENT)),
        "is empty": b"",
        "holds nothing": gzip.compress(b""),
    }
    source = stage.safe / "hostile"
    for error, content in sources.items():
        source.write_bytes(content)
        assert error in stage.run("cp", {"PATH": source}).error
        assert stage.files() == []
        assert error in stage.run("stat", {"PATH": source}).error


def _broken(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(64) + packed[middle + 64 :]


def test_an_image_larger_than_announced_is_refused(stage: Stage) -> None:
    bomb = stage.safe / "bomb"
    bomb.write_bytes(gzip.compress(bytes(64 * MB)))
    assert "registered with 3 MB" in stage.run("cp", {"PATH": bomb, "SIZE": 3}).error
    large = qcow2(stage.safe / "large", size="10G")
    assert "its disk has 10240 MB" in stage.run("cp", {"PATH": large, "SIZE": 50}).error
    assert stage.files() == []
    # The size of an appliance is what its marketplace says.
    stage.ok("cp", {"PATH": large, "SIZE": 50, "TEMPLATE/FROM_APP": 3})


def test_broken_documents(stage: Stage) -> None:
    source = stage.safe / "disk"
    source.write_bytes(CONTENT)
    assert "SIZE must be a whole number" in stage.run("cp", {"PATH": source, "SIZE": "1 2"}).error
    assert "LIMIT_TRANSFER_BW" in stage.run("cp", {"PATH": source}, LIMIT_TRANSFER_BW="fast").error
    assert "BRIDGE_LIST is not available" in stage.run("cp", {"PATH": source}, BRIDGE_LIST="node1").error
    assert stage.files() == []
