"""Leases: one holder at a time, fencing, dead holders; on SQLite and MariaDB."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from services.oned.engine import holder
from services.oned.store import Store, leases
from services.oned.store.leases import LeaseLost


def acquire(store: Store, who: str, ttl_s: float = 60, dead: str = "") -> int | None:
    return store.run(lambda tx: leases.acquire(tx, "engine", who, ttl_s, lambda text: text == dead))


def renew(store: Store, token: int, ttl_s: float) -> bool:
    return store.run(lambda tx: leases.renew(tx, "engine", token, ttl_s))


def test_one_holder_at_a_time(store: Store) -> None:
    assert acquire(store, "a") == 1
    assert acquire(store, "b") is None
    assert acquire(store, "b", dead="a") == 2
    assert acquire(store, "a") is None
    lease = store.read_value(lambda tx: leases.find(tx, "engine"))
    assert lease is not None
    assert (lease.holder, lease.token) == ("b", 2)
    assert 50 < lease.expires_in_s <= 60


def test_a_lease_that_ran_out_can_be_taken(store: Store) -> None:
    assert acquire(store, "a", ttl_s=0.2) == 1
    assert acquire(store, "b") is None
    time.sleep(0.3)
    assert acquire(store, "b") == 2


def test_renewing(store: Store) -> None:
    acquire(store, "a", ttl_s=0.2)
    assert renew(store, 1, 60)
    time.sleep(0.3)
    assert acquire(store, "b") is None
    assert acquire(store, "b", dead="a") == 2
    assert not renew(store, 1, 60)


def test_a_released_lease_is_free_at_once(store: Store) -> None:
    acquire(store, "a")
    store.run(lambda tx: leases.release(tx, "engine", 1))
    assert acquire(store, "b") == 2
    store.run(lambda tx: leases.release(tx, "engine", 1))  # too late: not ours any more
    assert acquire(store, "c") is None


def test_fencing(store: Store) -> None:
    acquire(store, "a", ttl_s=0)
    store.run(lambda tx: leases.require(tx, "engine", 1))  # run out, but nobody took it
    acquire(store, "b")
    assert not store.run(lambda tx: leases.check(tx, "engine", 1))
    with pytest.raises(LeaseLost, match="token 1"):
        store.run(lambda tx: leases.require(tx, "engine", 1))
    assert store.run(lambda tx: leases.check(tx, "engine", 2))


def test_other_leases_are_other_leases(store: Store) -> None:
    assert acquire(store, "a") == 1
    assert store.run(lambda tx: leases.acquire(tx, "scheduler", "b", 60)) == 1
    assert not store.run(lambda tx: leases.check(tx, "nothing", 1))


# -- who is dead -------------------------------------------------------------------------------------
def test_a_living_holder() -> None:
    assert not holder.is_dead(holder.holder_text())
    assert len(holder.holder_text()) <= 255


def test_a_dead_holder_and_a_zombie() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "from services.oned.engine import holder; print(holder.holder_text())"],
        stdout=subprocess.PIPE, text=True, cwd=os.getcwd(),
    )  # fmt: skip
    assert child.stdout is not None
    text = child.stdout.read().strip()
    child.stdout.close()
    deadline = time.monotonic() + 5
    while not holder.is_dead(text) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert holder.is_dead(text)  # ended, though nobody has waited for it
    child.wait()
    assert holder.is_dead(text)


def test_a_number_used_again_is_another_process() -> None:
    place, _, rest = holder.holder_text().partition(" start=")
    assert holder.is_dead(f"{place} start={int(rest) - 1}")


@pytest.mark.parametrize("change", [("host=", "host=other-"), ("boot=", "boot=1"), ("ns=", "ns=9")])
def test_nothing_is_known_of_other_machines(change: tuple[str, str]) -> None:
    text = holder.holder_text().replace(*change).replace(f"pid={os.getpid()}", "pid=4000000")
    assert not holder.is_dead(text)
    assert not holder.is_dead("something else")
