"""No transfer action touches anything but the VM's own disks and the datastore's own images."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
import tm_paths
from driver import DriverError
from tm_rig import FRONT_END, VM_ID, Rig, qemu_img, raw_image

_PATHS = [
    "{ds}/0/42/../43/disk.0",
    "{ds}/0/43/disk.0",
    "{ds}/0/42/disk.0/../../43/disk.0",
    "{ds}//0/42/disk.0",
    "{ds}/0/42/disk.0\n",
    "{ds}/0/42/disk.0\n{ds}/0/43/disk.0",
    "{ds}/0/42/disk.0; rm -rf {ds}/0/43",
    "{ds}/0/42/$(rm -rf {ds}0/43)",
    "{ds}/0/42/disk.0'",
    "{ds}/0/42/disk.",
    "{ds}/0/42/-rf",
    "{ds}/0/42/disk.*",
    "{ds}/1/image",
    "{ds}/x/42/disk.0",
    "{ds}/../datastores/0/42/disk.0",
    "/etc/passwd",
    "0/42/disk.0",
    "",
]
_HOSTS = ["-oProxyCommand=touch${IFS}pwned", "node1;id", "node1 node2", "node1\nnode2", "$(id)", "../node1"]
_IMAGES = [
    "{ds}/0/42",
    "{ds}/1/../0/42",
    "{ds}/1/image/../../2/other",
    "{ds}/2/image",
    "{ds}/1/.hidden",
    "{ds}/1/-image",
    "{ds}/1/a/b",
    "{ds}/1/image\nx",
    "{ds}/1",
    "/etc/passwd",
    "/etc/cron.d/x",
    "image",
]


def _victims(rig: Rig) -> dict[str, str]:
    """Another VM, other images, and this VM's own disk, on every machine."""
    for host in ("node1", "node2"):
        for vm_id in ("42", "43"):
            (rig.on(host) / "0" / vm_id).mkdir(parents=True)
            raw_image(rig.on(host) / "0" / vm_id / "disk.0")
    (rig.datastores / "2").mkdir()
    raw_image(rig.image())
    raw_image(rig.datastores / "2/image")
    return rig.everything()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the datastores are."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    return f"{tmp_path}/var/datastores"


@pytest.mark.parametrize("path", _PATHS)
def test_path_that_is_no_disk_of_the_vm(root: str, path: str) -> None:
    for place in (tm_paths.vm_file, tm_paths.vm_folder):
        with pytest.raises(DriverError):
            place(f"node1:{path.format(ds=root)}", VM_ID)


@pytest.mark.parametrize("path", _IMAGES)
def test_path_that_is_no_image_of_the_datastore(root: str, path: str) -> None:
    with pytest.raises(DriverError):
        tm_paths.image_written(path.format(ds=root), "1")


@pytest.mark.parametrize("host", _HOSTS)
def test_host_that_is_an_option_or_a_command(root: str, host: str) -> None:
    with pytest.raises(DriverError):
        tm_paths.vm_folder(f"{host}:{root}/0/42", VM_ID)


def test_paths_that_are_right(root: str) -> None:
    assert tm_paths.vm_file(f"node1:{root}/0/42/disk.3", VM_ID) == tm_paths.Spot(
        "node1", f"{root}/0/42/disk.3"
    )
    assert tm_paths.vm_folder(f"{FRONT_END}:{root}/0/42/", VM_ID) == tm_paths.Spot("", f"{root}/0/42")
    assert tm_paths.vm_file(f"fe80::1:{root}/0/42/kernel", VM_ID).host == "fe80::1"
    assert tm_paths.image_written(f"{root}/1/0a1b", "1").name == "0a1b"
    assert tm_paths.image_shared("fe:/older/place/1/0a1b") == f"{root}/1/0a1b"


def test_settings_of_the_front_end_name_it_and_its_datastores(root: str, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/oned.conf").write_text(
        '#DATASTORE_LOCATION = "/no"\nDATASTORE_LOCATION = "/mnt/ds/" # here\nHOSTNAME = "cloud.example"\n'
    )
    assert tm_paths.vm_file("cloud.example:/mnt/ds/0/42/disk.0", VM_ID).host == ""
    with pytest.raises(DriverError):
        tm_paths.vm_file(f"node1:{root}/0/42/disk.0", VM_ID)


def _refuse(rig: Rig, calls: list[tuple[str, ...]]) -> None:
    """All must be refused, and change nothing."""
    before = _victims(rig)
    for action, *arguments in calls:
        rig.refused(action, *arguments, stdin=rig.sealed_document())
    assert rig.everything() == before


def test_all_actions_look_at_the_path(rig: Rig) -> None:
    disk, image = f"node1:{rig.datastores}/0/42/../43/disk.0", str(rig.image())
    _refuse(
        rig,
        [
            ("ssh/clone", image, disk, VM_ID, "1"),
            ("qcow2/ln", image, disk, VM_ID, "1"),
            ("shared/clone", image, disk, VM_ID, "1"),
            ("qcow2/clone.ssh", image, disk, VM_ID, "1"),
            ("ssh/mkimage", "1", "raw", disk, VM_ID, "0"),
            ("ssh/context", image, disk, VM_ID, "0"),
            ("ssh/resize", disk, "5", VM_ID, "0"),
            ("ssh/delete", disk, VM_ID, "0"),
            ("ssh/snap_delete", disk, "0", VM_ID, "0"),
            ("ssh/mvds", disk, image, VM_ID, "1"),
            ("ssh/cpds", disk, image, "-1", VM_ID, "1"),
        ],
    )


def test_other_numbers_are_refused(rig: Rig) -> None:
    disk, folder = rig.at("node1", "disk.0"), rig.at("node1", "")
    image = str(rig.image())
    _refuse(
        rig,
        [
            ("ssh/delete", folder, "../42", "0"),
            ("ssh/delete", folder, "", "0"),
            ("ssh/snap_delete", disk, "../../43/disk.0", VM_ID, "0"),
            ("ssh/snap_create", disk, "0/../../disk.0", VM_ID, "0"),
            ("qcow2/snap_create", disk, "-1", VM_ID, "0"),
            ("ssh/cpds", disk, image, "../disk.0", VM_ID, "1"),
            ("ssh/resize", disk, "-5", VM_ID, "0"),
            ("ssh/mkimage", "1; id", "raw", disk, VM_ID, "0"),
            ("ssh/mv", folder, f"node2:{rig.datastores}/0", VM_ID, "0"),
            ("ssh/mv", f"node1:{rig.datastores}/0/43", rig.at("node2", ""), VM_ID, "0"),
            ("shared/mv", folder, f"node1:{rig.datastores}/5/43", VM_ID, "0"),
            ("ssh/premigrate", "node1", "node2", f"{rig.datastores}/0/43", VM_ID, "0"),
            ("ssh/delete",),
        ],
    )


def test_link_instead_of_a_folder_is_not_followed(rig: Rig) -> None:
    _victims(rig)
    elsewhere = rig.folder / "elsewhere"
    elsewhere.mkdir()
    raw_image(elsewhere / "disk.0")
    folder = rig.on("node1") / "0/42"
    (folder / "disk.0").unlink()
    folder.rmdir()
    folder.symlink_to(elsewhere)
    rig.refused("ssh/clone", str(rig.image()), rig.at("node1", "disk.0"), VM_ID, "1")
    rig.refused("ssh/delete", rig.at("node1", "disk.0"), VM_ID, "1")
    rig.done("ssh/delete", rig.at("node1", ""), VM_ID, "0")
    assert not os.path.lexists(folder)
    assert os.listdir(elsewhere) == ["disk.0"]


def test_links_in_a_folder_are_deleted_not_followed(rig: Rig) -> None:
    _victims(rig)
    folder = rig.on("node1") / "0/42"
    (folder / "disk.1").symlink_to(rig.folder / "fe")
    (folder / "disk.1.snap").symlink_to(rig.on("node1") / "0/43")
    (folder / "out").symlink_to("/")
    rig.done("ssh/delete", rig.at("node1", "disk.1"), VM_ID, "0")
    rig.done("ssh/delete", rig.at("node1", ""), VM_ID, "0")
    assert os.listdir(rig.on("node1") / "0") == ["43"]
    assert (rig.folder / "fe/var").exists()


@pytest.mark.parametrize("name", ["-image", "a b;$(id)'\"", "image\\n%s", "ünï"])
def test_sources_with_any_name_are_copied(rig: Rig, name: str) -> None:
    """An administrator may register an image anywhere; it is read, never run."""
    (rig.folder / "else").mkdir()
    image = raw_image(rig.folder / "else" / name)
    rig.done("ssh/clone", f"{image}", rig.at("node1", "disk.0"), VM_ID, "1")
    assert rig.file("node1", "disk.0").read_bytes()[:4] == b"data"


@pytest.mark.parametrize(
    "below", ["/etc/passwd", "../../secret", 'json:{"driver":"file"}', "nbd://example/x"]
)
def test_uploaded_image_does_not_open_other_files(rig: Rig, below: str) -> None:
    """A header that names a file outside of the datastores is refused before anything reads it."""
    raw_image(rig.folder / "fe/secret")
    image = rig.image()
    qemu_img("create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "x" * len(below), image, "1M")
    data = image.read_bytes().replace(b"x" * len(below), below.encode(), 1)
    image.write_bytes(data)
    for action, host in (("clone", FRONT_END), ("clone.ssh", "node1")):
        said = rig.refused(f"qcow2/{action}", str(image), rig.at(host, "disk.0"), VM_ID, "1")
        assert "stands on" in said
        assert not os.path.lexists(rig.file(host, "disk.0"))
    assert rig.leftovers() == []


def test_raw_image_that_looks_like_layers_stays_raw(rig: Rig) -> None:
    """A guest may write anything to its raw image; another tenant's image is not opened when it is cloned."""
    other = raw_image(rig.image("other"), first=b"other tenant")
    qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", other, rig.image())
    rig.disk(0, DRIVER="qcow2", IMAGE_ID="5", CLONE="YES")
    (rig.folder / "image.xml").write_text("<IMAGE><ID>5</ID><FORMAT>raw</FORMAT></IMAGE>")
    for action, host in (("clone", FRONT_END), ("clone.ssh", "node1")):
        rig.done(f"qcow2/{action}", str(rig.image()), rig.at(host, "disk.0"), VM_ID, "1")
        rig.done(f"qcow2/cpds{action[5:]}", rig.at(host, "disk.0"), str(rig.image("seen")), "-1", VM_ID, "1")
        qemu_img("convert", "-f", "qcow2", "-O", "raw", rig.image("seen"), rig.image("flat"))
        content = rig.image("flat").read_bytes()
        assert content[:4] == b"QFI\xfb" and b"other tenant" not in content


def test_image_with_data_in_another_file_is_refused(rig: Rig) -> None:
    image = rig.image()
    qemu_img("create", "-q", "-f", "qcow2", image, "1M")
    with open(image, "r+b") as file:
        file.seek(72)
        features = struct.unpack(">Q", file.read(8))[0]
        file.seek(72)
        file.write(struct.pack(">Q", features | 4))
    said = rig.refused("qcow2/clone.ssh", str(image), rig.at("node1", "disk.0"), VM_ID, "1")
    assert "another file" in said


@pytest.mark.parametrize("name", ["../../up", "a/b", "..", "x\ny"])
def test_context_files_stay_in_the_image(rig: Rig, name: str) -> None:
    file = raw_image(rig.folder / "context.sh")
    before = rig.everything()
    rig.refused("ssh/context", f"{file}:{name}", rig.at("node1", "disk.1"), VM_ID, "0")
    assert rig.everything() == before


def test_document_that_is_none_is_refused(rig: Rig) -> None:
    ends = ("node1", "node2", f"{rig.datastores}/0/{VM_ID}", VM_ID, "0")
    for text in (b"", b"%%%", b"PCFET0NUWVBFIFZNPjxWTS8+"):
        rig.refused("shared/premigrate", *ends, stdin=text)
