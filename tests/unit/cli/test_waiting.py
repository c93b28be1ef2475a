"""What ``onevm show`` says of waiting and of scheduled actions."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.unit.cli.conftest import Answers, Run

WAITING = (
    "<WAITING><ID>7</ID><STATE>3</STATE><LCM_STATE>2</LCM_STATE><SINCE>1600000000</SINCE><ATTEMPT>2</ATTEMPT>"
    "<DEADLINE>1600000900</DEADLINE><WAITS_FOR>vmm.DEPLOY on host h1</WAITS_FOR>"
    "<NEXT_STEP>nothing</NEXT_STEP>"
    "<OPERATION>vmm.DEPLOY</OPERATION><HOST>h1</HOST><ERROR>no luck</ERROR></WAITING>"
)
ACTIONS = (
    "<SCHED_ACTION><ACTION>poweroff</ACTION><ID>0</ID><TIME>+3600</TIME></SCHED_ACTION>"
    "<SCHED_ACTION><ACTION>snapshot-create</ACTION><ARGS>night</ARGS><DAYS>1,5</DAYS><DONE>1600000001</DONE>"
    "<END_TYPE>1</END_TYPE><END_VALUE>3</END_VALUE><ID>1</ID><MESSAGE>no</MESSAGE><REPEAT>0</REPEAT>"
    "<TIME>1600086400</TIME></SCHED_ACTION>"
    "<SCHED_ACTION><ACTION>stop</ACTION><DAYS>5</DAYS><END_TYPE>2</END_TYPE><END_VALUE>1700000000</END_VALUE>"
    "<REPEAT>3</REPEAT><TIME>999999999999</TIME></SCHED_ACTION>"
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(answers: Answers, run: Run, *, state: int = 3, user: str = "") -> list[str]:
    answers.replies["one.vm.info"] = (
        f"<VM><ID>7</ID><NAME>x</NAME><STATE>{state}</STATE><LCM_STATE>2</LCM_STATE><STIME>1600000000</STIME>"
        f"<TEMPLATE/><USER_TEMPLATE>{user}</USER_TEMPLATE><HISTORY_RECORDS/></VM>"
    )
    code, out, err = run("onevm", "show", "7")
    assert (code, err) == (0, "")
    return out.splitlines()


def section(lines: list[str], name: str) -> list[str]:
    at = next((number for number, line in enumerate(lines) if line.startswith(name)), None)
    return [] if at is None else [line.rstrip() for line in lines[at + 1 : lines.index("", at)]]


def test_waiting(answers: Answers, run: Run) -> None:
    answers.replies["one.vm.waiting"] = WAITING
    assert section(shown(answers, run), "WAITING") == [
        "WAITS FOR           : vmm.DEPLOY on host h1",
        "SINCE               : 09/13 12:26:40",
        "ATTEMPT             : 2",
        "DEADLINE            : 09/13 12:41:40",
        "REASON              : no luck",
        "NEXT STEP           : nothing",
    ]
    assert ("one.vm.waiting", [7]) in answers.calls


def test_nothing_to_say(answers: Answers, run: Run) -> None:
    answers.replies["one.vm.waiting"] = "<WAITING><ID>7</ID><STATE>3</STATE></WAITING>"
    assert section(shown(answers, run), "WAITING") == []
    answers.refuse("one.vm.waiting", 0x1000, "Method not defined")
    assert section(shown(answers, run), "WAITING") == []


def test_an_ended_vm_is_not_asked_about(answers: Answers, run: Run) -> None:
    assert section(shown(answers, run, state=6), "WAITING") == []
    assert all(method != "one.vm.waiting" for method, _ in answers.calls)


def test_scheduled_actions(answers: Answers, run: Run) -> None:
    lines = shown(answers, run, user=f"<NOTE>here</NOTE>{ACTIONS}")
    head, *rows = section(lines, "SCHEDULED ACTIONS")
    assert head.split() == [
        "ID",
        "ACTION",
        "ARGS",
        "SCHEDULED",
        "REPEAT",
        "END",
        "DONE",
        "MESSAGE",
        "CHARTER",
    ]
    done = ("Already", "done")
    assert [row.split() for row in rows] == [
        ["0", "poweroff", "-", "09/13", "13:26", "-", "-", *done],
        [
            *("1", "snapshot-create", "night", "09/14", "12:26", "Weekly", "1,5"),
            *("After", "3", "times", "09/13", "12:26", "no", *done),
        ],
        ["stop", "-", "999999999999", "Each", "5", "hours", "On", "11/14/23", "-", "-"],
    ]
    assert section(lines, "USER TEMPLATE") == ['NOTE="here"']


def test_all_of_the_template(answers: Answers, run: Run) -> None:
    shown(answers, run, user=ACTIONS)
    _, out, _ = run("onevm", "show", "7", "--all")
    assert "SCHED_ACTION=[" in out
