"""``python -m bootstrap``: check the parameters, run the steps. See README.md in this folder."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from bootstrap import ending, given, params, places, reference, steps
from bootstrap.context import Context, StepError
from bootstrap.explain import explain

_CHECK = "check parameters"


def main() -> int:
    """Run what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(prog="bootstrap", description="Configure the services.")
    parser.add_argument("--native", action="store_true", help="no container: leave out what needs root")
    parser.add_argument("--prefix", type=Path, help="folder to keep everything in (sets ONE_LOCATION)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="check the parameters only")
    what.add_argument("--explain", action="store_true", help="say what would be written where; write nothing")
    what.add_argument(
        "--list", nargs="?", const="markdown", choices=("markdown", "text"), help="print all parameters"
    )
    options = parser.parse_args()
    if options.list:
        print(reference.text() if options.list == "text" else reference.markdown(), end="")
        return 0
    is_dry = options.check or options.explain
    if options.native != bool(options.prefix) and not options.check:
        parser.error("--native and --prefix belong together")
    if options.prefix:
        os.environ["ONE_LOCATION"] = str(options.prefix.absolute())
    try:
        settings = params.read(
            os.environ, native=options.native, further=None if options.native else given.faults
        )
    except params.ParameterFaults as found:
        return _failed(_CHECK, found.faults, stop=not is_dry)
    names = ", ".join(sorted(settings.given)) or "none, all defaults"
    _say(_CHECK, f"given: {names}")
    for warning in settings.warnings:
        _say(_CHECK, f"warning: {warning}")
    if options.check:
        _say(_CHECK, "no faults")
        return 0
    return _explain(settings, options.native) if options.explain else _run(settings, options.native)


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


def _explain(settings: params.Settings, native: bool) -> int:
    context = Context(settings, native, print)
    try:
        explain(context, steps.applicable(native, settings["OPENNEBULA_SERVICE"]), print)
    except (StepError, OSError) as error:
        return _failed("explain", [str(error)], stop=False)
    return 0


def _say(step: str, text: str) -> None:
    if text:
        print(f"bootstrap: [{step}] {text}", flush=True)


def _failed(step: str, faults: list[str], *, stop: bool) -> int:
    """Report every fault; in the container also end it, with the faults as its last lines."""
    lines = [f"bootstrap: [{step}] failed: {fault}" for fault in faults]
    print("\n".join(lines), file=sys.stderr, flush=True)
    if stop and not places.is_native():
        ending.end_container(lines)
    return 1


if __name__ == "__main__":
    sys.exit(main())
