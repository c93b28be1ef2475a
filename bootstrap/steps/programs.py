"""Steps that choose programs and hand them to Supervisor."""

from __future__ import annotations

import json

from bootstrap import files, places, programs
from bootstrap.context import Context, StepError
from bootstrap.supervisor import Supervisor, SupervisorError


def select(context: Context) -> None:
    """Choose the programs of the wanted service."""
    context.programs = programs.select(
        programs.load_all().values(), context.service, native=context.native,
        inner_mysql=context.has_inner_mysql, maintenance=context.settings.is_maintenance,
        tls_proxy=context.settings["TLS_PROXY_ENABLED"] == "yes",
    )  # fmt: skip
    context.say(f"{context.service}: {' '.join(program.name for program in context.programs)}")
    if context.settings.is_maintenance:
        context.say("maintenance mode: the programs are configured but do not start by themselves")


def render(context: Context) -> None:
    """Write one file per program for Supervisor, and remove those of programs that are not wanted now."""
    folder = places.programs()
    wanted = {f"{program.name}.conf": program for program in context.programs}
    changed = 0
    for name, program in wanted.items():
        text = programs.render(program, native=context.native, maintenance=context.settings.is_maintenance)
        changed += files.write(folder / name, text, 0o644, context.owner("root"))
    for file in folder.glob("*.conf"):
        if file.name not in wanted:
            changed += files.remove(file)
    context.say(f"{len(wanted)} programs, {changed} changed")


def note_state(context: Context) -> None:
    """Write down what runs here, for the health check and for programs that wait for the core."""
    state = {
        "service": context.service,
        "maintenance": context.settings.is_maintenance,
        "programs": {program.name: program.kind for program in context.programs},
        "parameters": {
            name: context.settings[name] for program in context.programs for name in program.parameters
        },
        "oned_ready_url": f"{context.oned_url}/ready",
        "ready_url": f"{context.oned_url}/ready" if context.has_oned else "",
    }
    files.write(places.state(), json.dumps(state, indent=1) + "\n", 0o644, context.owner("root"))
    context.say(str(places.state()))


def update_supervisor(context: Context) -> None:
    """Let Supervisor take the programs over; it starts them from here on."""
    if files.planned():
        context.say("would let Supervisor start the programs")
        return
    try:
        changes = Supervisor().update()
    except SupervisorError as error:
        raise StepError(str(error)) from None
    context.say("; ".join(changes) or "nothing changed")
