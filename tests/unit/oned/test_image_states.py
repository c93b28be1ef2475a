"""The table of image states: complete, without dead ends, and the only thing that changes a state."""

from __future__ import annotations

import pytest

from services.oned.lifecycle import image_fire
from services.oned.lifecycle.image_states import TABLE, rows
from services.oned.model.image import ImageState

_UNDER_WAY = ("LOCKED", "LOCKED_USED", "LOCKED_USED_PERS")


def test_every_name_is_a_state_and_every_effect_exists() -> None:
    for row in rows():
        assert row.origin in ImageState.__members__
        assert row.target == "=" or row.target in ImageState.__members__
        assert set(row.effects) <= image_fire.EFFECTS.keys()


def test_every_state_is_reached_and_left() -> None:
    reached, seen = {"INIT"}, 0
    while seen != len(reached):
        seen = len(reached)
        reached |= {row.target for row in rows() if row.origin in reached and row.target != "="}
    assert reached == set(ImageState.__members__)
    assert {row.origin for row in rows()} == set(ImageState.__members__)


@pytest.mark.parametrize("state", _UNDER_WAY)
def test_driver_work_can_end_well_and_badly(state: str) -> None:
    assert TABLE[state, "failed"].target == "ERROR"
    assert TABLE[state, "done"].target not in (*_UNDER_WAY, "ERROR")


@pytest.mark.parametrize("event", ["done", "failed"])
def test_vms_that_wait_are_told(event: str) -> None:
    assert TABLE["LOCKED_USED", event].effects == TABLE["LOCKED_USED_PERS", event].effects == ("tell_vms",)


@pytest.mark.parametrize("state", ["USED", "USED_PERS", "LOCKED_USED", "LOCKED_USED_PERS", "CLONE"])
def test_what_is_in_use_is_not_deleted(state: str) -> None:
    assert (state, "delete") not in TABLE


def test_words_in_messages_are_opennebulas() -> None:
    assert ImageState.USED_PERS.word == "USED"
    assert ImageState.LOCKED_USED_PERS.word == "LOCKED_USED"
    assert ImageState.READY.word == "READY"
