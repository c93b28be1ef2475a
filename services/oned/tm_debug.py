"""The transfer debug environment: ``onevm recover ID --retry --interactive``, on the front-end.

A VM whose disks could not be moved waits in a failure state. This shows the transfer actions that a retry
would run, and runs them one by one for an administrator, who mends what is wrong between two tries and then
recovers the VM with --success. Nothing is written to the database.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.common.config import ConfigError
from services.oned import config
from services.oned.drivers import plan
from services.oned.drivers.execute import AGAIN, fault_text, run_step
from services.oned.drivers.run import Outcome, Runner
from services.oned.drivers.step import PlanError, Step
from services.oned.drivers.table import Drivers
from services.oned.drivers.tm_disk import command_text
from services.oned.errors import OneError
from services.oned.lifecycle.rows.recovery import RETRIES
from services.oned.model.host import Host
from services.oned.model.vm import VM
from services.oned.store import Store, Tx, pools
from services.oned.store.jobs import Job

EXIT_FAILURE = 255
_FAILURE = "_FAILURE"
_MARGIN_S = 60.0  # that the guard gives an action beyond its own limit
_MENU = "Choose action:\n(r) Run action\n(n) Skip to next action\n(a) Show all actions\n(q) Quit\n"
_GREEN, _RED, _RESET = "\033[32m", "\033[31m", "\033[0m"


class _Refused(Exception):
    """There is nothing to debug; the text says why."""


@dataclass
class _Session:
    """The actions of one operation, and what they have printed so far (later ones may depend on it)."""

    job: Job
    steps: list[Step]
    runner: Runner
    notes: dict[str, str] = field(default_factory=dict)
    output: str = ""


def main(argv: Sequence[str]) -> int:
    """Debug the VM of that id; 0 when every action succeeded or was skipped, 255 otherwise."""
    if len(argv) != 1 or not argv[0].isdigit():
        print("Usage: onevm recover VMID --retry --interactive", file=sys.stderr)
        return EXIT_FAILURE
    try:
        return asyncio.run(_debug(*_planned(int(argv[0]))))
    except PermissionError as error:
        name = error.filename or "the configuration"
        print(f"{name} cannot be read: run this on the front-end as oneadmin.", file=sys.stderr)
    except (ConfigError, OneError, PlanError, _Refused) as error:
        print(error, file=sys.stderr)
    except (KeyboardInterrupt, EOFError):
        print(file=sys.stderr)
    return EXIT_FAILURE


def _planned(vm_id: int) -> tuple[Job, list[Step]]:
    """The work that has failed, and the actions that a retry would run. Raises _Refused, PlanError."""
    conf = config.load()
    drivers = Drivers(conf)

    def read(tx: Tx) -> tuple[Job, list[Step]]:
        job = _job(tx, vm_id)
        return job, plan.steps(tx, job, drivers)

    store = Store.open(conf.db)
    try:
        return store.read_value(read)
    finally:
        store.close()


def _job(tx: Tx, vm_id: int) -> Job:
    """The work that has failed. Raises _Refused when it is none of the transfer drivers."""
    body = pools.body(tx, VM.TABLE, vm_id)
    if body is None:
        raise _Refused(f"There is no VM {vm_id}.")
    vm = VM.from_xml(body)
    again = RETRIES.get(vm.condition.removesuffix(_FAILURE), "") if vm.condition.endswith(_FAILURE) else ""
    operation = next((word[4:] for word in again.split() if word.startswith("job:tm.")), "")
    if not operation or vm.history is None:
        raise _Refused(
            f"VM {vm_id} is {vm.condition}: only a transfer that has failed (PROLOG_FAILURE, EPILOG_FAILURE "
            "and their like) can be run step by step."
        )
    spec: dict[str, object] = {AGAIN: True}
    host = pools.body(tx, Host.TABLE, vm.history.hid)
    if operation == "tm.EPILOG" and (host is None or vm_id not in Host.from_xml(host).vms):
        spec["local"] = True  # a host that does not count the VM has none of its disks
    place = vm.history
    return Job(0, "VM", vm_id, operation, place.tm_mad, place.hostname, spec, 1, None, 0)


# -- the dialogue ------------------------------------------------------------------------------------------
async def _debug(job: Job, steps: list[Step]) -> int:
    session = _Session(job, steps, Runner())
    print(_coloured("TM Debug Interactive Environment.", _GREEN), end="\n\n")
    _show_all(steps)
    try:
        for number, step in enumerate(steps, 1):
            if step.when is not None and not step.when.holds(session.notes):
                continue  # not needed, by what the actions before it have found
            if not await _until_done(session, number, step):
                return EXIT_FAILURE
    finally:
        session.runner.close()
    print("If all the TM actions have been successful and you want to")
    print("recover the Virtual Machine to the RUNNING state execute this command:")
    print(f"$ onevm recover {job.oid} --success")
    return 0


async def _until_done(session: _Session, number: int, step: Step) -> bool:
    """Offer one action until it succeeds or is skipped; False to quit."""
    while True:
        print(_coloured(f"Current action ({number}):", _GREEN))
        print(command_text([step]))
        print(_MENU, end="")
        answer = ""
        while answer not in ("r", "n", "a", "q"):
            answer = input("> ").strip().lower()
        print()
        if answer == "q":
            return False
        if answer == "n":
            return True
        if answer == "a":
            _show_all(session.steps)
        elif await _run(session, step):
            return True


async def _run(session: _Session, step: Step) -> bool:
    """Run an action; whether it has succeeded."""
    for cleaning in step.redo:  # what the last try has left would be in the way
        await _outcome(session, cleaning)
    outcome = await _outcome(session, step)
    for line in (outcome.stderr or "").strip().splitlines():
        print(f"LOG I  {line}")
    if outcome.code == 0 or step.ignore_failure:
        session.output = outcome.stdout if step.gives_output else session.output
        if step.note:
            session.notes[step.note] = outcome.stdout
        print("SUCCESS\n")
        return True
    print(f"LOG I  {fault_text(step, outcome)}")
    print(f"LOG I  ExitCode: {outcome.code}\n")
    print(_coloured("FAILURE. Repeat command.", _RED), end="\n\n")
    return False


async def _outcome(session: _Session, step: Step) -> Outcome:
    session.runner.heartbeat(step.longest_s + _MARGIN_S)
    never = asyncio.Event()
    return await run_step(
        session.runner, session.job, step, session.output, step.timeout_s, never, session.notes
    )


def _show_all(steps: list[Step]) -> None:
    print(_coloured("TM Action list:", _GREEN))
    for number, step in enumerate(steps, 1):
        print(f"({number}) {command_text([step])}", end="")
    print()


def _coloured(text: str, colour: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"{colour}{text}{_RESET}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
