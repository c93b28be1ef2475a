"""Methods that list monitoring samples of hosts and virtual machines."""

from __future__ import annotations

import time

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.pool import PoolDocument
from services.oned.api.registry import Check, method
from services.oned.auth import access
from services.oned.auth.rights import Right
from services.oned.model.base import PoolObject
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import monitoring
from services.oned.store.pools import Where

_ROOT = "MONITORING_DATA"
_ALL_SAMPLES, _LATEST_SAMPLE = -1, 0


@method("one.host.monitoring", "host_id:i", Check(Host, Right.USE, "host_id"), writes=False)
def of_host(call: Call, host_id: int) -> PoolDocument:
    """Every monitoring sample of a host, oldest first."""
    return _of_one(call, Host, host_id)


@method("one.hostpool.monitoring", "seconds:i=-1", writes=False)
def of_hosts(call: Call, seconds: int) -> PoolDocument:
    """The monitoring samples of all hosts: every one (-1), the newest (0) or those of the last seconds."""
    return _of_many(call, Host, common.ALL_VISIBLE, seconds)


@method("one.vm.monitoring", "vm_id:i", Check(VM, Right.USE, "vm_id"), writes=False)
def of_vm(call: Call, vm_id: int) -> PoolDocument:
    """Every monitoring sample of a VM, oldest first."""
    return _of_one(call, VM, vm_id)


@method("one.vmpool.monitoring", "filter_flag:i seconds:i=-1", writes=False)
def of_vms(call: Call, filter_flag: int, seconds: int) -> PoolDocument:
    """The monitoring samples of VMs: every one (-1), the newest (0) or those of the last seconds."""
    return _of_many(call, VM, filter_flag, seconds)


def _of_one(call: Call, model: type[PoolObject], oid: int) -> PoolDocument:
    return PoolDocument(_ROOT, monitoring.samples(call.tx, model.KIND, Where("oid = ?", (oid,))))


def _of_many(call: Call, model: type[PoolObject], filter_flag: int, seconds: int) -> PoolDocument:
    objects = access.visible(call.tx, call.caller, model, filter_flag)
    after_s = None if seconds == _ALL_SAMPLES else int(time.time()) - seconds
    found = monitoring.samples(
        call.tx, model.KIND, objects, after_s=after_s, latest_only=seconds == _LATEST_SAMPLE
    )
    return PoolDocument(_ROOT, found)
