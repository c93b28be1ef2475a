"""``onebox test`` and ``onebox bench``: linters, the test rings this machine can run, and benchmarks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from onebox_cli import container, machine, venv
from onebox_cli.instance import ROOT
from onebox_cli.ui import Failure, say, step

RINGS = ("lint", "unit", "service", "image", "node")
# Their tests share nothing but the machine; a file's tests stay together, for they share what it starts.
_PARALLEL = ("unit", "service", "image", "node")
_WORKERS_MAX = 4
WORK = ROOT / ".onebox-test"
# Recorded answers lie beside some checkouts only; tests that need them say so, which is no fault.
_LEFT_OUT = "left out: no ../shared"
_PYTEST_NO_TESTS = 5
_ACTIONS_LIB = ROOT / "services/remotes/lib"
_SUMMARY = re.compile(r"=+ (.* in [0-9.]+s.*?) =+")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Outcome:
    """How a ring ended: ``faults`` says what is wrong with it, ``skipped`` why it did not run."""

    ring: str
    summary: str = ""
    skipped: str = ""
    faults: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.skipped:
            return f"  {self.ring:<8} skipped: {self.skipped}"
        verdict = "FAILED: " + "; ".join(self.faults) if self.faults else "passed"
        return f"  {self.ring:<8} {verdict} ({self.seconds:.0f} s)"


def run(rings: Sequence[str], *, everything: bool) -> int:
    """Run the rings (default: all); the exit code. ``everything``: install what is missing, skip nothing."""
    unknown = [ring for ring in rings if ring not in RINGS]
    if unknown:
        raise Failure(f"unknown ring {', '.join(unknown)}", advice=f"rings: {', '.join(RINGS)}")
    wanted = [ring for ring in RINGS if not rings or ring in rings]
    WORK.mkdir(exist_ok=True)
    outcomes = []
    with ExitStack() as stack:
        if everything:
            machine.install_missing(WORK / "apt.log")
        with step("python environment"):
            python = venv.ensure(venv.TEST)
        environment = _environment(python)
        if everything:
            with step("mysqlclient") as current:
                current.result = (
                    "built" if venv.ensure_mysqlclient(venv.TEST) else "not built, PyMySQL is tested"
                )
        if "service" in wanted or "image" in wanted:
            with step("newer pyone"):
                environment["ONEBOX_PYONE_610"] = str(venv.ensure(venv.PYONE_610))
        if everything and {"image", "node"} & set(wanted):
            stack.enter_context(machine.docker_engine(WORK / "dockerd.log"))
        for ring in wanted:
            outcomes.append(_ring(ring, python, environment, everything))
    return _report(outcomes)


def bench(
    names: Sequence[str], db: str | None, clients: dict[str, str] | None = None, more: Sequence[str] = ()
) -> int:
    """Run benchmarks in the test environment; their exit code.

    clients: ONE_XMLRPC and ONE_AUTH of an instance to measure, instead of a temporary one.
    """
    python = venv.TEST.python if venv.TEST.is_ready else None
    if python is None:
        # The result on standard output is JSON and nothing else.
        print("onebox: preparing the python environment …", file=sys.stderr)
        python = venv.ensure(venv.TEST)
    chosen = ["--existing"] if clients else (["--db", db] if db else [])
    command = [str(python), "-m", "tests.bench", *chosen, *more, *names]
    environment = _environment(python) | (clients or {})
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _environment(python: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{python.parent}:{os.environ.get('PATH', os.defpath)}",
    }


def _ring(ring: str, python: Path, environment: dict[str, str], everything: bool) -> Outcome:
    say(f"\n--- {ring} ---")
    started = time.monotonic()
    if ring == "lint":
        outcome = _lint(python, environment)
    elif reason := _no_engine(ring):
        outcome = Outcome(ring, skipped=reason)
        if everything:
            outcome = Outcome(ring, faults=(reason,))
    else:
        outcome = _pytest(ring, python, environment, everything)
    outcome.seconds = time.monotonic() - started
    return outcome


def _no_engine(ring: str) -> str:
    """Why a ring's containers cannot run here; empty when they can, or it has none. Nodes need Docker."""
    engines = {"image": container.ENGINES, "node": ("docker",)}.get(ring, ())
    reasons = [f"{engine}: {reason}" for engine in engines if (reason := container.why_unusable(engine))]
    return "; ".join(reasons) if len(reasons) == len(engines) else ""


def _lint(python: Path, environment: dict[str, str]) -> Outcome:
    faults = []
    # Driver actions find their modules by their folder, as no package does: a run of its own.
    actions = ("mypy", "--strict", "--config-file", os.devnull, "--explicit-package-bases", str(_ACTIONS_LIB))
    for command in (("ruff", "check", "--no-cache", "."), ("mypy",), actions):
        say(f"$ {' '.join(command)}")
        more = {"MYPYPATH": str(_ACTIONS_LIB)} if command is actions else {}
        found = subprocess.run([python, "-m", *command], cwd=ROOT, env=environment | more, check=False)
        if found.returncode:
            faults.append(f"{command[0]} found faults")
    return Outcome("lint", faults=tuple(faults))


def _pytest(ring: str, python: Path, environment: dict[str, str], everything: bool) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="onebox-ring-") as folder:
        report = Path(folder, "report.xml")
        command = [str(python), "-m", "pytest", f"tests/{ring}", f"--junitxml={report}", "-q"]
        if ring in _PARALLEL:
            command += ["-n", str(min(os.cpu_count() or 1, _WORKERS_MAX)), "--dist", "loadfile"]
        if sys.stdout.isatty():
            command.append("--color=yes")
        sys.stdout.flush()
        summary = ""
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        ) as process:  # fmt: skip
            for line in process.stdout or ():
                print(line, end="", flush=True)
                found = _COLOURS.sub("", line).strip()
                if _SUMMARY.fullmatch(found) or re.fullmatch(
                    r"\d+ (passed|failed|skipped).* in [0-9.]+s.*", found
                ):
                    summary = found.strip("= ")
        faults = []
        if process.returncode == _PYTEST_NO_TESTS:
            faults.append(f"no test in tests/{ring}")
        elif process.returncode:
            faults.append(f"pytest ended with code {process.returncode}")
        if everything:
            faults += [f"skipped: {reason}" for reason in skip_reasons(report)]
    return Outcome(ring, summary, faults=tuple(faults))


def skip_reasons(report: Path) -> list[str]:
    """Why tests were skipped, from a JUnit report, but for those that need a folder beside the checkout."""
    if not report.exists():
        return []
    found = {
        str(element.get("message", ""))
        for element in ElementTree.parse(report).iter("skipped")
        if element.get("type") != "pytest.xfail"
    }  # fmt: skip
    return sorted(reason for reason in found if _LEFT_OUT not in reason)


def _report(outcomes: Sequence[Outcome]) -> int:
    say("\n--- rings ---")
    for outcome in outcomes:
        say(str(outcome))
    for outcome in outcomes:
        if outcome.summary:
            # As pytest writes it, so that tools which read closing lines find every ring.
            say(f"==== {outcome.summary} ====")
    return 1 if any(outcome.faults for outcome in outcomes) else 0
