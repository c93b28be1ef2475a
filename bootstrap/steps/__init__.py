"""The steps of bootstrap, in order. Each is small, looks first, and changes only what differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.context import Context
from bootstrap.steps import configure, credentials, install, own_changes, programs, ssh, tls

Action = Callable[[Context], None]


@dataclass(frozen=True)
class Step:
    """One step. ``services``: whose containers need it (empty: all)."""

    name: str
    action: Action
    services: tuple[str, ...] = ()
    native: bool = True


_CORE = ("all", "oned")

STEPS: tuple[Step, ...] = (
    Step("select services", programs.select),
    Step("create directories", install.directories),
    Step("stock configuration", install.stock_files, (*_CORE, "scheduler")),
    # The scheduler runs none of them, but one patch file for all containers may change their settings.
    Step("install remotes", install.remotes, (*_CORE, "scheduler")),
    Step("apply patch", own_changes.apply_patch, native=False),
    Step("pre-bootstrap hook", own_changes.pre_hook, native=False),
    Step("ssh server", ssh.server, ("all", "sshd"), native=False),
    Step("create one_auth", credentials.one_auth, _CORE),
    Step("ssh keys", ssh.key_pair, _CORE),
    Step("ssh client", ssh.client, _CORE),
    Step("tls certificate", tls.certificate, _CORE, native=False),
    Step("tls proxy", tls.proxy, _CORE, native=False),
    Step("database credentials", credentials.database, (*_CORE, "mysqld")),
    Step("configure oned", configure.oned, _CORE),
    Step("configure monitord", configure.monitord, _CORE),
    Step("configure consoles", configure.consoles, _CORE),
    Step("configure scheduler", configure.scheduler, ("all", "scheduler")),
    Step("render programs", programs.render),
    Step("post-bootstrap hook", own_changes.post_hook, native=False),
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
