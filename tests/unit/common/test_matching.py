"""Everybody gets something exactly when that is possible."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from services.common.matching import assign

_wishes = st.lists(st.lists(st.integers(0, 4), max_size=4, unique=True), max_size=5)


@given(_wishes, st.lists(st.integers(0, 2), min_size=5, max_size=5))
def test_against_every_way_to_choose(wishes: list[list[int]], room: list[int]) -> None:
    found = assign(wishes, room.__getitem__)
    ways = [way for way in product(*wishes) if all(way.count(one) <= room[one] for one in set(way))]
    assert (found is None) == (not ways)
    assert found is None or tuple(found) in ways
    if ways and wishes:
        # Nobody before has to give way: the first wish has what it likes best.
        free = [[one for one in wish if room[one]] for wish in wishes]
        if tuple(wish[0] for wish in free) in ways:
            assert found == [wish[0] for wish in free]
