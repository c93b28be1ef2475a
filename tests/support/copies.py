"""Many VMs or hosts without the time that creating them takes: copies of one, put into the database."""

from __future__ import annotations

from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Store, Tx, pools

_BATCH = 500


def copy_vm(store: Store, vm_id: int, end: int) -> None:
    """Give every id between that of the VM and ``end`` to a copy of it. Nothing else counts the copies."""
    with store.read() as tx:
        vm = VM.load(tx, vm_id)
    for first in range(vm_id + 1, end, _BATCH):

        def insert(tx: Tx, first: int = first) -> None:
            for vm.oid in range(first, min(first + _BATCH, end)):
                pools.insert(tx, VM.TABLE, {"oid": vm.oid, **vm.columns()})
            tx.run("UPDATE pool_control SET last_oid = ? WHERE tablename = ?", vm.oid, VM.TABLE)

        store.run(insert)


def copy_host(store: Store, host_id: int, end: int) -> None:
    """Give every id between that of the host and ``end`` to a copy of it, with a number in its name."""

    def insert(tx: Tx) -> None:
        host = Host.load(tx, host_id)
        name = host.name
        for host.oid in range(host_id + 1, end):
            host.name = f"{name}-{host.oid}"
            pools.insert(tx, Host.TABLE, {"oid": host.oid, **host.columns()})
        tx.run("UPDATE pool_control SET last_oid = ? WHERE tablename = ?", host.oid, Host.TABLE)

    store.run(insert)
