"""Answers that a real OpenNebula 6.0.0.3 gave, replayed in the same order against a fresh zone of ours.

The records lie beside some checkouts only (see the fixture shared_folder); elsewhere these are left out.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from services.oned.api.registry import METHODS
from tests.service.conftest import mysql_section
from tests.support.schemas import Schemas
from tests.support.zone import SESSION, Zone

GROUPS = ("fresh", "users", "infra")
# The recorder's zone listened on this port, and the zone's document shows it.
PORT = "PORT = 3633"
# What a method that is not there yet would have changed besides its own kind of object.
FOLLOW = {"one.vdc": ("one.acl.info",)}


@dataclass
class Outcome:
    """How the records of one group came out."""

    total: int = 0
    matched: int = 0
    differences: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # the method is not registered
    following: list[str] = field(default_factory=list)  # needs what a missing method would have done


class Replay:
    """The records, played once against a zone."""

    def __init__(self, zone: Zone, records: list[dict[str, Any]]) -> None:
        self.outcomes = {group: Outcome() for group in GROUPS}
        self.documents: list[tuple[str, str]] = []
        self._zone = zone
        self._alice = "pw1"
        touched: set[str] = set()
        for record in records:
            if record["group"] in self.outcomes:
                self._play(record, self.outcomes[record["group"]], touched)

    def _play(self, record: dict[str, Any], outcome: Outcome, touched: set[str]) -> None:
        method = record["method"]
        outcome.total += 1
        if method not in METHODS:
            outcome.missing.append(method)
            kind = method.rpartition(".")[0]
            if record["ok"] and not method.endswith(".info"):
                touched.update((kind, *FOLLOW.get(kind, ())))
            return
        answer = self._zone.call(method, *record["args"], session=self._session(record))
        difference = compare(record, answer)
        if difference is None:
            outcome.matched += 1
        elif method in touched or method.rpartition(".")[0] in touched:
            outcome.following.append(method)
        else:
            outcome.differences.append(f"{method}{tuple(record['args'])} as {record['as']}: {difference}")
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


def compare(record: dict[str, Any], answer: list[Any]) -> str | None:
    """How an answer differs from the recorded one, or None."""
    code = answer[2]
    if answer[0] != record["ok"] or code != record["code"] or len(answer) != record["n_out"]:
        expected = record.get("error", record["ok"])
        return f"expected code {record['code']} ({expected}), found {code} ({str(answer[1])[:200]})"
    if "val" in record and record["val"] != "<str>" and answer[1] != record["val"]:
        return f"expected {record['val']!r}, found {answer[1]!r}"
    if "xml" not in record:
        return None
    found = flattened(etree.fromstring(answer[1].encode()))
    expected_pairs = [tuple(pair) for pair in record["xml"]]
    for expected_pair, found_pair in zip(expected_pairs, found, strict=False):
        path, value = expected_pair
        if found_pair[0] != path or (value != "*" and found_pair[1] != value):
            return f"expected {expected_pair}, found {found_pair}"
    if len(found) != len(expected_pairs):
        return f"expected {len(expected_pairs)} elements, found {len(found)}"
    return None


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
    zone = Zone(folder, section, PORT)
    yield Replay(zone, json.loads((shared_folder / "conformance/recorded.json").read_text()))
    zone.close()


@pytest.mark.parametrize("group", GROUPS)
def test_answers_are_as_recorded(replay: Replay, group: str) -> None:
    outcome = replay.outcomes[group]
    counted = f"conformance, group {group}: {outcome.matched} of {outcome.total} answers as recorded"
    if outcome.missing or outcome.following:
        warnings.warn(
            f"{counted}; not compared: {len(outcome.missing)} calls of methods that are not there yet "
            f"({', '.join(sorted(set(outcome.missing)))}), {len(outcome.following)} that need their effect",
            stacklevel=1,
        )
    assert outcome.total > 0
    assert not outcome.differences, counted + "\n" + "\n".join(outcome.differences)


def test_answers_validate_against_the_schemas(replay: Replay, shared_folder: Path) -> None:
    schemas = Schemas(shared_folder / "spec/xsd")
    checked = [(m, text) for m, text in replay.documents if schemas.knows(etree.fromstring(text).tag)]
    unchecked = sorted({method for method, _ in replay.documents} - {method for method, _ in checked})
    if unchecked:
        warnings.warn(f"no usable schema for the answers of {', '.join(unchecked)}", stacklevel=1)
    problems = {f"{method}: {problem}" for method, text in checked if (problem := schemas.problem(text))}
    assert checked
    assert not problems, "\n".join(sorted(problems))
