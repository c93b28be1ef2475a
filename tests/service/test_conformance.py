"""Answers that a real OpenNebula 6.0.0.3 gave, replayed in the same order against a fresh zone of ours.

The records lie beside some checkouts only (see the fixture shared_folder); elsewhere these are left out.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.service.conftest import mysql_section
from tests.support.drain import drain
from tests.support.schemas import Schemas
from tests.support.zone import ROOT, SESSION, Zone

GROUPS = ("fresh", "users", "infra", "images")
# The recorder's zone listened on this port, and the zone's document shows it.
PORT = "PORT = 3633"
# Part of the calls of each group that must be as recorded, in percent.
SAME_OUTCOME, SAME_PATHS, SAME_VALUES = 99.0, 97.0, 95.0
# Answers that differ, with the reason: (group, number of the record within it) -> why. None at present.
DIFFERENT: dict[tuple[str, int], str] = {}


@dataclass
class Outcome:
    """How the records of one group came out: how many calls, and how many of them alike in what."""

    total: int = 0
    same_outcome: int = 0  # success flag, code, number of values
    same_paths: int = 0  # and element paths, in their order
    same_values: int = 0  # and values
    differences: dict[int, str] = field(default_factory=dict)

    def percent(self, count: int) -> float:
        """A part of the calls."""
        return 100.0 * count / self.total

    def __str__(self) -> str:
        parts = (
            f"{name} {self.percent(count):.1f} %"
            for name, count in (
                ("outcome", self.same_outcome),
                ("paths", self.same_paths),
                ("values", self.same_values),
            )
        )
        return f"{self.total} calls as recorded in: {', '.join(parts)}"


class Replay:
    """The records, played once against a zone."""

    def __init__(self, zone: Zone, records: list[dict[str, Any]]) -> None:
        self.outcomes = {group: Outcome() for group in GROUPS}
        self.documents: list[tuple[str, str]] = []
        self._zone = zone
        self._alice = "pw1"
        for record in records:
            if record["group"] in self.outcomes:
                self._play(record, self.outcomes[record["group"]])

    def _play(self, record: dict[str, Any], outcome: Outcome) -> None:
        method = record["method"]
        answer = self._zone.call(method, *record["args"], session=self._session(record))
        if answer[0] and method == "one.image.allocate":
            drain(self._zone.store, self._zone.conf)  # the recorder waited until the image was ready
        for part, compare in COMPARISONS.items():
            difference = compare(record, answer)
            if difference is not None:
                called = f"{method}{tuple(record['args'])} as {record['as']}"
                outcome.differences[outcome.total] = f"{called}: {part}: {difference}"
                break
            setattr(outcome, part, getattr(outcome, part) + 1)
        outcome.total += 1
        if answer[0] and str(answer[1]).startswith("<"):
            self.documents.append((method, answer[1]))

    def _session(self, record: dict[str, Any]) -> str:
        user = record["as"]
        if user == "alice":
            session = f"alice:{self._alice}"
            if record["code"] == 0x100:  # the recorder tried the old password once after it was changed
                self._alice = "pw1b"
            return session
        return {"oneadmin": SESSION, "bob": "bob:pw2", "garbage": "garbage"}.get(user, f"{user}:x")


# -- comparisons: how an answer differs from the recorded one, or None -------------------------------------
def outcome_difference(record: dict[str, Any], answer: list[Any]) -> str | None:
    """In success flag, code and number of values."""
    if (answer[0], answer[2], len(answer)) == (record["ok"], record["code"], record["n_out"]):
        return None
    expected = record.get("error", record["ok"])
    return f"expected code {record['code']} ({expected}), found {answer[2]} ({str(answer[1])[:200]})"


def path_difference(record: dict[str, Any], answer: list[Any]) -> str | None:
    """In the elements of the document and their order."""
    for expected, found in _pairs(record, answer):
        if expected is None or found is None or expected[0] != found[0]:
            return f"expected {expected}, found {found}"
    return None


def value_difference(record: dict[str, Any], answer: list[Any]) -> str | None:
    """In values that do not differ from run to run (recorded as * or <str>)."""
    if "val" in record and record["val"] != "<str>" and answer[1] != record["val"]:
        return f"expected {record['val']!r}, found {answer[1]!r}"
    for expected, found in _pairs(record, answer):
        if expected is not None and expected[1] != "*" and expected != found:
            return f"expected {expected}, found {found}"
    return None


COMPARISONS: dict[str, Callable[[dict[str, Any], list[Any]], str | None]] = {
    "same_outcome": outcome_difference,
    "same_paths": path_difference,
    "same_values": value_difference,
}


def _pairs(
    record: dict[str, Any], answer: list[Any]
) -> Iterator[tuple[tuple[str, str | None] | None, tuple[str, str | None] | None]]:
    """The recorded and the found (path, text) of each element; None where one document is longer."""
    if "xml" in record:
        found = flattened(etree.fromstring(answer[1].encode()))
        yield from zip_longest((tuple(pair) for pair in record["xml"]), found)


def flattened(element: Any, prefix: str = "") -> list[tuple[str, str | None]]:
    """(path, text) of each element in order; the text is None where there are elements inside."""
    path = f"{prefix}/{element.tag}"
    pairs: list[tuple[str, str | None]] = [(path, None if len(element) else element.text or "")]
    for child in element:
        pairs += flattened(child, path)
    return pairs


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def replay(
    request: pytest.FixtureRequest, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replay]:
    """The replayed records, on each database in turn."""
    folder = tmp_path_factory.mktemp("conformance")
    section = ""
    if request.param == "mysql":
        section = mysql_section(request.getfixturevalue("mariadb"), "one_conformance")
    shutil.copytree(ROOT / "services/remotes", folder / "var/remotes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONE_LOCATION", str(folder))
        zone = Zone(folder, section, PORT)
        yield Replay(zone, json.loads((shared_folder / "conformance/recorded.json").read_text()))
        zone.close()


@pytest.mark.parametrize("group", GROUPS)
def test_answers_are_as_recorded(
    replay: Replay, group: str, record_property: Callable[[str, object], None]
) -> None:
    outcome = replay.outcomes[group]
    report = f"conformance, group {group}: {outcome}"
    print(report)
    for part in COMPARISONS:
        record_property(f"{group} {part} %", outcome.percent(getattr(outcome, part)))
    assert outcome.total > 0
    assert outcome.percent(outcome.same_outcome) >= SAME_OUTCOME, report
    assert outcome.percent(outcome.same_paths) >= SAME_PATHS, report
    assert outcome.percent(outcome.same_values) >= SAME_VALUES, report
    unexplained = [text for place, text in outcome.differences.items() if (group, place) not in DIFFERENT]
    assert not unexplained, f"{report}\n" + "\n".join(unexplained)
    explained = {place for of_group, place in DIFFERENT if of_group == group}
    assert explained <= outcome.differences.keys(), "an explained difference is no more"


def test_answers_validate_against_the_schemas(replay: Replay, shared_folder: Path) -> None:
    schemas = Schemas(shared_folder / "spec/xsd")
    checked = [(m, text) for m, text in replay.documents if schemas.knows(etree.fromstring(text).tag)]
    unchecked = sorted({method for method, _ in replay.documents} - {method for method, _ in checked})
    if unchecked:
        warnings.warn(f"no usable schema for the answers of {', '.join(unchecked)}", stacklevel=1)
    problems = {f"{method}: {problem}" for method, text in checked if (problem := schemas.problem(text))}
    assert checked
    assert not problems, "\n".join(sorted(problems))
