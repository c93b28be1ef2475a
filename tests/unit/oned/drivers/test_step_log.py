"""What a VM's log says of driver actions."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.oned.drivers import step_log
from services.oned.drivers.run import Outcome
from services.oned.drivers.step import File, Slot, Step
from services.oned.store.jobs import Job

STDERR = """INFO: deploy: looking
plain
ERROR: it broke
ERROR MESSAGE --8<------
no room
ERROR MESSAGE ------>8--
DEBUG:  more

"""


def job(operation: str = "vmm.DEPLOY") -> Job:
    return Job(1, "VM", 7, operation, "kvm", "h1", {}, 1, None, 0)


def step(subsystem: str = "vmm", action: str = "deploy", driver: str = "kvm", **more: object) -> Step:
    return Step(subsystem, driver, action, ("a", "b c", Slot.DEPLOY_ID), 10, **more)  # type: ignore[arg-type]


def said(job: Job, step: Step, outcome: Outcome) -> list[str]:
    return [f"[{module}][{level}]: {text}" for level, module, text in step_log.after(job, step, outcome)]


def test_on_a_node() -> None:
    assert said(job(), step(host="h1"), Outcome(0, "one-7", "INFO: fine\n")) == [
        "[VMM][I]: fine",
        "[VMM][I]: ExitCode: 0",
        "[VMM][I]: Successfully execute virtualization driver operation: deploy.",
    ]


def test_on_the_front_end_only_the_end_is_told() -> None:
    assert said(job(), step("vnm", "pre"), Outcome(0, "", STDERR)) == [
        "[VMM][I]: Successfully execute network driver operation: pre."
    ]
    assert said(job(), step("tm", "context"), Outcome(0)) == [
        "[VMM][I]: Successfully execute transfer manager driver operation: tm_context."
    ]
    assert said(job("tm.PROLOG"), step("tm", "clone"), Outcome(0)) == []


def test_a_failure() -> None:
    assert said(job(), step(host="h1"), Outcome(3, "", STDERR)) == [
        "[VMM][I]: Command execution failed (exit code: 3): vmm/kvm/deploy a 'b c' -",
        "[VMM][I]: deploy: looking",
        "[VMM][I]: plain",
        "[VMM][E]: it broke",
        "[VMM][E]: no room",
        "[VMM][D]: more",
        "[VMM][I]: ExitCode: 3",
        "[VMM][I]: Failed to execute virtualization driver operation: deploy.",
    ]
    assert said(job("tm.PROLOG"), step("tm", "clone"), Outcome(1, "", "ERROR: full")) == [
        "[TrM][I]: Command execution failed (exit code: 1): tm/kvm/clone a 'b c' -",
        "[TrM][E]: full",
    ]


def test_what_could_not_be_started() -> None:
    lines = said(job("tm.PROLOG"), step("tm", "clone"), Outcome(None, fault="no such file"))
    assert lines == [
        "[TrM][I]: Command execution failed (not started): tm/kvm/clone a 'b c' -",
        "[TrM][E]: no such file",
    ]


@pytest.mark.parametrize("more", [{"driver": "transit"}, {"line": "cat"}])
def test_our_own_steps_are_told_only_when_they_fail(more: dict[str, str]) -> None:
    assert said(job(), step("tm", **more), Outcome(0, "", "INFO: x")) == []
    assert said(job(), step("tm", **more), Outcome(1)) != []


def test_documents_and_floods_are_cut_off() -> None:
    made = Step("vmm", "kvm", "attach_disk", ("x" * 5000,), 10)
    lines = said(job(), made, Outcome(1, "", "line\n" * 500 + "z" * 5000))
    assert len(lines) == 52
    assert max(map(len, lines)) < 1100
    assert lines[0].endswith("xxxx...")


def test_the_deployment_file_is_named() -> None:
    made = step(files=(File(Path("/vms/7/deployment.0"), "<xml/>"),))
    assert step_log.before(job(), made) == [("I", "VMM", "Generating deployment file: /vms/7/deployment.0")]
    assert step_log.before(job(), step()) == []
