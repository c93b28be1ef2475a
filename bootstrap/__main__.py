"""``python -m bootstrap``: check the parameters, run the steps. See README.md in this folder."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from bootstrap import params, places, reference, steps
from bootstrap.context import Context, StepError
from bootstrap.supervisor import Supervisor, SupervisorError


def main() -> int:
    """Run what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bootstrap", description="Configure the services.")
    parser.add_argument("--native", action="store_true", help="no container: leave out what needs root")
    parser.add_argument("--prefix", type=Path, help="folder to keep everything in (sets ONE_LOCATION)")
    parser.add_argument("--check", action="store_true", help="check the parameters only")
    parser.add_argument("--list", action="store_true", help="print the parameter reference as Markdown")
    options = parser.parse_args()
    if options.list:
        print(reference.markdown(), end="")
        return 0
    if options.native != bool(options.prefix) and not options.check:
        parser.error("--native and --prefix belong together")
    if options.prefix:
        os.environ["ONE_LOCATION"] = str(options.prefix.absolute())
    _say("check parameters", "")
    try:
        settings = params.read(os.environ, native=options.native)
    except params.ParameterFaults as found:
        return _failed("check parameters", found.faults, stop=not options.check)
    given = ", ".join(sorted(settings.given)) or "none, all defaults"
    _say("check parameters", f"given: {given}")
    for name in sorted(settings.given):
        if params.BY_NAME[name].no_effect_yet:
            _say("check parameters", f"warning: {name} has no effect in this version")
    return 0 if options.check else _run(settings, options.native)


def _run(settings: params.Settings, native: bool) -> int:
    started = time.monotonic()
    if not native:
        places.bootstrap_failed().unlink(missing_ok=True)
    # Until the last step is done, the health check must not believe what an earlier start noted.
    places.state().unlink(missing_ok=True)
    context = Context(settings, native, lambda text: _say(step.name, text))
    todo = steps.applicable(native, settings["OPENNEBULA_SERVICE"])
    for step in todo:
        try:
            step.action(context)
        except (StepError, OSError) as error:
            return _failed(step.name, [str(error)], stop=True)
    print(f"bootstrap: done, {len(todo)} steps in {time.monotonic() - started:.2f} s", flush=True)
    return 0


def _say(step: str, text: str) -> None:
    if text:
        print(f"bootstrap: [{step}] {text}", flush=True)


def _failed(step: str, faults: list[str], *, stop: bool) -> int:
    """Report every fault; in the container also note them for the entrypoint and end Supervisor."""
    lines = [f"bootstrap: [{step}] failed: {fault}" for fault in faults]
    print("\n".join(lines), file=sys.stderr, flush=True)
    if stop and not places.is_native():
        note = places.bootstrap_failed()
        try:
            note.parent.mkdir(parents=True, exist_ok=True)
            note.unlink(missing_ok=True)
            note.write_text("\n".join(lines) + "\n", encoding="utf-8")
            Supervisor(timeout_s=5).call("shutdown")
        except (OSError, SupervisorError) as error:
            print(f"bootstrap: the container cannot be ended: {error}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
