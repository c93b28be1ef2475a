"""Kills in the middle of every operation: what is killed × when, each followed by the way back.

A cell kills one thing while a VM passes through one state. Afterwards the VM has to rest in a state of the
life cycle, ``recover --retry`` and ``resume`` have to bring it back, a file that was written before has to
be there, one node alone may run it, and when it ends nothing may be left of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from subprocess import SubprocessError

from services.oned.lifecycle.states import LcmState, VmState
from tests.support.containers import EngineError
from tests.support.node.field import PROOF, Field, kill_front_end, revive
from tests.support.node.nodes import Node
from tests.support.node.operate import FAILED, Failed, wait

_ACTIVE = int(VmState.ACTIVE)
_PASSING = (VmState.ACTIVE, VmState.INIT, VmState.PENDING, VmState.CLONING)
_RESTS = frozenset(int(state) for state in VmState if state not in _PASSING)
_SETTLE_S, _RETURN_S = 420.0, 420.0
_CUT_S = 60.0
_RETRIES_MAX = 5


@dataclass(frozen=True)
class Step:
    """An operation on a VM that runs, and the state in which something is killed.

    words: of ``onevm``, with ``{vm}``, ``{target}`` (a host), ``{net}`` and ``{disk}`` (the last one);
    before: operations that lead up to it; sides: 2 when the node that it goes to may fail too;
    is_last: the VM is gone afterwards; leaves: it has something then that is in the next one's way.
    """

    name: str
    words: str
    state: LcmState
    before: tuple[str, ...] = ()
    stdin: str = ""
    sides: int = 1
    is_last: bool = False
    leaves: bool = False


_DISK = 'DISK=[TYPE="fs",FORMAT="raw",SIZE="8",DEV_PREFIX="vd"]\n'
_ATTACH_DISK, _ATTACH_NIC = "disk-attach {vm} --file /dev/stdin", "nic-attach {vm} --network {net}"
_SNAPSHOT, _OFF = "snapshot-create {vm} now", "poweroff {vm}"
_S = LcmState
STEPS = (
    Step("deploy, disks", "", _S.PROLOG),
    Step("deploy, start", "", _S.BOOT),
    Step("poweroff", "poweroff {vm}", _S.SHUTDOWN_POWEROFF),
    Step("resume", "resume {vm}", _S.BOOT_POWEROFF, (_OFF,)),
    Step("suspend", "suspend {vm}", _S.SAVE_SUSPEND),
    Step("resume suspended", "resume {vm}", _S.BOOT_SUSPENDED, ("suspend {vm}",)),
    Step("live migrate", "migrate --live {vm} {target}", _S.MIGRATE, sides=2),
    Step("cold migrate, save", "migrate {vm} {target}", _S.SAVE_MIGRATE),
    Step("cold migrate, disks", "migrate {vm} {target}", _S.PROLOG_MIGRATE, sides=2),
    Step("cold migrate, start", "migrate {vm} {target}", _S.BOOT_MIGRATE, sides=2),
    Step("attach disk", _ATTACH_DISK, _S.HOTPLUG, stdin=_DISK, leaves=True),
    Step("detach disk", "disk-detach {vm} {disk}", _S.HOTPLUG, (_ATTACH_DISK,), _DISK, leaves=True),
    Step("attach nic", _ATTACH_NIC, _S.HOTPLUG_NIC, leaves=True),
    Step("detach nic", "nic-detach {vm} 1", _S.HOTPLUG_NIC, (_ATTACH_NIC,), leaves=True),
    Step("snapshot", _SNAPSHOT, _S.HOTPLUG_SNAPSHOT, leaves=True),
    Step("revert", "snapshot-revert {vm} 0", _S.HOTPLUG_SNAPSHOT, (_SNAPSHOT,), leaves=True),
    Step("resize disk", "disk-resize {vm} 0 32", _S.DISK_RESIZE, leaves=True),
    Step("disk snapshot", "disk-snapshot-create {vm} 0 now", _S.DISK_SNAPSHOT_POWEROFF, (_OFF,), leaves=True),
    Step("save as", "disk-saveas {vm} 0 saved-{vm}", _S.HOTPLUG_SAVEAS_POWEROFF, (_OFF,), leaves=True),
    Step("undeploy, stop", "undeploy {vm}", _S.SHUTDOWN_UNDEPLOY),
    Step("undeploy, disks", "undeploy {vm}", _S.EPILOG_UNDEPLOY),
    Step("terminate, stop", "terminate {vm}", _S.SHUTDOWN, is_last=True),
    Step("terminate, disks", "terminate {vm}", _S.EPILOG, is_last=True),
)
VICTIMS = ("front-end", "machine", "sshd", "libvirtd", "network")


@dataclass
class Cell:
    """What came of one kill. states: those in which the VM rested on the way back, by name."""

    step: str
    victim: str
    states: list[str] = field(default_factory=list)
    retries: int = 0
    is_seen: bool = True
    seconds: float = 0.0
    finding: str = ""


def cells(steps: Sequence[str] = (), victims: Sequence[str] = ()) -> Iterator[tuple[Step, str, int]]:
    """Step, victim and the side that it is on (0 where the VM is, 1 where it goes), of those chosen."""
    for step in STEPS:
        if steps and not any(step.name.startswith(word) for word in steps):
            continue
        for victim in VICTIMS:
            if victims and victim not in victims:
                continue
            for side in range(step.sides if victim in ("sshd", "libvirtd", "network") else 1):
                yield step, victim, side


class Matrix:
    """Plays cells one after another, with one VM as long as it is good for it."""

    def __init__(self, field_: Field) -> None:
        self.field, self.cloud = field_, field_.cloud
        self.vm = -1

    def play(self, step: Step, victim: str, side: int = 0) -> Cell:
        """One cell; what does not hold is its ``finding``."""
        cell = Cell(step.name, victim + (" of the target" if side else ""))
        started = time.monotonic()
        try:
            self._play(step, victim, side, cell)
        except (AssertionError, RuntimeError, OSError, EngineError, SubprocessError) as error:
            cell.finding = str(error)[:4000] or "an assertion without words"
            self.vm = -1
        cell.seconds = round(time.monotonic() - started, 1)
        return cell

    def close(self) -> None:
        """End the last VM."""
        if self.vm >= 0:
            self.field.end(self.vm)
        self.vm = -1

    # -- a cell --------------------------------------------------------------------------------------
    def _play(self, step: Step, victim: str, side: int, cell: Cell) -> None:
        if not step.words:
            self.close()
            vm = self.field.make()
        else:
            vm = self.vm if self.vm >= 0 else self.field.started()
        self.vm = vm
        for words in step.before:
            self._one(words, step.stdin)
            self._rest(cell=None)
        source = self._host() if step.words else 0
        if step.words:
            self._one(step.words, step.stdin)
        cell.is_seen = self._meet(vm, step.state)
        node = self.field.nodes[source ^ side]
        self._kill(victim, node, vm, step.state)
        for host in self.field.hosts:
            self.cloud.wait_host(host, 2, _SETTLE_S)
        if step.is_last:
            self._ended(vm, cell)
            return
        self._back(vm, cell)
        if not step.words:
            self.cloud.shell(vm).sh(PROOF)
        if step.leaves:
            self.close()

    def _one(self, words: str, stdin: str) -> None:
        document = self.cloud.show("vm", self.vm)
        disk = max(int(found.text or 0) for found in document.findall("TEMPLATE/DISK/DISK_ID"))
        target = self.field.hosts[1 - self._host()] if "{target}" in words else -1
        line = words.format(vm=self.vm, target=target, net=self.field.network, disk=disk)
        self.cloud.one("onevm", *line.split(), stdin=stdin if "/dev/stdin" in line else None)

    def _host(self) -> int:
        """The index of the node that the VM is on, by its document."""
        records = self.cloud.show("vm", self.vm).findall("HISTORY_RECORDS/HISTORY/HID")
        return self.field.hosts.index(int(records[-1].text or -1)) if records else 0

    def _meet(self, vm: int, state: LcmState) -> bool:
        """Return once the VM passes through the state, or rests again: whether it was seen there."""
        deadline = time.monotonic() + _SETTLE_S
        was_away = False
        while time.monotonic() < deadline:
            found = self.field.state(vm)
            if found == (_ACTIVE, int(state)):
                return True
            if was_away and _rests(found):
                return False
            was_away = was_away or not _rests(found)
            time.sleep(0.002)
        raise Failed(f"vm {vm} was not seen in {state.name}; it is in {_name(self.field.state(vm))}")

    def _kill(self, victim: str, node: Node, vm: int, state: LcmState) -> None:
        """Kill it, and bring back what does not come back by itself."""
        if victim == "front-end":
            kill_front_end(self.cloud)
        elif victim == "machine":
            node.sh(f"pkill -KILL -f '[g]uest=one-{vm},' || true")
        elif victim == "network":
            address = node.address
            node.cut()
            deadline = time.monotonic() + _CUT_S
            while self.field.state(vm) == (_ACTIVE, int(state)) and time.monotonic() < deadline:
                time.sleep(0.1)
            node.mend(address)
        else:
            node.stop_process(victim)
            revive(node, victim)

    # -- the way back --------------------------------------------------------------------------------
    def _rest(self, cell: Cell | None) -> tuple[int, int]:
        """The state in which the VM rests; noted in the cell."""
        found = wait(
            f"vm {self.vm} rests",
            lambda: self._supervised() and _rests(state := self.field.state(self.vm)) and state,
            _SETTLE_S,
            lambda: self._said(self.vm),
        )
        if cell is not None and cell.states[-1:] != [_name(found)]:
            cell.states.append(_name(found))
        return found[0], found[1]

    def _supervised(self) -> bool:
        """Start programs that ended by themselves, as Supervisor would: an engine that was held up does."""
        for name, process in list(self.cloud.processes.items()):
            if process.poll() is not None:
                self.cloud.start(name)
        return True

    def _back(self, vm: int, cell: Cell) -> None:
        """Retry and resume until the guest answers; its file is there, and one node alone runs it."""
        deadline = time.monotonic() + _RETURN_S
        shell = self.cloud.shell(vm)
        while True:
            state = self._rest(cell)
            if state == (_ACTIVE, int(LcmState.RUNNING)):
                if shell.pings():
                    break
            elif state[1] in FAILED:
                assert cell.retries < _RETRIES_MAX, f"{cell.states}: no retry helps\n{self._said(vm)}"
                cell.retries += 1
                self.cloud.one("onevm", "recover", "--retry", str(vm))
            else:
                self.cloud.one("onevm", "resume", str(vm))
            if time.monotonic() > deadline:
                raise Failed(f"vm {vm} does not answer: {cell.states}\n{self._said(vm)}")
            time.sleep(0.2)
        if cell.step.startswith("deploy"):
            assert shell.sh("test -e /data/proof || echo none") == "none"
        else:
            assert shell.sh("cat /data/proof") == "proof"
        running = [f"one-{vm}" in node.sh("virsh -q list --name").split() for node in self.field.nodes]
        assert running == [index == self._host() for index in range(len(running))], (running, self._host())

    def _said(self, vm: int) -> str:
        return f"is in {_name(self.field.state(vm))}\n{self.cloud.vm_log(vm)}\n{self.cloud.tails()}"

    def _ended(self, vm: int, cell: Cell) -> None:
        """It is gone, or can be ended now; nothing is left of it."""
        for _ in range(_RETRIES_MAX):
            state = self._rest(cell)
            if state[0] == int(VmState.DONE):
                break
            cell.retries += 1
            if state[1] in FAILED:
                self.cloud.one("onevm", "recover", "--retry", str(vm))
            else:
                # The guest was not reached by the first one.
                self.cloud.one("onevm", "terminate", "--hard", str(vm))
        assert self.field.state(vm)[0] == int(VmState.DONE), f"{cell.states}\n{self.cloud.vm_log(vm)}"
        self.vm = -1
        self.field.check_gone(vm)


def _rests(found: tuple[int, int]) -> bool:
    """Whether nothing moves on from there by itself; an UNKNOWN machine is looked for."""
    state, lcm_state = found
    return state in _RESTS or (state == _ACTIVE and lcm_state in {int(LcmState.RUNNING), *FAILED})


def _name(found: tuple[int, int]) -> str:
    return LcmState(found[1]).name if found[0] == _ACTIVE else VmState(found[0]).name


def play_all(
    field_: Field, steps: Sequence[str], victims: Sequence[str], say: Callable[[str], None]
) -> list[Cell]:
    """Every chosen cell, in order."""
    matrix, played = Matrix(field_), []
    for step, victim, side in cells(steps, victims):
        cell = matrix.play(step, victim, side)
        played.append(cell)
        way = " → ".join(cell.states) + ("" if cell.is_seen else " (passed unseen)")
        fault = f": {cell.finding[:300]}" if cell.finding else ""
        say(f"{cell.step} / {cell.victim}: {way}, {cell.retries} retries, {cell.seconds} s{fault}")
    matrix.close()
    return played
