"""An engine inside the test: runs what waits in the job table with the real actions, until nothing waits."""

from __future__ import annotations

import asyncio

from services.oned.config import OnedConf
from services.oned.drivers.execute import Result, execute
from services.oned.drivers.run import Runner
from services.oned.drivers.step import Step
from services.oned.drivers.table import Drivers
from services.oned.engine.cycle import LEASE, Cycle
from services.oned.store import Store, leases
from services.oned.store.jobs import Job

_TURNS_MAX = 50


def drain(store: Store, conf: OnedConf) -> list[Result]:
    """Run and apply every job, also those that come of it; the results in their order.

    ONE_LOCATION's ``var/remotes`` must hold the drivers' scripts.
    """
    token = store.run(lambda tx: leases.acquire(tx, LEASE, "test", 60.0, lambda holder: True))
    assert token is not None
    cycle = Cycle(store, Drivers(conf), token, 64)
    results: list[Result] = []
    ended: list[Result] = []
    for _ in range(_TURNS_MAX):
        turn = cycle.turn(ended, renew=True)
        assert not turn.refused, turn.refused
        if not turn.started:
            store.run(lambda tx: leases.release(tx, LEASE, token))
            return results
        ended = asyncio.run(_run(turn.started))
        results += ended
    raise AssertionError(f"jobs without end: {results[-5:]}")


async def _run(started: list[tuple[Job, list[Step]]]) -> list[Result]:
    runner = Runner()
    stop = asyncio.Event()
    try:
        return list(await asyncio.gather(*(execute(runner, job, steps, stop) for job, steps in started)))
    finally:
        runner.close()
