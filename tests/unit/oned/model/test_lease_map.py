"""The leases of a range, held as the database's text, against a plain dictionary."""

from __future__ import annotations

import random

import pytest

from services.oned.model.lease_map import Holder, Lease, LeaseMap

SIZES = (5, 40, 300)


def _check(leases: LeaseMap, expected: dict[int, tuple[Holder, int]], size: int) -> None:
    assert [lease.offset for lease in leases] == sorted(expected)
    assert {lease.offset: (lease.holder, lease.oid) for lease in leases} == expected
    assert len(leases) == len(expected)
    assert leases.first_free(size) == next((at for at in range(size) if at not in expected), None)
    assert LeaseMap(leases.text).text == leases.text


@pytest.mark.parametrize("size", SIZES)
def test_against_a_dictionary(size: int) -> None:
    chance = random.Random(size)
    leases, expected = LeaseMap(), dict[int, tuple[Holder, int]]()
    for _ in range(400):
        at = chance.randrange(size)
        owner = (chance.choice(list(Holder)), chance.choice([-1, 0, 7, 2**31 - 1]))
        if at in expected:
            assert not leases.remove(at, Holder.VM, 12345)
            assert leases.owner(at) == Lease(at, *expected[at])
            assert leases.remove(at, *expected.pop(at))
        elif chance.random() < 0.7:
            leases.add(at, *owner)
            expected[at] = owner
        assert (at in leases) == (at in expected)
        _check(leases, expected, size)


@pytest.mark.parametrize("size", SIZES)
def test_ranges_against_a_dictionary(size: int) -> None:
    chance = random.Random(size)
    leases, expected = LeaseMap(), dict[int, tuple[Holder, int]]()
    for turn in range(60):
        count = chance.randrange(1, 6)
        fits = (at for at in range(size - count + 1) if not expected.keys() & set(range(at, at + count)))
        start = next(fits, None)
        assert leases.first_gap(count, size) == start
        if start is not None:
            assert not leases.any_in(start, count)
            leases.add_range(start, count, Holder.NET, turn)
            expected.update(dict.fromkeys(range(start, start + count), (Holder.NET, turn)))
        if turn % 3 == 2:
            gone = [at for at, (_, oid) in expected.items() if oid == turn - 1]
            assert leases.remove_owner(Holder.NET, turn - 1) == len(gone)
            for at in gone:
                del expected[at]
        _check(leases, expected, size)
        beyond = size // 2
        assert leases.any_beyond(beyond) == any(at >= beyond for at in expected)


def test_a_range_that_is_taken_in_part() -> None:
    leases = LeaseMap()
    leases.add(3, Holder.VM, 1)
    assert leases.any_in(2, 2) and not leases.any_in(4, 2)
    with pytest.raises(ValueError, match="from 2 to 4"):
        leases.add_range(2, 3, Holder.NET, 5)
    with pytest.raises(ValueError, match="address 3"):
        leases.add(3, Holder.VM, 2)
    assert leases.text == " 3 68719476737"


def test_the_form_of_the_database() -> None:
    leases = LeaseMap()
    leases.add(4, Holder.VR, 0)
    leases.add(0, Holder.NET, 5)
    leases.add(1, Holder.VM, 4)
    leases.add(2, Holder.VM, -1)
    assert leases.text == " 0 274877906949 1 68719476740 2 73014444031 4 1125899906842624"
    assert LeaseMap("0 68719476737\n 3 68719476737 ").text == " 0 68719476737 3 68719476737"
    assert LeaseMap("").text == ""


@pytest.mark.parametrize("text", ["1", "1 2 3", "a b", " 0 -5"])
def test_texts_that_are_no_leases(text: str) -> None:
    with pytest.raises(ValueError, match="leases cannot be read"):
        LeaseMap(text)


def test_a_full_range_is_searched_without_being_read() -> None:
    size = 65_534
    leases = LeaseMap()
    leases.add_range(0, size, Holder.VM, 9)
    assert leases.first_free(size) is None and leases.first_free(size + 1) == size
    assert leases.remove(40_000, Holder.VM, 9)
    assert leases.first_free(size) == 40_000
    leases.add(40_000, Holder.VM, 10)
    assert len(leases) == size and leases.owner(40_000) == Lease(40_000, Holder.VM, 10)
