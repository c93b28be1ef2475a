"""Disks that are made: volatile ones, swap, and the disk that tells a guest about itself."""

from __future__ import annotations

import json
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tm_rig import VM_ID, Rig, qemu_img, raw_image


def test_volatile_disks(rig: Rig) -> None:
    rig.disk(1, FS="ext4", TYPE="FS")
    rig.disk(3, FS="ext4", TYPE="FS")
    forms = (("0", "raw"), ("1", "raw"), ("2", "qcow2"), ("3", "qcow2"))
    for disk_id, form in forms:
        for _ in range(2 if disk_id == "1" else 1):
            rig.done("ssh/mkimage", "8", form, rig.at("node1", f"disk.{disk_id}"), VM_ID, "0")
        info = json.loads(qemu_img("info", "--output=json", rig.file("node1", f"disk.{disk_id}")))
        assert (info["format"], info["virtual-size"]) == (form, 8 * 1024 * 1024)
        assert info["actual-size"] < 4 * 1024 * 1024
    kinds = subprocess.run(
        ["blkid", "-p", "-o", "value", "-s", "TYPE", str(rig.file("node1", "disk.1"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert kinds.stdout.strip() == "ext4"
    assert rig.leftovers() == []


def test_swap(rig: Rig) -> None:
    rig.done("ssh/mkswap", "8", rig.at("node1", "disk.0"), VM_ID, "0")
    assert rig.file("node1", "disk.0").read_bytes()[4086:4096] == b"SWAPSPACE2"


def test_filesystem_that_is_not_allowed(rig: Rig) -> None:
    for name in ("reiserfs", "ext4; id", "../ext4"):
        rig.disk(0, FS=name)
        said = rig.refused("ssh/mkimage", "8", "raw", rig.at("node1", "disk.0"), VM_ID, "0")
        assert "SUPPORTED_FS" in said
    assert not rig.file("node1", "").exists()


def test_context_disk(rig: Rig) -> None:
    script = raw_image(rig.folder / "context.sh", 0, b"ETH0_IP='1.2.3.4'\n")
    extra = raw_image(rig.image("0123456789"), 0, b"extra")
    served = rig.folder / "served"
    served.mkdir()
    (served / "from-web").write_bytes(b"web")
    handler = partial(_Quiet, directory=str(served))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/from-web"
    try:
        for _ in range(2):
            files = (str(script), f"{extra}:'A Long Name.conf'", url)
            rig.done("ssh/context", *files, rig.at("node1", "disk.1"), VM_ID, "0")
    finally:
        server.shutdown()
        server.server_close()
    disk = rig.file("node1", "disk.1")
    assert b"CONTEXT " in disk.read_bytes()[0x8000:0x8100]
    assert _extracted(disk, rig.folder / "out") == {
        "context.sh": b"ETH0_IP='1.2.3.4'\n",
        "A Long Name.conf": b"extra",
        "from-web": b"web",
    }
    assert "CD001" in disk.read_bytes()[0x9001:0x9006].decode()  # Joliet is another descriptor
    assert list((rig.datastores / ".isofiles").iterdir()) == []
    said = rig.refused("ssh/context", str(rig.folder / "none"), rig.at("node1", "disk.1"), VM_ID, "0")
    assert "none" in said
    assert list((rig.datastores / ".isofiles").iterdir()) == []


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""


def _extracted(disk: Path, folder: Path) -> dict[str, bytes]:
    argv = ["xorriso", "-osirrox", "on", "-indev", str(disk), "-extract", "/", str(folder)]
    subprocess.run(argv, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}
