"""Scheduled actions with real processes: each is run exactly once, whatever is killed meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from services.common.oca import Client
from tests.support import crash
from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(240)
ENGINE = "opennebula-engine"
RUNNING, POWEROFF = ("3", "3"), ("8", "0")


class Machines:
    """VMs on two dummy hosts."""

    def __init__(self, frontend: Frontend, prefix: str) -> None:
        self.frontend = frontend
        self.client: Client = frontend.client()
        self.hosts, self._template = crash.prepare(self.client, prefix)
        self.ids: list[int] = []

    def running(self, count: int) -> list[int]:
        """New VMs that run."""
        made = [
            self.client.call("template.instantiate", self._template, "", False, "", False)
            for _ in range(count)
        ]
        self.ids += made
        crash.wait(lambda: all(self.state(vm_id) == RUNNING for vm_id in made), "RUNNING")
        return made

    def document(self, vm_id: int) -> Element:
        """The VM's document."""
        return ElementTree.fromstring(self.client.call("vm.info", vm_id, False))

    def state(self, vm_id: int) -> tuple[str, str]:
        """STATE and LCM_STATE."""
        found = self.document(vm_id)
        return found.findtext("STATE", ""), found.findtext("LCM_STATE", "")

    def schedule(self, vm_id: int, name: str, when: int, more: str = "") -> None:
        """Add a scheduled action."""
        text = f'SCHED_ACTION=[ID=0,ACTION="{name}",TIME="{when}"{more}]'
        self.client.call("vm.update", vm_id, text, 1)

    def action(self, vm_id: int, part: str) -> str | None:
        """A part of the VM's scheduled action."""
        return self.document(vm_id).findtext(f"USER_TEMPLATE/SCHED_ACTION/{part}")

    def count(self, vm_id: int, action: str) -> int:
        """How many history records say that an action was asked for."""
        return sum(
            text.text == action for text in self.document(vm_id).findall("HISTORY_RECORDS/HISTORY/ACTION")
        )

    def end(self) -> None:
        """Terminate the VMs and check that nothing contradicts."""
        crash.end_all(self.client, self.ids, self.hosts)
        checked = self.frontend.run("onedb", "fsck")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        for host in self.hosts:
            self.client.call("host.delete", host)


@pytest.fixture
def machines(frontend: Frontend, request: pytest.FixtureRequest) -> Iterator[Machines]:
    made = Machines(frontend, request.node.originalname.replace("_", "-")[:20])
    yield made
    made.end()


def now() -> int:
    return int(time.time())


def test_an_action_is_run_when_it_is_due(machines: Machines) -> None:
    (vm_id,) = machines.running(1)
    when = now() + 2
    machines.schedule(vm_id, "poweroff", when)
    crash.wait(lambda: machines.state(vm_id) == POWEROFF, "POWEROFF", 15)
    assert when <= int(machines.action(vm_id, "DONE") or 0) <= when + 5
    assert machines.count(vm_id, "19") == 1
    shown = machines.frontend.run("onevm", "show", str(vm_id)).stdout
    assert "SCHEDULED ACTIONS" in shown and "poweroff" in shown


def test_what_became_due_while_no_engine_ran_is_run_once(machines: Machines) -> None:
    once, repeated, waits = machines.running(3)
    machines.frontend.kill(ENGINE)
    when = now() + 1
    machines.schedule(once, "poweroff", when)
    # Three hours were missed.
    machines.schedule(repeated, "snapshot-create", when - 3 * 3600, ",ARGS=x,REPEAT=3,DAYS=1,END_TYPE=0")
    machines.schedule(waits, "poweroff", now() + 5000)
    time.sleep(2.5)
    assert all(machines.state(vm_id) == RUNNING for vm_id in machines.ids)
    machines.frontend.spawn(ENGINE)
    crash.wait(lambda: machines.state(once) == POWEROFF, "POWEROFF", 20)
    crash.wait(lambda: machines.action(repeated, "DONE") is not None, "the snapshot is asked for", 10)
    crash.wait(lambda: machines.state(repeated) == RUNNING, "RUNNING", 10)
    time.sleep(2)
    assert machines.count(once, "19") == 1
    assert len(machines.document(repeated).findall("TEMPLATE/SNAPSHOT")) == 1
    assert int(machines.action(repeated, "TIME") or 0) > now()
    assert (machines.state(waits), machines.action(waits, "DONE")) == (RUNNING, None)


def test_each_is_run_once_however_often_the_engine_is_killed(machines: Machines) -> None:
    ids = machines.running(30)
    when = now() + 2
    for number, vm_id in enumerate(ids):
        machines.schedule(vm_id, "snapshot-create", when + number % 6, ",ARGS=nightly")
    time.sleep(max(0.0, when - time.time()))
    for pause_s in (0.4, 0.9, 1.4, 1.1, 1.7):
        time.sleep(pause_s)
        machines.frontend.kill(ENGINE)
        machines.frontend.spawn(ENGINE)
    crash.wait(lambda: all(machines.action(vm_id, "DONE") for vm_id in ids), "every action is done", 60)
    crash.wait(lambda: all(machines.state(vm_id) == RUNNING for vm_id in ids), "RUNNING", 60)
    snapshots = [
        [name.text for name in machines.document(vm_id).findall("TEMPLATE/SNAPSHOT/NAME")] for vm_id in ids
    ]
    assert snapshots == [["nightly"]] * len(ids)


def test_a_refused_action_waits_for_its_moment(machines: Machines) -> None:
    (vm_id,) = machines.running(1)
    machines.client.call("vm.action", "poweroff", vm_id)
    crash.wait(lambda: machines.state(vm_id) == POWEROFF, "POWEROFF", 15)
    machines.schedule(vm_id, "reboot", now() - 5)
    crash.wait(lambda: machines.action(vm_id, "MESSAGE") is not None, "the refusal is noted", 10)
    assert "[one.vm.action]" in (machines.action(vm_id, "MESSAGE") or "")
    assert "refused 1 times" in machines.client.call("vm.waiting", vm_id)
    machines.client.call("vm.action", "resume", vm_id)
    crash.wait(lambda: machines.action(vm_id, "DONE") is not None, "the reboot", 15)
    assert machines.action(vm_id, "MESSAGE") is None
