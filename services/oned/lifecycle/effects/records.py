"""Effects on history records: opened, closed and followed as OpenNebula does, with their copies of the VM.

The copy in a record is the VM at the moment that the effect runs: a row says with ``enter`` whether that is
before or after the change of state. Source: documents of real databases of release 6.0.
"""

from __future__ import annotations

from services.oned.lifecycle.actions import LEFT_HOST, HistoryAction
from services.oned.lifecycle.effects.base import Firing, effect, now_s, previous, record
from services.oned.model.history import HistoryRecord
from services.oned.model.vm import VM
from services.oned.store import Tx

_PERIODS = (("pstime", "petime"), ("rstime", "retime"), ("estime", "eetime"))


# -- opening and closing -----------------------------------------------------------------------------------
@effect
def open_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """Start a record for the placement; one that work on an undeployed VM left open ends."""
    close_record(tx, vm, firing)
    if vm.history is not None:
        vm.history.store(tx)
    open_second_record(tx, vm, firing)


@effect
def open_second_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """Start a record for the placement beside the one of the present host: a migration has both open."""
    assert firing.placement is not None
    place = firing.placement
    old = vm.history
    firing.previous = old
    vm.history = HistoryRecord(
        vm.oid,
        old.seq + 1 if old else 0,
        place.hostname,
        place.host_id,
        place.cluster_id,
        place.vm_mad,
        place.tm_mad,
        place.ds_id,
        stime=now_s(),
        vm_xml=vm.to_xml(history=False),
    )


@effect
def end_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """End the record now, even one that had ended, with a copy of the VM as it is, which accounting reads."""
    if vm.history is None:
        return
    vm.history.etime = now_s()
    for began, ended in _PERIODS:
        if getattr(vm.history, began) and not getattr(vm.history, ended):
            setattr(vm.history, ended, vm.history.etime)
    vm.history.vm_xml = vm.to_xml(history=False)


@effect
def close_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """End the record unless it has ended: what comes after is no use of its host."""
    if vm.history is not None and vm.history.etime == 0:
        end_record(tx, vm, firing)


@effect
def end_previous(tx: Tx, vm: VM, firing: Firing) -> None:
    """End the record of the host that a migration leaves."""
    left = previous(tx, vm, firing)
    left.etime = left.retime = now_s()
    left.vm_xml = vm.to_xml(history=False)
    left.store(tx)


@effect
def follow_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """End the record and start another on the same host, which runs from now on: resuming does so."""
    old, now = record(vm), now_s()
    old.etime = now
    old.vm_xml = vm.to_xml(history=False)
    old.store(tx)
    _continue(vm, old.follow(now), now)


@effect
def work_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """Let a record of its own say what is done to a VM's devices: it ends, and another goes on like it."""
    old, now = record(vm), now_s()
    is_off = old.retime != 0
    if not is_off:
        old.retime = now
    old.etime = now
    old.vm_xml = vm.to_xml(history=False)
    before = old.action
    _write_action(old, firing.action, firing)
    old.store(tx)
    _continue(vm, old.follow(now), now)
    record(vm).action = before
    if is_off:
        record(vm).retime = now


@effect
def end_failed_move(tx: Tx, vm: VM, firing: Firing) -> None:
    """A migration did not begin: both records end, a third one goes on on the old host."""
    old, new, now = previous(tx, vm, firing), record(vm), now_s()
    copy = vm.to_xml(history=False)
    new.etime, new.vm_xml = now, copy
    new.store(tx)
    old.etime, old.retime, old.vm_xml = now, now, copy
    old.store(tx)
    _continue(vm, _after(new, old, now), now)


@effect
def turn_back_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """The disks stay on the old host: the record of the new one ends, another begins with a prolog."""
    old, new, now = previous(tx, vm, firing), record(vm), now_s()
    new.petime = new.etime = now
    new.vm_xml = vm.to_xml(history=False)
    new.store(tx)
    vm.history = _after(new, old, now)
    vm.history.pstime = now
    vm.history.vm_xml = vm.to_xml(history=False)


def _continue(vm: VM, following: HistoryRecord, now: int) -> None:
    following.rstime = now
    vm.history = following
    following.vm_xml = vm.to_xml(history=False)


def _after(newest: HistoryRecord, place: HistoryRecord, now: int) -> HistoryRecord:
    """A record behind the newest one, on the host of another."""
    made = place.follow(now)
    made.seq = newest.seq + 1
    return made


# -- periods -----------------------------------------------------------------------------------------------
@effect
def prolog_begins(tx: Tx, vm: VM, firing: Firing) -> None:
    record(vm).pstime = now_s()
    record(vm).petime = 0


@effect
def prolog_ends(tx: Tx, vm: VM, firing: Firing) -> None:
    record(vm).petime = now_s()


@effect
def running_begins(tx: Tx, vm: VM, firing: Firing) -> None:
    record(vm).rstime = now_s()
    record(vm).retime = 0


@effect
def running_ends(tx: Tx, vm: VM, firing: Firing) -> None:
    record(vm).retime = now_s()


@effect
def runs_on(tx: Tx, vm: VM, firing: Firing) -> None:
    """The machine runs: the record is open, whatever it said before, with a copy of the VM that runs."""
    record(vm).etime = record(vm).retime = 0
    forget_action(tx, vm, firing)
    record(vm).vm_xml = vm.to_xml(history=False)


@effect
def epilog_begins(tx: Tx, vm: VM, firing: Firing) -> None:
    record(vm).estime = now_s()
    record(vm).eetime = 0


@effect
def epilog_ends(tx: Tx, vm: VM, firing: Firing) -> None:
    record(vm).eetime = now_s()


# -- actions -----------------------------------------------------------------------------------------------
@effect
def note_action(tx: Tx, vm: VM, firing: Firing) -> None:
    """Note in the record what was asked, and by whom."""
    if vm.history is not None:
        _write_action(vm.history, firing.action, firing)


@effect
def note_on_previous(tx: Tx, vm: VM, firing: Firing) -> None:
    """Note in the record of the host that a migration leaves what was asked, and by whom."""
    left = previous(tx, vm, firing)
    _write_action(left, firing.action, firing)
    left.store(tx)


@effect
def note_migrate(tx: Tx, vm: VM, firing: Firing) -> None:
    """Migrating a VM that does not run is noted as a plain migration, whatever kind was asked for."""
    _write_action(record(vm), HistoryAction.MIGRATE, firing)


@effect
def note_migrate_on_previous(tx: Tx, vm: VM, firing: Firing) -> None:
    """As note_migrate, in the record of the host that is left."""
    left = previous(tx, vm, firing)
    _write_action(left, HistoryAction.MIGRATE, firing)
    left.store(tx)


@effect
def note_delete(tx: Tx, vm: VM, firing: Firing) -> None:
    """Terminating what has failed cleans up, and is noted as that."""
    _write_action(record(vm), HistoryAction.DELETE, firing)


@effect
def note_undeploy(tx: Tx, vm: VM, firing: Firing) -> None:
    """There is nothing to be hard with: noted as the plain action."""
    _write_action(record(vm), HistoryAction.UNDEPLOY, firing)


@effect
def note_terminate(tx: Tx, vm: VM, firing: Firing) -> None:
    """As note_action, but in the owner's name: OpenNebula writes terminations so."""
    _write_action(record(vm), firing.action, firing)
    record(vm).uid, record(vm).gid = vm.uid, vm.gid


@effect
def note_terminate_soft(tx: Tx, vm: VM, firing: Firing) -> None:
    """As note_terminate; nothing runs, so there is nothing to be hard with."""
    _write_action(record(vm), HistoryAction.TERMINATE, firing)
    record(vm).uid, record(vm).gid = vm.uid, vm.gid


@effect
def note_monitor(tx: Tx, vm: VM, firing: Firing) -> None:
    """The machine was found changed; nobody asked for it."""
    _write_action(record(vm), HistoryAction.MONITOR, Firing())


@effect
def forget_action(tx: Tx, vm: VM, firing: Firing) -> None:
    """What was asked did not happen, or is done: the record goes on as before."""
    _write_action(record(vm), HistoryAction.NONE, Firing())


@effect
def stopped_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """A record of a VM whose disks are on the front-end must say how it left its host."""
    if record(vm).action == HistoryAction.NONE:
        _write_action(record(vm), HistoryAction.STOP, Firing())


@effect
def undeployed_record(tx: Tx, vm: VM, firing: Firing) -> None:
    """A record of a VM whose disks are on the front-end must say how it left its host."""
    if record(vm).action not in LEFT_HOST:
        _write_action(record(vm), HistoryAction.UNDEPLOY, Firing())


def _write_action(target: HistoryRecord, action: HistoryAction, firing: Firing) -> None:
    target.action = int(action)
    target.uid, target.gid, target.request_id = firing.uid, firing.gid, firing.request_id
