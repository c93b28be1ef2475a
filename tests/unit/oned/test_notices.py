"""Events for calls that change what can be placed where, although no state changes."""

from __future__ import annotations

import pytest

from services.oned.api import notices
from services.oned.api.registry import METHODS
from services.oned.store import events
from tests.support.core import Core, Refused


def changes(core: Core) -> list[tuple[str, int, str]]:
    """(object, id, method) of all CHANGE events."""
    found = core.store.read_value(lambda tx: events.after(tx, 0))
    return [(one.object, one.oid, one.payload["method"]) for one in found if one.kind == "CHANGE"]


def test_every_method_that_is_named_exists(core: Core) -> None:
    assert set(notices._METHODS) <= set(METHODS)


def test_calls_that_change_places_are_told_in_their_transaction(core: Core) -> None:
    core.call("acl.addrule", "200000001", "2100000000", "2")
    core.call("vdc.delgroup", 0, 1)
    core.call("cluster.update", 0, "RACK=1", 1)
    core.call("datastore.chmod", 0, -1, -1, -1, 1, -1, -1, -1, -1, -1)
    group = core.call("vmgroup.allocate", "NAME=g\nROLE=[NAME=a]")
    core.call("vmgroup.update", group, "X=1", 1)
    core.call("vmgroup.rename", group, "h")  # changes nothing for a plan
    methods = [method.removeprefix("one.") for _, _, method in changes(core)]
    assert methods == ["acl.addrule", "vdc.delgroup", "cluster.update", "datastore.chmod", "vmgroup.update"]
    assert ("VMGROUP", group, "one.vmgroup.update") in changes(core)


def test_a_refused_call_tells_nothing(core: Core) -> None:
    before = changes(core)
    for method, args in (
        ("cluster.update", (99, "X=1", 1)),
        ("acl.delrule", (999,)),
        ("vdc.delgroup", (0, 99)),
    ):
        with pytest.raises(Refused):
            core.call(method, *args)
    assert changes(core) == before


def test_updates_of_a_vm_that_waits_are_told_but_not_the_schedulers_message(core: Core) -> None:
    vm_id = core.call("vm.allocate", "CPU=1\nMEMORY=64", False)
    core.call("vm.update", vm_id, 'SCHED_MESSAGE="Sat: waits"', 1)
    assert changes(core) == []
    core.call("vm.update", vm_id, 'SCHED_REQUIREMENTS="RACK = 1"', 1)
    core.call("vm.update", vm_id, 'SCHED_MESSAGE=""\nSCHED_RANK="RACK"', 0)
    assert changes(core) == [("VM", vm_id, "one.vm.update")] * 2
    core.call("vm.action", "hold", vm_id)
    core.call("vm.update", vm_id, 'SCHED_RANK="- RACK"', 1)
    assert len(changes(core)) == 2, "it does not wait for a place"
