"""Space that was promised is not promised again before it was measured."""

from __future__ import annotations

from services.scheduler.plan import Dispatch, plan
from services.scheduler.promises import LONGEST_S, Promises
from services.scheduler.records import AutoNic, Snapshot

from .clouds import cloud, conf, hosts, networks, stores, vm

DISPATCH = Dispatch(
    9, 0, 0, 100, 1024, 0.0, 1, networks=((0, 0),), disk_mb=600, image_mb=((1, 70),)
)  # fmt: skip


def read(free: int = 1000, shared: str = "YES", local: int = 1000) -> Snapshot:
    """What the front-end says: free space of the datastore, and of the host where it is not shared."""
    found = stores({"total": 9999, "free": free, "shared": shared}, {"type": 0, "total": 100, "free": 100})
    host = hosts({"datastores": f"<DS><ID>0</ID><FREE_MB>{local}</FREE_MB></DS>"})
    return cloud([vm(1, disk_mb=500, nics=(AutoNic(0),))], host, found, networks({"size": 1}))


def left(promises: Promises, found: Snapshot, now: float = 0.0) -> tuple[int | None, int | None]:
    promises.count(found, {}, now)
    return found.datastores[0].free_mb, found.datastores[1].free_mb


def test_until_the_next_measurement() -> None:
    promises = Promises()
    promises.add(DISPATCH, 0.0)
    assert left(promises, read(1000)) == (400, 30)
    assert left(promises, read(1000)) == (400, 30)
    assert left(promises, read(500)) == (500, 30), "the system datastore was measured, the other was not"
    assert left(promises, read(1000)) == (1000, 30)
    assert left(promises, read(1000), LONGEST_S) == (1000, 100)


def test_on_a_host() -> None:
    promises = Promises()
    promises.add(DISPATCH, 0.0)
    found = read(shared="NO", local=700)
    promises.count(found, {}, 0.0)
    assert found.hosts[0].store_free_mb == {0: 100} and found.datastores[0].free_mb == 1000
    assert plan(found, conf(), 1).refusals[1].counts == {"disk": 1}


def test_deployments_under_way_count_with_their_leases() -> None:
    promises, found = Promises(), read()
    promises.count(found, {9: DISPATCH}, 0.0)
    assert found.datastores[0].free_mb == 400 and found.networks[0].free_leases == 0
    assert plan(found, conf(), 1).refusals[1].counts == {"network": 1}


def test_what_nobody_measures_stays_unknown() -> None:
    promises = Promises()
    promises.add(DISPATCH, 0.0)
    found = cloud([], hosts({}))
    promises.count(found, {}, 0.0)
    assert found.datastores[0].free_mb is None
