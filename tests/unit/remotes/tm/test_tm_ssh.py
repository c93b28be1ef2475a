"""The transfer driver ssh: disks are copied to the node, and back."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from tm_rig import FRONT_END, VM_ID, Rig, qemu_img, raw_image


@pytest.mark.parametrize("action", ["clone", "ln"])
def test_image_goes_to_the_node(rig: Rig, action: str) -> None:
    image = raw_image(rig.image())
    source, target = f"{FRONT_END}:{image}", rig.at("node1", "disk.0")
    for _ in range(2):
        rig.done(f"ssh/{action}", source, target, VM_ID, "1")
    copied = rig.file("node1", "disk.0")
    assert copied.read_bytes() == image.read_bytes()
    assert copied.stat().st_blocks * 512 < 64 * 1024  # sparse
    assert stat.S_IMODE(copied.stat().st_mode) & 0o007 == 0
    assert (rig.on("node1") / "0/.monitor").read_text() == "ssh\n"
    assert rig.leftovers() == []


def test_image_grows_to_the_size_that_the_vm_wants(rig: Rig) -> None:
    rig.disk(0, SIZE="3", ORIGINAL_SIZE="1", DRIVER="raw")
    rig.disk(1, SIZE="3", ORIGINAL_SIZE="1", DRIVER="qcow2")
    raw_image(rig.image())
    qemu_img("create", "-q", "-f", "qcow2", rig.image("layers"), "1M")
    rig.done("ssh/clone", str(rig.image()), rig.at("node1", "disk.0"), VM_ID, "1")
    rig.done("ssh/clone", str(rig.image("layers")), rig.at("node1", "disk.1"), VM_ID, "1")
    assert rig.file("node1", "disk.0").stat().st_size == 3 * 1024 * 1024
    info = json.loads(qemu_img("info", "--output=json", rig.file("node1", "disk.1")))
    assert (info["format"], info["virtual-size"]) == ("qcow2", 3 * 1024 * 1024)


def test_snapshots_of_the_image_come_along(rig: Rig) -> None:
    raw_image(rig.image())
    (rig.datastores / "1/image.snap").mkdir()
    raw_image(rig.image("image.snap") / "3", first=b"older")
    rig.done("ssh/ln", str(rig.image()), rig.at("node1", "disk.0"), VM_ID, "1")
    assert (rig.file("node1", "disk.0.snap") / "3").read_bytes()[:5] == b"older"


def test_kernel_is_copied_beside_the_disks(rig: Rig) -> None:
    raw_image(rig.image(), first=b"vmlinuz")
    rig.done("ssh/clone", str(rig.image()), rig.at("node1", "kernel"), VM_ID, "2")
    assert rig.file("node1", "kernel").read_bytes()[:7] == b"vmlinuz"


def test_failed_copy_leaves_what_was_there(rig: Rig) -> None:
    raw_image(rig.image(), first=b"first")
    rig.done("ssh/clone", str(rig.image()), rig.at("node1", "disk.0"), VM_ID, "1")
    rig.disk(0, SIZE="2", ORIGINAL_SIZE="1", DRIVER="qcow2")  # it is raw, so it cannot be resized as qcow2
    raw_image(rig.image(), first=b"other")
    said = rig.refused("ssh/clone", str(rig.image()), rig.at("node1", "disk.0"), VM_ID, "1")
    assert "no qcow2 image" in said
    assert rig.file("node1", "disk.0").read_bytes()[:5] == b"first"
    assert rig.leftovers() == []


def test_interrupted_copy_is_no_disk_and_goes_with_the_next_try(rig: Rig) -> None:
    raw_image(rig.image())
    left = rig.file("node1", ".disk.0.part.0badf00d")
    left.mkdir(parents=True)
    (left / "image").write_bytes(b"half")
    assert not rig.file("node1", "disk.0").exists()
    rig.done("ssh/clone", str(rig.image()), rig.at("node1", "disk.0"), VM_ID, "1")
    assert rig.leftovers() == []


def test_missing_image_and_unreachable_node_are_named(rig: Rig) -> None:
    said = rig.refused("ssh/clone", str(rig.image("none")), rig.at("node1", "disk.0"), VM_ID, "1")
    assert str(rig.image("none")) in said
    raw_image(rig.image())
    with open(rig.folder / "ssh.conf", "a") as conf:
        conf.write("Host dead\n  ProxyCommand false\n")
    said = rig.refused("ssh/clone", str(rig.image()), rig.at("dead", "disk.0"), VM_ID, "1")
    assert "dead" in said


def test_disk_becomes_the_image(rig: Rig) -> None:
    image = raw_image(rig.image(), first=b"old")
    (rig.image("image.md5sum")).write_text("x")
    rig.file("node1", "disk.0.snap").mkdir(parents=True)
    raw_image(rig.file("node1", "disk.0"), first=b"new")
    raw_image(rig.file("node1", "disk.0.snap") / "0", first=b"snap")
    for _ in range(2):
        rig.done("ssh/mvds", rig.at("node1", "disk.0"), str(image), VM_ID, "1")
    assert image.read_bytes()[:3] == b"new"
    assert (rig.image("image.snap") / "0").read_bytes()[:4] == b"snap"
    assert not rig.image("image.md5sum").exists()
    assert rig.file("node1", "disk.0").exists()
    assert rig.leftovers() == []


def test_link_instead_of_a_disk_brings_no_other_file(rig: Rig) -> None:
    """A node must not make the front-end take a link for an image."""
    raw_image(rig.image(), first=b"old")
    rig.file("node1", "").mkdir(parents=True)
    rig.file("node1", "disk.0").symlink_to("/etc")
    rig.refused("ssh/mvds", rig.at("node1", "disk.0"), str(rig.image()), VM_ID, "1")
    assert rig.image().read_bytes()[:3] == b"old"


def test_link_in_a_folder_leads_to_no_other_file(rig: Rig) -> None:
    """What a node makes a VM's disk would be read at its next place, and saved as the VM's image."""
    rig.file("node1", "").mkdir(parents=True)
    rig.file("node1", "disk.0").symlink_to("/etc/passwd")
    told = rig.refused("ssh/mv", rig.at("node1", ""), rig.at(FRONT_END, ""), VM_ID, "0")
    assert "disk.0 leads to '/etc/passwd', which is not of this VM" in told
    assert not rig.file(FRONT_END, "").exists() and rig.leftovers() == []


def test_layer_of_a_disk_leads_to_no_other_file(rig: Rig) -> None:
    rig.file("node1", "").mkdir(parents=True)
    disk = rig.file("node1", "disk.0")
    qemu_img("create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", disk, "1M")
    raw_image(rig.image(), first=b"old")
    rig.disk(0, DRIVER="qcow2", CLONE="YES", SOURCE=str(rig.image()))
    told = rig.refused("ssh/mvds", rig.at("node1", "disk.0"), str(rig.image()), VM_ID, "1")
    assert "which has not arrived" in told and rig.image().read_bytes()[:3] == b"old"
    told = rig.refused("ssh/mv", rig.at("node1", ""), rig.at("node2", ""), VM_ID, "0")
    assert "disk.0 leads to" in told and disk.exists() and rig.leftovers() == []


def test_answers_of_a_node_have_an_end(rig: Rig) -> None:
    python = rig.folder / "taken/python3"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nexec cat /dev/zero\n")
    python.chmod(0o755)
    conf = rig.folder / "ssh.conf"
    conf.write_text(conf.read_text().replace(" TM_PATH=", f" TM_PATH={python.parent}:"))
    told = rig.refused("ssh/delete", rig.at("node1", "disk.0"), VM_ID, "0")
    assert "answers without an end" in told


@pytest.mark.parametrize(
    ("origin", "target"), [("node1", "node2"), ("node1", FRONT_END), (FRONT_END, "node2")]
)
def test_folder_moves_with_everything(rig: Rig, origin: str, target: str) -> None:
    rig.file(origin, "disk.1.snap").mkdir(parents=True)
    (rig.on(origin) / "0/.monitor").write_text("ssh\n")
    raw_image(rig.file(origin, "disk.0"))
    raw_image(rig.file(origin, "disk.1.snap") / "0")
    rig.file(origin, "disk.1").symlink_to("disk.1.snap/0")
    rig.file(origin, "checkpoint").write_bytes(b"memory")
    stale = rig.file(target, "disk.7")
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"stale")
    rig.done("ssh/mv", rig.at(origin, "disk.0"), rig.at(target, "disk.0"), VM_ID, "0")
    assert rig.file(origin, "disk.0").exists()  # single disks go with the folder
    for _ in range(2):
        rig.done("ssh/mv", rig.at(origin, ""), rig.at(target, ""), VM_ID, "0")
    assert rig.file(target, "disk.0").read_bytes()[:4] == b"data"
    assert os.readlink(rig.file(target, "disk.1")) == "disk.1.snap/0"
    assert rig.file(target, "checkpoint").read_bytes() == b"memory"
    assert not stale.exists()
    assert not rig.file(origin, "").exists()
    assert (rig.on(target) / "0/.monitor").read_text() == "ssh\n"
    assert rig.leftovers() == []


def test_nodes_that_do_not_reach_each_other_move_through_the_front_end(rig: Rig) -> None:
    conf = rig.folder / "ssh.conf"
    conf.write_text(conf.read_text().replace(f" TM_PATH={rig.folder}/bin:", ""))
    rig.file("node1", "").mkdir(parents=True)
    raw_image(rig.file("node1", "disk.0"))
    rig.done("ssh/mv", rig.at("node1", ""), rig.at("node2", ""), VM_ID, "0")
    assert rig.file("node2", "disk.0").read_bytes()[:4] == b"data"


def test_folder_on_storage_of_both_nodes_stays(rig: Rig) -> None:
    """Nodes that mount the same storage: moving would delete what it has just copied onto itself."""
    (rig.folder / "node2").rmdir()
    (rig.folder / "node2").symlink_to("node1")
    rig.file("node1", "").mkdir(parents=True)
    raw_image(rig.file("node1", "disk.0"))
    rig.done("ssh/mv", rig.at("node1", ""), rig.at("node2", ""), VM_ID, "0")
    rig.done(
        "ssh/postmigrate", "node1", "node2", f"{rig.datastores}/0/42", VM_ID, "0", stdin=rig.sealed_document()
    )
    assert rig.file("node1", "disk.0").read_bytes()[:4] == b"data"


def test_missing_folder_is_not_taken_for_a_moved_one(rig: Rig) -> None:
    stale = rig.file("node2", "disk.0")
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"stale")
    said = rig.refused("ssh/mv", rig.at("node1", ""), rig.at("node2", ""), VM_ID, "0")
    assert "is not there" in said
    assert stale.exists()


def test_folder_of_a_lost_host_is_not_moved(rig: Rig) -> None:
    rig.lcm_state = 60
    rig.file("node1", "").mkdir(parents=True)
    rig.done("ssh/mv", rig.at("node1", ""), rig.at("node2", ""), VM_ID, "0")
    assert rig.file("node1", "").exists()


def test_snapshots_are_copies(rig: Rig) -> None:
    rig.file("node1", "").mkdir(parents=True)
    disk, at = rig.file("node1", "disk.0"), rig.at("node1", "disk.0")
    raw_image(disk, first=b"one")
    for _ in range(2):
        rig.done("ssh/snap_create", at, "0", VM_ID, "1")
    raw_image(disk, first=b"two")
    rig.done("ssh/snap_create", at, "1", VM_ID, "1")
    for _ in range(2):
        rig.done("ssh/snap_revert", at, "0", VM_ID, "1")
    assert disk.read_bytes()[:3] == b"one"
    rig.done("ssh/cpds", at, str(rig.image("saved")), "1", VM_ID, "1")
    assert rig.image("saved").read_bytes()[:3] == b"two"
    for _ in range(2):
        rig.done("ssh/snap_delete", at, "1", VM_ID, "1")
    assert os.listdir(rig.file("node1", "disk.0.snap")) == ["0"]
    rig.refused("ssh/snap_revert", at, "1", VM_ID, "1")
    assert disk.read_bytes()[:3] == b"one"
    assert rig.leftovers() == []


def test_saved_disk_is_one_file_of_its_own(rig: Rig) -> None:
    rig.file("node1", "disk.0.snap").mkdir(parents=True)
    raw_image(rig.file("node1", "disk.0"))
    raw_image(rig.file("node1", "disk.0.snap") / "0")
    for _ in range(2):
        rig.done("ssh/cpds", rig.at("node1", "disk.0"), str(rig.image("saved")), "-1", VM_ID, "1")
    assert rig.image("saved").read_bytes()[:4] == b"data"
    assert not rig.image("saved.snap").exists()


def test_running_machine_of_another_hypervisor_is_not_saved(rig: Rig) -> None:
    rig.lcm_state = 26
    rig.file("node1", "").mkdir(parents=True)
    raw_image(rig.file("node1", "disk.0"))
    document = rig.document().replace("<VM_MAD>kvm", "<VM_MAD>lxc")
    (rig.folder / "bin/onevm").write_text(f"#!/bin/sh\necho '{document}'\n")
    said = rig.refused("ssh/cpds", rig.at("node1", "disk.0"), str(rig.image("saved")), "-1", VM_ID, "1")
    assert "lxc" in said
    assert not rig.image("saved").exists()


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_resize_grows_and_never_shrinks(rig: Rig, form: str) -> None:
    rig.disk(0, DRIVER=form)
    rig.file("node1", "").mkdir(parents=True)
    disk = rig.file("node1", "disk.0")
    qemu_img("create", "-q", "-f", form, disk, "1M")
    for size in ("4", "4", "2"):
        rig.done("ssh/resize", rig.at("node1", "disk.0"), size, VM_ID, "1")
    info = json.loads(qemu_img("info", "--output=json", disk))
    assert (info["format"], info["virtual-size"]) == (form, 4 * 1024 * 1024)
    rig.lcm_state = 62
    rig.done("ssh/resize", rig.at("node1", "disk.0"), "9", VM_ID, "1")
    assert json.loads(qemu_img("info", "--output=json", disk))["virtual-size"] == 4 * 1024 * 1024


def test_raw_disk_that_looks_like_layers_stays_raw(rig: Rig) -> None:
    """What a guest writes to its disk must not make qemu-img open other files of the node."""
    secret = raw_image(rig.folder / "secret", first=b"secret")
    rig.file("node1", "").mkdir(parents=True)
    disk = rig.file("node1", "disk.0")
    qemu_img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, disk)
    before = disk.read_bytes()
    rig.done("ssh/cpds", rig.at("node1", "disk.0"), str(rig.image("saved")), "-1", VM_ID, "1")
    rig.done("ssh/resize", rig.at("node1", "disk.0"), "2", VM_ID, "1")
    assert rig.image("saved").read_bytes() == before
    assert disk.stat().st_size == 2 * 1024 * 1024


def test_disk_and_folder_are_deleted(rig: Rig) -> None:
    rig.file("node1", "disk.0.snap").mkdir(parents=True)
    for name in ("disk.0", "disk.1"):
        raw_image(rig.file("node1", name))
    for _ in range(2):
        rig.done("ssh/delete", rig.at("node1", "disk.0"), VM_ID, "1")
    assert os.listdir(rig.file("node1", "")) == ["disk.1"]
    (rig.on("node1") / "0/.42.part.1234").mkdir()
    for _ in range(2):
        rig.done("ssh/delete", rig.at("node1", ""), VM_ID, "0")
    assert os.listdir(rig.on("node1") / "0") == []


def test_before_and_after_a_live_migration(rig: Rig) -> None:
    document, ends = rig.sealed_document(), ("node1", "node2", f"{rig.datastores}/0/{VM_ID}", VM_ID, "0")
    (rig.folder / "bin/virsh").write_text("#!/bin/sh\necho 'error: failed to get domain' >&2\nexit 1\n")
    (rig.folder / "bin/virsh").chmod(0o755)
    for host in ("node1", "node2"):
        rig.file(host, "").mkdir(parents=True)
        raw_image(rig.file(host, "disk.0"))
    rig.done("ssh/premigrate", *ends, stdin=document)
    assert os.listdir(rig.file("node2", "")) == []
    assert (rig.on("node2") / "0/.monitor").read_text() == "ssh\n"
    rig.done("ssh/failmigrate", *ends, stdin=document)
    assert not rig.file("node2", "").exists()
    raw_image(rig.file("node1", "disk.0"))
    for _ in range(2):
        rig.done("ssh/postmigrate", *ends, stdin=document)
    assert not rig.file("node1", "").exists()


@pytest.mark.parametrize("answer", ["echo running", "echo 'error: Disconnected' >&2; exit 1"])
def test_folder_of_a_machine_that_may_run_is_not_touched(rig: Rig, answer: str) -> None:
    document, ends = rig.sealed_document(), ("node1", "node2", f"{rig.datastores}/0/{VM_ID}", VM_ID, "0")
    (rig.folder / "bin/virsh").write_text(f"#!/bin/sh\n{answer}\n")
    (rig.folder / "bin/virsh").chmod(0o755)
    rig.file("node2", "").mkdir(parents=True)
    raw_image(rig.file("node2", "disk.0"))
    said = rig.refused("ssh/premigrate", *ends, stdin=document)
    assert "is not touched" in said
    rig.done("ssh/failmigrate", *ends, stdin=document)
    assert rig.file("node2", "disk.0").exists()


def test_drivers_of_other_disks_take_part_in_a_migration(rig: Rig) -> None:
    rig.disk(1, TM_MAD="mine")
    remotes = rig.folder / "remotes"
    for name in ("lib", "etc"):
        remotes.mkdir(exist_ok=True)
        (remotes / name).symlink_to(Path(__file__).resolve().parents[4] / "services/remotes" / name)
    (remotes / "tm").mkdir()
    for name in ("common", "shared"):
        (remotes / "tm" / name).symlink_to(
            Path(__file__).resolve().parents[4] / "services/remotes/tm" / name, target_is_directory=True
        )
    (remotes / "tm/mine").mkdir()
    called = remotes / "tm/mine/premigrate"
    called.write_text(f'#!/bin/sh\necho "$@" > {rig.folder}/called; base64 -d >> {rig.folder}/called\n')
    called.chmod(0o755)
    ends = ("node1", "node2", f"{rig.datastores}/0/{VM_ID}", VM_ID, "0")
    rig.done(f"{remotes}/tm/shared/premigrate", *ends, stdin=rig.sealed_document())
    said = (rig.folder / "called").read_text().splitlines()
    assert said[0].split() == [*ends, "shared"]
    assert said[1].startswith("<VM>")
