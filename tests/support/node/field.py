"""A front-end with two nodes on which things are killed, and what must hold of its machines afterwards."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from services.oned.lifecycle.states import LcmState, VmState
from tests.support.node.cloud import NodeCloud
from tests.support.node.nodes import Node
from tests.support.node.operate import DEADLINE_S, wait

PROOF = "echo proof > /data/proof; sync; cat /data/proof"
_ACTIVE, _DONE = int(VmState.ACTIVE), int(VmState.DONE)


@dataclass
class Field:
    """A cloud of two nodes, and what machines are made of."""

    cloud: NodeCloud
    nodes: tuple[Node, Node]
    hosts: tuple[int, int]
    images: tuple[int, int, int]
    network: int

    def make(self) -> int:
        """A new VM that may only run on the first node."""
        where = f'"ID={self.hosts[0]}"'
        text = self.cloud.guest_template(self.images, self.network, SCHED_REQUIREMENTS=where)
        return self.cloud.create("onevm", "create", "/dev/stdin", stdin=text)

    def started(self) -> int:
        """One that runs, with a file on its disk."""
        vm = self.make()
        self.cloud.wait_vm(vm)
        self.cloud.shell(vm).wait_ping()
        assert self.cloud.shell(vm).sh(PROOF) == "proof"
        return vm

    def still_there(self, vm: int) -> None:
        """It answers, and the file can be read."""
        self.cloud.shell(vm).wait_ping(said=lambda: f"{self.cloud.vm_log(vm)}\n{self.cloud.tails()}")
        assert self.cloud.shell(vm).sh("cat /data/proof") == "proof"

    def at(self, vm: int, lcm_state: LcmState) -> None:
        """Return while the VM is in that state of passage; the database is asked, for it is quick."""
        deadline = time.monotonic() + DEADLINE_S
        seen: list[tuple[int, int]] = []
        while time.monotonic() < deadline:
            found = self.state(vm)
            if found == (_ACTIVE, int(lcm_state)):
                return
            if not seen or seen[-1] != found:
                seen.append(found)
            time.sleep(0.002)
        raise AssertionError(f"vm {vm} was not seen in {lcm_state.name}, but in {seen}")

    def state(self, vm: int) -> tuple[int, int]:
        """STATE and LCM_STATE, as the database has them: a front-end that was killed cannot be asked."""
        with closing(sqlite3.connect(f"file:{self.cloud.folder}/var/one.db?mode=ro", uri=True)) as database:
            found = database.execute("SELECT state, lcm_state FROM vm_pool WHERE oid=?", (vm,)).fetchone()
        return found[0], found[1]

    def end(self, vm: int) -> None:
        """Terminate it: nothing of it is left on the nodes."""
        self.cloud.one("onevm", "terminate", "--hard", str(vm))
        self.cloud.wait_vm(vm, _DONE)
        self.check_gone(vm)

    def check_gone(self, vm: int) -> None:
        """Nothing of it is on the nodes: domain, files, interfaces, rules, process."""
        for node in self.nodes:
            assert f"one-{vm}" not in node.domains()
            left = [name for name in node.files(self.cloud.datastores) if f"{name}/".startswith(f"0/{vm}/")]
            assert left == []
            assert [tap for tap in node.taps() if tap.startswith(f"one-{vm}-")] == []
            assert [rule for rule in node.rules() if f"one-{vm}-" in rule] == []
            assert f"guest=one-{vm}," not in node.sh("ps -C qemu-system-x86_64 -o args= || true")


def kill_front_end(cloud: NodeCloud) -> None:
    """Kill every program of it at once, and start them again."""
    for name in cloud.processes:
        cloud.kill(name)
    cloud.start()


def revive(node: Node, service: str) -> None:
    """Start a service that was killed, as systemd would: again, should the old one still hold its port."""
    start = f"/usr/sbin/{service}{' -d' if service == 'libvirtd' else ''}"
    check = "virsh -c qemu:///system uri" if service == "libvirtd" else "true"

    def works() -> bool:
        node.sh(f"pgrep -x {service} >/dev/null || {start}")
        return node.ssh(check).returncode == 0

    wait(f"{service} on {node.name}", works)
