"""One storm and what was found after it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.support.chaos.aftermath import Aftermath
from tests.support.chaos.clients import Clients
from tests.support.chaos.killer import Killer
from tests.support.chaos.ledger import Ledger
from tests.support.chaos.world import World
from tests.support.frontend import Frontend
from tests.support.mariadb import MariaDb

_LONGEST_S = 300.0


@dataclass
class Report:
    """What happened, and ``findings``: everything that must not be so; empty when all is well."""

    seed: int
    seconds: float
    calls: dict[str, int] = field(default_factory=dict)
    deeds: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    vms: int = 0
    converged_s: float = 0.0
    conditions: dict[str, int] = field(default_factory=dict)
    recovered: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def run(
    frontend: Frontend,
    server: MariaDb | None,
    *,
    seed: int,
    seconds: float,
    vms: int = 200,
    kill_every_s: float = 3.0,
    calls: int = 0,
) -> Report:
    """A storm over a front-end that has not been started yet; it is stopped afterwards.

    server: the database server when it may be killed too. vms: about how many live at a time. calls: the
    storm goes on for longer than ``seconds`` until so many were acknowledged.
    """
    report = Report(seed, seconds)
    ledger = Ledger()
    world = World(frontend)
    try:
        _rage(
            report, ledger, world, Killer(frontend, server, seed, kill_every_s, ledger.progress), vms, calls
        )
        _look(report, ledger, world)
    finally:
        frontend.stop()
    return report


def _rage(report: Report, ledger: Ledger, world: World, killer: Killer, vms: int, calls: int) -> None:
    clients = Clients(world, ledger, report.seed, vms)
    clients.start()
    killer.start()
    began_s = time.monotonic()
    time.sleep(report.seconds)
    while ledger.progress() < calls and time.monotonic() < began_s + _LONGEST_S:
        time.sleep(0.1)
    report.seconds = round(time.monotonic() - began_s, 1)
    killer.stop()
    clients.stop()
    killer.supervise()
    report.kills, report.restarts = dict(killer.kills), dict(killer.restarts)
    report.calls, report.deeds = dict(ledger.calls), dict(sorted(ledger.by_deed.items()))
    report.findings += ledger.faults


def _look(report: Report, ledger: Ledger, world: World) -> None:
    after, rng = Aftermath(world, ledger), Random(f"{report.seed}/aftermath")
    try:
        began_s = time.monotonic()
        report.findings += after.settle()
        report.converged_s = round(time.monotonic() - began_s, 1)
        conditions = after.conditions()
        report.vms = len(conditions)
        for condition in conditions.values():
            report.conditions[condition] = report.conditions.get(condition, 0) + 1
        report.findings += after.contradictions("while it runs")
        report.findings += after.lost()
        left, faults = after.recover(rng)
        report.recovered = dict(left)
        report.findings += faults
        report.findings += after.wrong_machines()
        report.findings += after.leaked()
        report.findings += after.bad_log_lines()
        world.frontend.stop()
        report.findings += after.contradictions("when it is stopped")
    finally:
        after.close()
