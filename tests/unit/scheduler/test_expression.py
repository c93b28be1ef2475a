"""The table of expressions: a file has an expression, ``---`` and what comes of it on the hosts of cloud.xml.

Requirements: the ids of the hosts for which it holds, ``none``, or ``error:`` and the message. Ranks: one
number per host, or ``error:`` and the message.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common import xmldoc
from services.scheduler import expression
from services.scheduler.expression import ExpressionError
from services.scheduler.records import Snapshot
from services.scheduler.snapshot import parse_hosts
from services.scheduler.table import HostTable

HERE = Path(__file__).parent


def _files(folder: str) -> list[Path]:
    found = sorted((HERE / folder).glob("*.txt"))
    assert found, f"no cases in {folder}"
    return found


def _case(file: Path) -> tuple[str, str]:
    text, _, expected = file.read_text().partition("\n---\n")
    return text, expected.strip()


@pytest.fixture(scope="module")
def table() -> HostTable:
    """The hosts of cloud.xml."""
    cloud = xmldoc.parse((HERE / "cloud.xml").read_text())
    pools = [xmldoc.etree.tostring(child, encoding="unicode") for child in cloud]
    hosts = parse_hosts(pools[0], pools[1])
    return HostTable(Snapshot([], hosts, []), range(len(hosts)))


@pytest.mark.parametrize("file", _files("requirements"), ids=lambda file: file.stem)
def test_requirement(file: Path, table: HostTable) -> None:
    text, expected = _case(file)
    try:
        test = expression.requirement(text)
        holds = [str(host.id) for index, host in enumerate(table.hosts) if table.passes(index, test)]
        found = " ".join(holds) or "none"
    except ExpressionError as error:
        found = f"error: {error}"
    assert found == expected


@pytest.mark.parametrize("file", _files("ranks"), ids=lambda file: file.stem)
def test_rank(file: Path, table: HostTable) -> None:
    text, expected = _case(file)
    try:
        ranking = table.ranking(expression.rank(text))
        found = " ".join(f"{ranking.value(index) + 0.0:g}" for index in range(len(table.hosts)))
    except ExpressionError as error:
        found = f"error: {error}"
    assert found == expected


def test_a_chain_of_a_thousand_hosts_is_no_deep_nesting(table: HostTable) -> None:
    text = " | ".join(f"ID = {number}" for number in range(2, 1002))
    test = expression.requirement(text)
    assert [table.passes(index, test) for index in range(3)] == [False, False, True]


def test_an_endless_expression_is_refused() -> None:
    with pytest.raises(ExpressionError, match="65537 characters, at most 65536"):
        expression.requirement("A" * 65537)


@given(st.text(alphabet="AB01 .*?\"'()=!<>@&|+-/;\\\n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (expression.requirement, expression.rank):
        try:
            read(text).evaluate(lambda name: ("1", "b"))
        except ExpressionError as error:
            assert str(error)
