"""When scheduled actions are due, and what is noted of them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from services.common.template import Template
from services.oned.model.sched_action import following, moment, pending, planned, set_done, set_failed

START = 1_000_000
DAY = 86_400
# Monday 2021-03-01 10:00 in Berlin; the clocks go forward on Sunday 2021-03-28.
MONDAY = 1_614_589_200


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def action(**parts: object) -> dict[str, str]:
    return {"ACTION": "poweroff", **{name: str(value) for name, value in parts.items()}}


def days(*moments: int | None) -> list[str]:
    return [
        time.strftime("%a %m-%d %H:%M", time.localtime(moment)) for moment in moments if moment is not None
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1500", 1500),
        ("+60", START + 60),
        ("+-60", START - 60),
        ("-5", -5),
        (" 7", 7),
        ("", None),
        ("+", None),
        ("soon", None),
        ("12x", None),
        ("1" + "0" * 17, None),
    ],
)
def test_the_moment_of_an_action(text: str, expected: int | None) -> None:
    assert moment({"TIME": text}, START) == expected


def test_an_action_is_run_once() -> None:
    once = action(TIME=500)
    assert pending(once, START) == 500
    assert pending(action(TIME=500, MESSAGE="x"), START) == 500, "what was refused stays due"
    set_done(once, START, 510)
    assert once == action(TIME=500, DONE=510)
    assert pending(once, START) is None
    assert pending(action(TIME=600, DONE=510), START) == 600, "its time was changed after it was run"


def test_what_is_planned() -> None:
    template = Template.parse(
        "SCHED_ACTION=[ACTION=hold,TIME=900,DONE=901] SCHED_ACTION=[ACTION=release,TIME=+5]\n"
        "SCHED_ACTION=[ACTION=stop,TIME=never] SCHED_ACTION=[ACTION=resume,TIME=900]"
    )
    assert planned(template, START) == [(1, START + 5), (3, 900)]


def test_the_result_of_a_failure() -> None:
    failed = action(TIME=500, MESSAGE="old")
    set_failed(failed, "[one.vm.action] no", MONDAY)
    assert failed["MESSAGE"] == "Mon Mar 01 10:00:00 2021 : [one.vm.action] no"
    set_done(failed, START, MONDAY)
    assert failed == action(TIME=500, DONE=MONDAY)


# -- repetition --------------------------------------------------------------------------------------------
def test_hours() -> None:
    repeated = action(TIME=MONDAY, REPEAT=3, DAYS=5, END_TYPE=0)
    set_done(repeated, START, MONDAY + 2)
    assert (repeated["TIME"], repeated["DONE"]) == (str(MONDAY + 5 * 3600), str(MONDAY + 2))
    # Three repetitions were missed: it is run once, and then in its old rhythm.
    set_done(repeated, START, MONDAY + 21 * 3600)
    assert repeated["TIME"] == str(MONDAY + 25 * 3600)


def test_days_of_the_week() -> None:
    repeated = action(TIME=MONDAY, REPEAT=0, DAYS="1,5", END_TYPE=0)
    assert days(*_repetitions(repeated, 4)) == [
        "Fri 03-05 10:00",
        "Mon 03-08 10:00",
        "Fri 03-12 10:00",
        "Mon 03-15 10:00",
    ]
    assert days(following(action(TIME=MONDAY, REPEAT=0, DAYS=0), MONDAY, MONDAY)) == ["Sun 03-07 10:00"]


def test_the_clock_on_the_wall_counts() -> None:
    repeated = action(TIME=MONDAY, REPEAT=0, DAYS="6,0", END_TYPE=0)
    assert days(following(repeated, MONDAY, MONDAY + 25 * DAY)) == ["Sat 03-27 10:00"]
    assert days(following(repeated, MONDAY, MONDAY + 26 * DAY)) == ["Sun 03-28 10:00"]


def test_days_of_the_month() -> None:
    repeated = action(TIME=MONDAY, REPEAT=1, DAYS="31,1", END_TYPE=0)
    assert days(*_repetitions(repeated, 4)) == [
        "Wed 03-31 10:00",
        "Thu 04-01 10:00",
        "Sat 05-01 10:00",
        "Mon 05-31 10:00",
    ]


def test_days_of_the_year() -> None:
    repeated = action(TIME=MONDAY, REPEAT=2, DAYS="0,59", END_TYPE=0)
    assert days(*_repetitions(repeated, 2)) == ["Sat 01-01 10:00", "Tue 03-01 10:00"]
    last = following(action(TIME=MONDAY, REPEAT=2, DAYS=365), MONDAY, MONDAY)
    assert last is not None and time.strftime("%Y-%m-%d", time.localtime(last)) == "2024-12-31"


def test_late_on_the_same_day() -> None:
    """Run an hour late, it is still of that day; run a day late, the next listed day counts."""
    repeated = action(TIME=MONDAY, REPEAT=0, DAYS="1,2", END_TYPE=0)
    assert days(following(repeated, MONDAY, MONDAY + 3600)) == ["Tue 03-02 10:00"]
    assert days(following(repeated, MONDAY, MONDAY + DAY - 60)) == ["Tue 03-02 10:00"]
    assert days(following(repeated, MONDAY, MONDAY + DAY + 60)) == ["Mon 03-08 10:00"]


def test_a_relative_action_that_repeats_has_a_date_from_then_on() -> None:
    repeated = action(TIME="+3600", REPEAT=3, DAYS=1, END_TYPE=0)
    set_done(repeated, MONDAY, MONDAY + 3601)
    assert repeated["TIME"] == str(MONDAY + 7200)


def _repetitions(repeated: dict[str, str], count: int) -> list[int]:
    found = []
    for _ in range(count):
        due_at = pending(repeated, START)
        assert due_at is not None
        set_done(repeated, START, due_at + 1)
        found.append(int(repeated["TIME"]))
    return found


# -- end of repetition -------------------------------------------------------------------------------------
def test_a_number_of_times() -> None:
    repeated = action(TIME=MONDAY, REPEAT=3, DAYS=1, END_TYPE=1, END_VALUE=3)
    runs = 0
    while (due_at := pending(repeated, START)) is not None:
        set_done(repeated, START, due_at)
        runs += 1
        assert runs < 10
    assert (runs, repeated["END_VALUE"], repeated["TIME"]) == (3, "1", str(MONDAY + 2 * 3600))


def test_until_a_date() -> None:
    repeated = action(TIME=MONDAY, REPEAT=3, DAYS=1, END_TYPE=2, END_VALUE=MONDAY + 2 * 3600)
    runs = 0
    while (due_at := pending(repeated, START)) is not None:
        set_done(repeated, START, due_at)
        runs += 1
        assert runs < 10
    assert runs == 3


@pytest.mark.parametrize(
    "parts",
    [
        {"REPEAT": 0},
        {"DAYS": "1"},
        {"REPEAT": 7, "DAYS": "1"},
        {"REPEAT": 0, "DAYS": "x"},
        {"REPEAT": 3, "DAYS": "0"},
        {"REPEAT": 0, "DAYS": "9"},
        {"REPEAT": 0, "DAYS": "1", "END_TYPE": 1},
        {"REPEAT": 0, "DAYS": "1", "END_TYPE": 1, "END_VALUE": 0},
        {"REPEAT": 0, "DAYS": "1", "END_TYPE": 2},
    ],
)
def test_no_repetition(parts: dict[str, object]) -> None:
    once = action(TIME=MONDAY, **parts)
    set_done(once, START, MONDAY + 5)
    assert once["TIME"] == str(MONDAY)
    assert pending(once, START) is None


def test_documents_of_opennebula() -> None:
    """A repetition whose TIME was left behind goes on from there; one without an end, too."""
    left = action(TIME=MONDAY, DONE=MONDAY + 5, REPEAT=3, DAYS=1)
    assert pending(left, START) == MONDAY + 3600
    assert pending(left | {"END_TYPE": "1", "END_VALUE": "1"}, START) is None


@pytest.mark.parametrize("far", ["249999999999", "-249999999999"])
@pytest.mark.parametrize("repeat", ["0", "1", "2", "3"])
def test_moments_far_away(far: str, repeat: str) -> None:
    strange = action(TIME=far, REPEAT=repeat, DAYS="1")
    assert pending(strange, START) == int(far)
    set_done(strange, START, MONDAY)
    assert strange["DONE"] == str(MONDAY)
    assert pending(strange | {"DONE": "9" * 18}, START) is None
