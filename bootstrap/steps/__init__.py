"""The steps of bootstrap, in order. Each is small, looks first, and changes only what differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.context import Context
from bootstrap.steps import configure, credentials, install, programs

Action = Callable[[Context], None]


@dataclass(frozen=True)
class Step:
    """One step. ``services``: whose containers need it (empty: all)."""

    name: str
    action: Action
    services: tuple[str, ...] = ()
    native: bool = True


STEPS: tuple[Step, ...] = (
    Step("select services", programs.select),
    Step("create directories", install.directories),
    Step("create one_auth", credentials.one_auth, ("all", "oned")),
    Step("database credentials", credentials.database, ("all", "oned", "mysqld")),
    Step("stock configuration", install.stock_files, ("all", "oned", "scheduler")),
    Step("configure oned", configure.oned, ("all", "oned")),
    Step("configure scheduler", configure.scheduler, ("all", "scheduler")),
    Step("install remotes", install.remotes, ("all", "oned")),
    Step("render programs", programs.render),
    Step("note state", programs.note_state),
    Step("update supervisor", programs.update_supervisor, native=False),
)


def applicable(native: bool, service: str) -> list[Step]:
    """The steps that a run of this kind consists of."""
    return [
        step
        for step in STEPS
        if (step.native or not native) and (not step.services or service in step.services)
    ]
