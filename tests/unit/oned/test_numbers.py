"""Numbers in attributes, read as OpenNebula reads them."""

from __future__ import annotations

import pytest

from services.oned.lifecycle import numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64", 64),
        (" \n64", 64),
        ("+5", 5),
        ("-5", -5),
        ("010", 10),
        (None, None),
        ("", None),
        ("64 ", None),
        ("64\n", None),
        ("6_4", None),
        ("64.0", None),
        ("0x10", None),
        ("٣", None),
        (str(2**63), None),
        (str(2**63 - 1), 2**63 - 1),
    ],
)
def test_whole(text: str | None, expected: int | None) -> None:
    assert numbers.whole(text) == expected


def test_smaller_bounds() -> None:
    assert numbers.whole(str(2**31), numbers.INT_LARGEST) is None
    assert numbers.whole(str(-(2**31)), numbers.INT_LARGEST) == -(2**31)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", "0.5"),
        ("1.", "1"),
        (".25", "0.25"),
        (" 1e6", "1e+06"),
        ("0.1234567", "0.123457"),
        ("-0.5", "-0.5"),
        ("1e", None),
        ("inf", None),
        ("nan", None),
        ("1e99", None),
        ("0.5 ", None),
        ("", None),
    ],
)
def test_decimal(text: str, expected: str | None) -> None:
    number = numbers.decimal(text)
    assert (None if number is None else numbers.decimal_text(number)) == expected


def test_lists_and_words() -> None:
    assert numbers.ids("3, 1,2x,,y,3") == [1, 2, 3] and numbers.ids(None) == []
    assert numbers.joined([3, 1, 3]) == "1,3" and numbers.joined([]) == ""
    assert [numbers.is_yes(text) for text in ("YES", "yes", "Y", "1", "true", "", None)] == [True, True] + [
        False
    ] * 5
