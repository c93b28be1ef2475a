"""Users and groups name each other; calls at the same time keep both sides equal, on each database."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import xmldoc
from tests.service.conftest import mysql_section
from tests.support.zone import Zone

THREADS, ROUNDS = 6, 12


@pytest.fixture(params=["sqlite", "mysql"])
def zone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Zone]:
    """A fresh zone, on each database in turn."""
    section = ""
    if request.param == "mysql":
        section = mysql_section(request.getfixturevalue("mariadb"), "one_memberships")
    made = Zone(tmp_path, section)
    yield made
    made.close()


def memberships(zone: Zone) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The groups of each user, as the users say, and as the groups do."""
    users = xmldoc.parse(zone.value("one.userpool.info"))
    groups = xmldoc.parse(zone.value("one.grouppool.info"))
    by_user = {
        user.findtext("ID") or "": {found.text or "" for found in user.findall("GROUPS/ID")}
        for user in users.findall("USER")
    }
    by_group: dict[str, set[str]] = {uid: set() for uid in by_user}
    for group in groups.findall("GROUP"):
        for found in group.findall("USERS/ID"):
            by_group.setdefault(found.text or "", set()).add(group.findtext("ID") or "")
    return by_user, by_group


def together(work: list[threading.Thread]) -> None:
    """Run threads to their end."""
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()


def test_changes_at_the_same_time(zone: Zone) -> None:
    gids = [zone.value("one.group.allocate", f"g{number}") for number in range(3)]
    uids = [zone.value("one.user.allocate", f"u{number}", "x", "core", [1]) for number in range(4)]
    faults: list[str] = []

    def change(seed: int) -> None:
        choice = random.Random(seed)
        for number in range(ROUNDS):
            uid, gid = choice.choice(uids), choice.choice(gids)
            call = choice.choice(["chgrp", "addgroup", "delgroup", "addadmin", "allocate"])
            if call == "allocate":
                answer = zone.call("one.user.allocate", f"t{seed}-{number}", "x", "core", [gid, 1])
                if answer[0] and number % 2:
                    answer = zone.call("one.user.delete", answer[1])
            elif call == "addadmin":
                answer = zone.call("one.group.addadmin", gid, uid)
            else:
                answer = zone.call(f"one.user.{call}", uid, gid)
            # Refusals such as "already in this group" are fine, failures of the database are not.
            if not answer[0] and "database" in answer[1]:
                faults.append(answer[1])
        zone.close()

    together([threading.Thread(target=change, args=(seed,)) for seed in range(THREADS)])
    assert not faults
    by_user, by_group = memberships(zone)
    assert by_user == by_group
    assert all(by_user.values())
    rules = xmldoc.parse(zone.value("one.acl.info")).findall("ACL/STRING")
    named = {(rule.text or "").split()[0] for rule in rules if (rule.text or "").startswith("#")}
    groups = xmldoc.parse(zone.value("one.grouppool.info"))
    assert named == {f"#{found.text}" for found in groups.findall("GROUP/ADMINS/ID")}


def test_one_name_is_given_once(zone: Zone) -> None:
    answers: list[list[object]] = []

    def create() -> None:
        answers.append(zone.call("one.user.allocate", "ann", "x", "core", [1]))
        zone.close()

    together([threading.Thread(target=create) for _ in range(THREADS)])
    assert sorted(answer[2] for answer in answers) == [0] + [0x2000] * (THREADS - 1)  # type: ignore[type-var]
    by_user, by_group = memberships(zone)
    assert len(by_user) == 3 and by_user == by_group


def test_first_objects_of_a_pool_at_the_same_time(zone: Zone) -> None:
    answers: list[list[object]] = []

    def create(number: int) -> None:
        answers.append(zone.call("one.template.allocate", f"NAME=t{number}\nCPU=1\nMEMORY=1"))
        zone.close()

    together([threading.Thread(target=create, args=(number,)) for number in range(THREADS)])
    assert [answer for answer in answers if not answer[0]] == []
    assert sorted(answer[1] for answer in answers) == list(range(THREADS))  # type: ignore[type-var]
