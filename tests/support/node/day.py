"""A machine's whole day, as an operator lives it; each step proves itself by what the guest answers.

Used with every kind of front-end. ``Day.seconds`` has the time of each step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.node.nodes import Node
from tests.support.node.operate import GuestShell, Operator, wait


class Day:
    """One VM on two nodes (host ids by node)."""

    def __init__(
        self, cloud: Operator, hosts: dict[int, Node], images: tuple[int, int, int], network: int
    ) -> None:
        self.cloud, self.hosts, self.images, self.network = cloud, hosts, images, network
        self.seconds: dict[str, float] = {}
        self.vm = -1
        self.mounted: tuple[int, ...] = ()  # datastores that are not of the nodes alone

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note how long a step takes."""
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)

    # -- looking -------------------------------------------------------------------------------------
    @property
    def shell(self) -> GuestShell:
        """The guest."""
        return self.cloud.shell(self.vm)

    def host(self) -> int:
        """The host that the VM is on, by its document."""
        return int(self.cloud.show("vm", self.vm).findall("HISTORY_RECORDS/HISTORY/HID")[-1].text or -1)

    def boots(self) -> str:
        """Something that is another one after each boot of the guest."""
        return self.shell.sh("cat /proc/sys/kernel/random/boot_id")

    def check_place(self) -> None:
        """The machine runs where the document says, and nowhere else."""
        for host, node in self.hosts.items():
            running = node.exec("virsh", "-q", "list", "--name").split()
            assert (f"one-{self.vm}" in running) is (host == self.host()), (host, running)

    # -- acting --------------------------------------------------------------------------------------
    def one(self, *words: str) -> None:
        """Run ``onevm WORD VM …``."""
        self.cloud.one("onevm", words[0], str(self.vm), *words[1:])

    def create(self, **more: str) -> None:
        """From the template to a ping, with the steps of it that can be seen."""
        template = self.cloud.guest_template(self.images, self.network, **more)
        with self.step("instantiate to ping"):
            self.vm = self.cloud.create("onevm", "create", "/dev/stdin", stdin=template)
            with self.step("instantiate to running"):
                self.cloud.wait_vm(self.vm)
            self.shell.wait_ping()
        assert self.shell.sh("hostname") == "guest"
        self.shell.sh("echo morning > /data/day; sync")
        self.check_place()

    def whole(self) -> int:
        """Every step, from nothing to nothing; the image that was saved of the disk."""
        self.create()
        self.poweroff_resume()
        self.suspend_resume()
        self.migrate(live=True)
        self.disk()
        self.nic()
        self.migrate(live=False)
        self.snapshot()
        self.note_memory()
        self.resize()
        saved = self.save_as()
        self.disk_snapshot()
        self.migrate(live=True)
        self.terminate()
        return saved

    def poweroff_resume(self) -> None:
        """The guest is asked to stop, and boots again from the same disk."""
        before = self.boots()
        with self.step("poweroff"):
            self.one("poweroff")
            self.cloud.wait_vm(self.vm, 8, 0)
        with self.step("resume to ping"):
            self.one("resume")
            self.cloud.wait_vm(self.vm)
            self.shell.wait_ping()
        assert self.shell.sh("cat /data/day") == "morning"
        assert self.boots() != before

    def suspend_resume(self) -> None:
        """The memory goes to a file and comes back: a variable of a running shell is still there."""
        before = self.boots()
        with self.step("suspend"):
            self.one("suspend")
            self.cloud.wait_vm(self.vm, 5, 0)
        with self.step("resume of suspended"):
            self.one("resume")
            self.cloud.wait_vm(self.vm)
            self.shell.wait_ping()
        assert self.boots() == before

    def migrate(self, *, live: bool) -> None:
        """To the other node; a live machine never stops."""
        before = self.boots()
        target = next(host for host in self.hosts if host != self.host())
        name = "live migrate" if live else "cold migrate"
        with self.step(name):
            self.one("migrate", *(["--live"] if live else []), str(target))
            wait(name, lambda: self.host() == target)
            self.cloud.wait_vm(self.vm)
            self.shell.wait_ping()
        # Cold: the memory goes with it, as a checkpoint.
        assert self.boots() == before
        assert self.shell.sh("cat /data/day") == "morning"
        self.shell.sh(f"echo {target} > /data/host; sync")
        self.check_place()

    def disk(self) -> None:
        """A disk comes and goes while the guest runs."""
        disks = "ls /sys/block | grep -c '^vd' || true"
        before = int(self.shell.sh(disks))
        with self.step("attach disk"):
            self.cloud.one("onevm", "disk-attach", str(self.vm), "--file", "/dev/stdin",
                           stdin='DISK=[TYPE="fs",FORMAT="raw",SIZE="8",DEV_PREFIX="vd"]\n')  # fmt: skip
            self.cloud.wait_vm(self.vm)
            wait("the guest sees the disk", lambda: int(self.shell.sh(disks)) == before + 1, 20)
        number = max(int(d.findtext("DISK_ID") or 0) for d in self._parts("DISK"))
        with self.step("detach disk"):
            self.one("disk-detach", str(number))
            self.cloud.wait_vm(self.vm)
            wait("the disk is gone", lambda: int(self.shell.sh(disks)) == before, 20)

    def nic(self) -> None:
        """An interface comes, answers at its own address, and goes."""
        with self.step("attach nic"):
            self.one("nic-attach", "--network", str(self.network))
            self.cloud.wait_vm(self.vm)
        number = max(int(nic.findtext("NIC_ID") or 0) for nic in self._parts("NIC"))
        self.cloud.shell(self.vm, number).wait_ping(30)
        with self.step("detach nic"):
            self.one("nic-detach", str(number))
            self.cloud.wait_vm(self.vm)
        wait("one interface", lambda: self.shell.sh("ls /sys/class/net | grep -c eth") == "1", 20)

    def snapshot(self) -> None:
        """A snapshot of the machine, and back to it: what was written since is gone."""
        with self.step("snapshot"):
            self.one("snapshot-create", "before")
            self.cloud.wait_vm(self.vm)
        self.shell.sh("echo evening > /data/day; sync")
        with self.step("revert"):
            self.one("snapshot-revert", "0")
            self.cloud.wait_vm(self.vm)
        assert self.shell.sh("cat /data/day") == "morning"
        self.one("snapshot-delete", "0")
        self.cloud.wait_vm(self.vm)

    def disk_snapshot(self) -> None:
        """A snapshot of the disk while the machine is off, and back to it."""
        self.one("poweroff")
        self.cloud.wait_vm(self.vm, 8, 0)
        with self.step("disk snapshot"):
            self.one("disk-snapshot-create", "0", "disk")
            self.cloud.wait_vm(self.vm, 8, 0)
        self._boot()
        self.shell.sh("echo evening > /data/day; sync")
        self.one("poweroff")
        self.cloud.wait_vm(self.vm, 8, 0)
        with self.step("disk revert"):
            self.one("disk-snapshot-revert", "0", "0")
            self.cloud.wait_vm(self.vm, 8, 0)
        self._boot()
        assert self.shell.sh("cat /data/day") == "morning"

    def resize(self) -> None:
        """More memory while it is off, a larger disk while it runs."""
        self.one("poweroff")
        self.cloud.wait_vm(self.vm, 8, 0)
        with self.step("resize"):
            self.one("resize", "--memory", "160")
            self.cloud.wait_vm(self.vm, 8, 0)
        before = int(self._memory_kb)
        self._boot()
        assert int(self.shell.sh("grep MemTotal /proc/meminfo").split()[1]) > before + 16 * 1024
        with self.step("resize disk"):
            self.one("disk-resize", "0", "32")
            self.cloud.wait_vm(self.vm)
        wait("a larger disk", lambda: self.shell.sh("cat /sys/block/vda/size") == str(32 << 11), 20)

    _memory_kb = 0

    def note_memory(self) -> None:
        """What the guest has, to be compared after ``resize``."""
        self._memory_kb = int(self.shell.sh("grep MemTotal /proc/meminfo").split()[1])

    def save_as(self) -> int:
        """The disk as a new image, of a machine that is off; its id."""
        self.one("poweroff")
        self.cloud.wait_vm(self.vm, 8, 0)
        with self.step("save as"):
            image = self.cloud.create("onevm", "disk-saveas", str(self.vm), "0", "saved")
            self.cloud.wait_image(image)
            self.cloud.wait_vm(self.vm, 8, 0)
        self._boot()
        return image

    def terminate(self) -> None:
        """It goes, and leaves nothing on any node."""
        with self.step("terminate"):
            self.one("terminate")
            self.cloud.wait_vm(self.vm, 6)
        for node in self.hosts.values():
            assert_clean(node, self.cloud.datastores_path, self.mounted)

    def _boot(self) -> None:
        self.one("resume")
        self.cloud.wait_vm(self.vm)
        self.shell.wait_ping()

    def _parts(self, name: str) -> list:  # type: ignore[type-arg]
        return self.cloud.show("vm", self.vm).findall(f"TEMPLATE/{name}")


def assert_clean(node: Node, datastores: str, mounted: Sequence[int] = ()) -> None:
    """Nothing of any machine is on a node: domains, interfaces, rules, files of system datastores.

    mounted: datastores that hold more than what is of this node.
    """
    assert node.domains() == []
    assert node.taps() == []
    assert node.rules() == []
    left = [
        name
        for name in node.files(datastores)
        if name.count("/") > 0
        and not name.endswith(".monitor")
        and name.partition("/")[0] not in map(str, mounted)
    ]
    assert left == []
