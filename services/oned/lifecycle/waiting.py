"""What a VM waits for, since when, and what an operator can do about it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from services.oned.lifecycle.numbers import is_yes, whole
from services.oned.lifecycle.states import VmState
from services.oned.lifecycle.transitions import STABLE, TABLE
from services.oned.model.host import Host
from services.oned.model.image import Image
from services.oned.model.sched_action import ATTRIBUTE
from services.oned.model.vm import VM
from services.oned.store import Tx, due, events, leases, pools, work
from services.oned.store.work import Work

_ENGINE = "engine"  # the lease of the program that does driver work
_START_ENGINE = "start the program opennebula-engine; its log, engine.log, says why it ended"
_NOTHING = "nothing, it goes on by itself"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a VM does not go on. ``since_s`` and ``deadline_s`` are epoch seconds; the latter is 0 without work
    that runs, as ``attempt`` is without work. ``error``: what was said when something was refused or failed.
    """

    waits_for: str
    since_s: int
    next_step: str
    operation: str = ""
    host: str = ""
    attempt: int = 0
    deadline_s: int = 0
    error: str = ""


def explain(tx: Tx, vm: VM, now_s: int | None = None) -> Waiting | None:
    """What a VM waits for, or None when that is nothing."""
    now = int(time.time()) if now_s is None else now_s
    if vm.state == VmState.DONE:
        return None
    jobs = work.of(tx, VM.KIND, vm.oid)
    if any(not job.is_cancelled for job in jobs):
        return _of_work(tx, vm, jobs, now)
    condition = vm.condition
    since = _since(tx, vm)
    if condition.endswith("_FAILURE"):
        return Waiting(
            f"a decision: {condition.removesuffix('_FAILURE')} has failed",
            since,
            next_step(condition, vm.oid),
            error=vm.user_template.get("ERROR") or "",
        )
    if condition not in STABLE:
        return _of_images(tx, vm, since) or Waiting(
            "work that nobody does",
            since,
            f"{_START_ENGINE}; it ends this within a minute"
            if _is_idle(tx)
            else "nothing, it ends in a minute",
        )
    return _at_rest(tx, vm, since, now)


def next_step(condition: str, vm_id: int) -> str:
    """What can be done about a VM whose step has failed."""
    if condition == "CLONING_FAILURE":
        return f"repair the images of its disks (oneimage list), or end it: onevm terminate {vm_id}"
    words = {"recover_retry": "--retry", "recover_success": "--success", "recover_failure": "--failure"}
    ways = [
        word
        for event, word in words.items()
        if (condition, event) in TABLE and TABLE[condition, event].target != "="
    ]
    return f"remove the cause, then onevm recover {' or '.join([*ways, '--delete'])} {vm_id}"


# -- driver work -------------------------------------------------------------------------------------------
def _of_work(tx: Tx, vm: VM, jobs: list[Work], now: int) -> Waiting:
    first = jobs[0]
    found = Waiting(
        "", first.created_s, _NOTHING, first.operation, first.host, first.attempt, first.deadline_s
    )
    place = f" on host {first.host}" if first.host else ""
    if _is_idle(tx):
        text = f"the engine, which does not run, to do {first.operation}{place}"
        return replace(found, waits_for=text, next_step=_START_ENGINE)
    if first.is_cancelled:
        return replace(found, waits_for=f"{first.operation}{place}, which was cancelled, to end")
    if first.is_running:
        again = f" ({first.attempt} attempts: an engine ended meanwhile)" if first.attempt > 1 else ""
        return replace(
            found,
            waits_for=f"{first.operation} by driver {first.driver or '-'}{place}{again}",
            next_step=f"{_NOTHING}; at its deadline it counts as failed, "
            f"before that onevm recover --failure {vm.oid} makes it fail",
        )
    if first.not_before_s > now:
        moment = time.strftime("%H:%M:%S", time.localtime(first.not_before_s))
        return replace(found, waits_for=f"{moment}, when {first.operation}{place} is tried")
    running = work.crowd(tx, first)
    text = f"its turn for {first.operation}{place}: {running.of_driver} of driver {first.driver or '-'} run"
    return replace(found, waits_for=f"{text}, {running.on_host} of them there" if first.host else text)


def _is_idle(tx: Tx) -> bool:
    """Whether no engine runs."""
    lease = leases.find(tx, _ENGINE)
    return lease is None or lease.expires_in_s <= 0


def _of_images(tx: Tx, vm: VM, since: int) -> Waiting | None:
    """The images that a VM waits for, if that is so."""
    names = []
    for disk in vm.disks():
        saved = whole(disk.get("HOTPLUG_SAVE_AS"))
        wanted = whole(disk.get("IMAGE_ID")) if is_yes(disk.get("CLONING")) else saved
        body = pools.body(tx, Image.TABLE, wanted) if wanted is not None else None
        if body is not None:
            names.append(f"{wanted} ({Image.from_xml(body).state.name})")
    if not names:
        return None
    return Waiting(
        f"images to be made: {', '.join(names)}", since, f"{_NOTHING}; oneimage show says how it is"
    )


# -- at rest -----------------------------------------------------------------------------------------------
def _at_rest(tx: Tx, vm: VM, since: int, now: int) -> Waiting | None:
    condition = vm.condition
    message = vm.user_template.get("SCHED_MESSAGE") or ""
    if condition == "PENDING":
        text = f"make room or change what it asks for, or place it: onevm deploy {vm.oid} HOST"
        return Waiting(
            "a host", since, text if message else f"{_NOTHING} while a scheduler runs", error=message
        )
    if condition == "HOLD":
        return Waiting("its release", since, f"onevm release {vm.oid}")
    if condition == "UNKNOWN":
        return _of_host(tx, vm, since)
    if vm.resched:
        text = f"{_NOTHING}; onevm unresched {vm.oid} takes the wish back"
        return Waiting("another host", since, text, error=message)
    return _of_actions(tx, vm, now)


def _of_host(tx: Tx, vm: VM, since: int) -> Waiting:
    record = vm.history
    body = pools.body(tx, Host.TABLE, record.hid) if record is not None else None
    host = Host.from_xml(body) if body is not None else None
    name, state = (host.name, host.state.name) if host is not None else ("-", "deleted")
    return Waiting(
        f"news of its machine on host {name}, which is {state}",
        since,
        f"bring the host back; if the machine is lost, onevm resume {vm.oid} starts it again",
        host=name,
        error=(host.template.get("ERROR") or "") if host is not None else "",
    )


def _of_actions(tx: Tx, vm: VM, now: int) -> Waiting | None:
    """The first scheduled action that was refused."""
    refused = next((row for row in due.of(tx, vm.oid) if row.tries and row.due_at <= now), None)
    actions = vm.user_template.vectors(ATTRIBUTE)
    if refused is None or refused.seq >= len(actions):
        return None
    action = actions[refused.seq]
    return Waiting(
        f"its scheduled action {action.get('ACTION', '')}, refused {refused.tries} times",
        refused.due_at,
        f"{_NOTHING} when the VM may do that; onevm update {vm.oid} changes the action",
        error=action.get("MESSAGE", ""),
    )


def _since(tx: Tx, vm: VM) -> int:
    """When the VM came to its state, as far as that is known."""
    changed = events.last_change(tx, VM.KIND, vm.oid)
    if changed is not None:
        return changed
    record = vm.history
    return max(vm.stime, *((record.stime, record.etime, record.retime, record.rstime) if record else (0,)))
