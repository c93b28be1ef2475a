"""A machine's day on datastores that the front-end and all nodes see, as over NFS (TM_MAD shared and qcow2).

It has what is other there than on disks of each node: nothing is copied when a machine moves, and what was
written to images is read where they lie.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.node.container import ContainerCloud
from tests.support.node.day import Day
from tests.support.node.nodes import Node
from tests.support.node.operate import wait


@dataclass(frozen=True)
class Pair:
    """A system and an image datastore of one transfer driver."""

    driver: str
    system: int
    images: int


def datastores(cloud: ContainerCloud, driver: str) -> Pair:
    """New ones, whose folders the test has mounted everywhere."""
    safe = f'SAFE_DIRS="{cloud.put_folder}"\n'
    kinds = ("TYPE=SYSTEM_DS\n", f"TYPE=IMAGE_DS\nDS_MAD=fs\n{safe}")
    made = [
        cloud.create("onedatastore", "create", "/dev/stdin",
                     stdin=f"NAME={driver}-{number}\nTM_MAD={driver}\n{kind}")
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    return Pair(driver, *made)


class SharedDay(Day):
    """One VM; its first disk is made of an image, a persistent image comes and goes."""

    cloud: ContainerCloud

    def __init__(
        self,
        cloud: ContainerCloud,
        hosts: dict[int, Node],
        images: tuple[int, int, int],
        network: int,
        pair: Pair,
    ) -> None:
        super().__init__(cloud, hosts, images, network)
        self.pair = pair

    def whole(self) -> int:
        """Every step, from nothing to nothing; the image that was saved of the disk."""
        self.create(SCHED_DS_REQUIREMENTS=f'"ID={self.pair.system}"')
        self.suspend_resume()
        self.migrate(live=True)
        self.disk()
        self.persistent()
        self.resize()  # no disk that has snapshots
        if self.pair.driver == "qcow2":
            self.snapshots_live()
        else:
            self.snapshots_off()
        self.migrate(live=False)
        saved = self.save_as()
        self.terminate()
        return saved

    # -- steps that are other ones here ------------------------------------------------------------------
    def persistent(self) -> None:
        """What the guest writes to a persistent image is in the image itself."""
        image = self.cloud.image(
            f'NAME="kept-{self.pair.driver}"\nTYPE="DATABLOCK"\nSIZE="8"\nFORMAT="{self._form}"\n'
            'PERSISTENT="YES"\nDEV_PREFIX="vd"\n',
            self.pair.images,
        )
        with self.step("attach image"):
            self.one("disk-attach", "--image", str(image))
            self.cloud.wait_vm(self.vm)
            wait("the guest sees the disk", lambda: "vdb" in self.shell.sh("ls /sys/block"), 20)
        self.shell.sh("echo kept | dd of=/dev/vdb conv=notrunc 2>/dev/null; sync")
        number = max(int(disk.findtext("DISK_ID") or 0) for disk in self._parts("DISK"))
        with self.step("detach image"):
            self.one("disk-detach", str(number))
            self.cloud.wait_vm(self.vm)
        self.cloud.wait_image(image)
        assert self._content(image).startswith("kept\n")

    def snapshots_live(self) -> None:
        """Snapshots of the disk while the guest writes it."""
        with self.step("disk snapshot, live"):
            self._snapshot()
        self.shell.sh("echo noon > /data/day; sync")
        self._snapshot()
        self.shell.sh("echo evening > /data/day; sync")
        self.one("poweroff")
        self.cloud.wait_vm(self.vm, 8, 0)
        self._back()

    def snapshots_off(self) -> None:
        """Snapshots of the disk of a machine that is off."""
        self.one("poweroff")
        self.cloud.wait_vm(self.vm, 8, 0)
        with self.step("disk snapshot"):
            self._snapshot(8, 0)
        self._boot()
        self.shell.sh("echo evening > /data/day; sync")
        self.one("poweroff")
        self.cloud.wait_vm(self.vm, 8, 0)
        self._snapshot(8, 0)
        self._back()

    def save_as(self) -> int:
        """The disk of the running machine as a new image, with what the guest has written."""
        with self.step("save as, live"):
            image = self.cloud.create("onevm", "disk-saveas", str(self.vm), "0", f"saved-{self.pair.driver}")
            self.cloud.wait_image(image)
            self.cloud.wait_vm(self.vm)
        assert self._content(image, "day") == "morning\n"
        return image

    def resize(self) -> None:
        """The disk while the machine runs."""
        with self.step("resize disk"):
            self.one("disk-resize", "0", "32")
            self.cloud.wait_vm(self.vm)
        wait("a larger disk", lambda: self.shell.sh("cat /sys/block/vda/size") == str(32 << 11), 20)

    def terminate(self) -> None:
        """It goes, and leaves nothing: where the nodes have other disks, and where they share them."""
        super().terminate()
        folder = f"{self.cloud.datastores_path}/{self.pair.system}"
        assert self.cloud.container.exec("find", folder, "-mindepth", "1").split() == []

    # -- looking -------------------------------------------------------------------------------------------
    @property
    def _form(self) -> str:
        return "qcow2" if self.pair.driver == "qcow2" else "raw"

    def _snapshot(self, state: int = 3, lcm_state: int = 3) -> None:
        self.one("disk-snapshot-create", "0", "disk")
        self.cloud.wait_vm(self.vm, state, lcm_state)

    def _back(self) -> None:
        """Of two snapshots to the first, and the second goes; the disk is what it was in the morning."""
        with self.step("disk revert"):
            self.one("disk-snapshot-revert", "0", "0")
            self.cloud.wait_vm(self.vm, 8, 0)
        self.one("disk-snapshot-delete", "0", "1")
        self.cloud.wait_vm(self.vm, 8, 0)
        self._boot()
        assert self.shell.sh("cat /data/day") == "morning"

    def _content(self, image: int, file: str = "") -> str:
        """What begins an image, or a file of its file system; read at the front-end."""
        found = self.cloud.show("image", image)
        source, form = found.findtext("SOURCE") or "", found.findtext("FORMAT") or "raw"
        copy = "/tmp/content"
        look = ["debugfs", "-R", f"cat /{file}", copy] if file else ["head", "-c", "64", copy]
        run = self.cloud.container.exec
        run("qemu-img", "convert", "-f", form, "-O", "raw", source, copy, user="oneadmin")
        try:
            return run(*look)
        finally:
            run("rm", "-f", copy)
