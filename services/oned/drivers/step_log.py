"""What a VM's log says of the driver actions that were run for it.

Lines that an action writes to its standard error are kept when it ran on a node, or failed; ``ERROR:``,
``INFO:`` and ``DEBUG:`` at their beginning are levels. Source: log files of release 6.0.
"""

from __future__ import annotations

import re
import shlex

from services.oned.drivers.run import Outcome
from services.oned.drivers.step import Argument, Step
from services.oned.lifecycle.vm_log import TRM, VMM, Line
from services.oned.store.jobs import Job

_KINDS = {"vmm": "virtualization driver", "vnm": "network driver", "tm": "transfer manager driver"}
_LEVEL = re.compile(r"(ERROR|DEBUG|INFO):(.*)")
_OPEN, _CLOSE = "ERROR MESSAGE --8<------", "ERROR MESSAGE ------>8--"
_LINES_MAX, _LENGTH_MAX = 50, 1000
_ARGUMENT_MAX, _CUT = 200, 20
# The product's own steps beside OpenNebula's, which its users need not read about.
_SILENT_DRIVER = "transit"


def before(job: Job, step: Step) -> list[Line]:
    """What is said before a step is run."""
    if step.action != "deploy" or not step.files:
        return []
    return [Line("I", VMM, f"Generating deployment file: {step.files[0].path}")]


def after(job: Job, step: Step, outcome: Outcome) -> list[Line]:
    """What is said of a step that has ended."""
    failed = outcome.code != 0
    if not failed and (step.driver == _SILENT_DRIVER or step.line):
        return []
    is_transfer = job.operation.startswith("tm.")
    module = TRM if is_transfer else VMM
    lines = _output(module, step, outcome, failed)
    kind = _KINDS.get(step.subsystem)
    if not is_transfer and kind is not None:
        name = f"tm_{step.action}" if step.subsystem == "tm" else step.action
        done = "Failed to execute" if failed else "Successfully execute"
        lines.append(Line("I", module, f"{done} {kind} operation: {name}."))
    return lines


def _output(module: str, step: Step, outcome: Outcome, failed: bool) -> list[Line]:
    lines: list[Line] = []
    if failed:
        args = shlex.join(_shown(arg) for arg in step.args)[:_LENGTH_MAX]
        code = "not started" if outcome.code is None else f"exit code: {outcome.code}"
        lines.append(Line("I", module, f"Command execution failed ({code}): {step.name} {args}"))
    if failed or step.host:
        lines += [Line(level, module, text) for level, text in _levels(outcome.stderr)]
    if outcome.fault:
        lines.append(Line("E", module, outcome.fault))
    if step.host and outcome.code is not None:
        lines.append(Line("I", module, f"ExitCode: {outcome.code}"))
    return lines


def _shown(arg: Argument) -> str:
    """An argument as it can be shown: whole documents are cut off, for they may hold secrets."""
    if not isinstance(arg, str):
        return "-"
    return arg if len(arg) <= _ARGUMENT_MAX else f"{arg[:_CUT]}..."


def _levels(stderr: str) -> list[tuple[str, str]]:
    """The lines of a standard error with their levels, the last ones when there are many."""
    found: list[tuple[str, str]] = []
    in_message = False
    for line in stderr.splitlines():
        text = line.strip()
        if text in (_OPEN, _CLOSE):
            in_message = text == _OPEN
            continue
        named = _LEVEL.fullmatch(text)
        level = "E" if in_message else named[1][0] if named else "I"
        text = named[2].strip() if named and not in_message else text
        if text:
            found.append((level, text[:_LENGTH_MAX]))
    return found[-_LINES_MAX:]
