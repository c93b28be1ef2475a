"""Permission rules as a table: which rule opens what to whom."""

from __future__ import annotations

import pytest

from services.oned.auth import acl
from services.oned.auth.acl import Reach, Target
from services.oned.auth.rights import Right
from services.oned.auth.session import Caller
from services.oned.model.acl import ALL, CLUSTER, GROUP, INDIVIDUAL, KIND_BITS, Rule, kinds

ANN = Caller(2, 100, "ann", "devs", frozenset({100, 101}), 0o177)
_SELECTORS = {"#": INDIVIDUAL, "@": GROUP, "%": CLUSTER}


def rule(text: str, oid: int = 0) -> Rule:
    """The rule of a text such as ``@1 VM+IMAGE/#7 USE+MANAGE *``."""
    user, resource, rights, zone = text.split()
    names, _, selector = resource.partition("/")
    granted = sum(Right[name] for name in rights.split("+"))
    return Rule(oid, part(user), kinds(*names.split("+")) | part(selector), granted, part(zone))


def part(text: str) -> int:
    """The number of ``*``, ``#5``, ``@5`` or ``%5``."""
    return ALL if text == "*" else _SELECTORS[text[0]] | int(text[1:])


# (rule, kind, object, its group, its clusters, right, allowed)
CASES = [
    ("* VM/* USE *", "VM", 7, 5, [], Right.USE, True),
    ("* VM/* USE *", "VM", 7, 5, [], Right.MANAGE, False),
    ("* VM/* USE *", "HOST", 7, 5, [], Right.USE, False),
    ("* VM+HOST/* USE+MANAGE *", "HOST", 7, 5, [], Right.MANAGE, True),
    ("#2 VM/* USE *", "VM", 7, 5, [], Right.USE, True),
    ("#3 VM/* USE *", "VM", 7, 5, [], Right.USE, False),
    ("@100 VM/* USE *", "VM", 7, 5, [], Right.USE, True),
    ("@101 VM/* USE *", "VM", 7, 5, [], Right.USE, True),
    ("@2 VM/* USE *", "VM", 7, 5, [], Right.USE, False),
    ("#2 VM/#7 ADMIN *", "VM", 7, 5, [], Right.ADMIN, True),
    ("#2 VM/#8 ADMIN *", "VM", 7, 5, [], Right.ADMIN, False),
    ("#2 VM/@5 USE *", "VM", 7, 5, [], Right.USE, True),
    ("#2 VM/@7 USE *", "VM", 7, 5, [], Right.USE, False),
    ("#2 HOST/%4 USE *", "HOST", 7, 0, [4], Right.USE, True),
    ("#2 HOST/%4 USE *", "HOST", 7, 0, [3, 5], Right.USE, False),
    ("#2 HOST/%7 USE *", "HOST", 7, 0, [], Right.USE, False),
    ("#2 NET/%4 USE *", "NET", 7, 0, [0, 4], Right.USE, True),
    ("#2 VM/* USE #0", "VM", 7, 5, [], Right.USE, True),
    ("#2 VM/* USE #1", "VM", 7, 5, [], Right.USE, False),
    ("#2 VM/* CREATE *", "VM", -1, 100, [], Right.CREATE, True),
    ("#2 VM/@100 CREATE *", "VM", -1, 100, [], Right.CREATE, True),
    ("#2 VM/@101 CREATE *", "VM", -1, 100, [], Right.CREATE, False),
    ("#2 VM/#7 CREATE *", "VM", -1, 100, [], Right.CREATE, False),
]


@pytest.mark.parametrize(("text", "kind", "oid", "gid", "clusters", "right", "allowed"), CASES)
def test_what_a_rule_allows(
    text: str, kind: str, oid: int, gid: int, clusters: list[int], right: Right, allowed: bool
) -> None:
    target = Target(kinds(kind), oid, gid, lambda: clusters)
    assert (acl.allowing([rule(text)], ANN, target, right) is not None) is allowed


def test_rules_are_tried_from_the_widest_subject_to_the_groups() -> None:
    rules = [
        rule("@101 VM/* USE *", 1),
        rule("@100 VM/* USE *", 2),
        rule("#2 VM/* USE *", 3),
        rule("* VM/* USE *", 4),
    ]
    target = Target(kinds("VM"), 7, 5)
    for expected in (4, 3, 2, 1):
        found = acl.allowing(rules, ANN, target, Right.USE)
        assert found is not None and found.oid == expected
        rules.remove(found)
    assert acl.allowing(rules, ANN, target, Right.USE) is None


def test_clusters_are_looked_up_only_for_rules_that_name_one() -> None:
    def clusters() -> list[int]:
        raise AssertionError("not needed here")

    target = Target(kinds("HOST"), 7, 0, clusters)
    assert acl.allowing([rule("#2 HOST/#7 USE *")], ANN, target, Right.USE) is not None
    assert acl.allowing([rule("#2 HOST/#8 USE *")], ANN, target, Right.USE) is None


def test_reach_collects_what_rules_open() -> None:
    rules = [
        rule("#2 NET/#7 USE *"),
        rule("@100 NET/@5 USE #0"),
        rule("@101 NET/%3 USE+MANAGE *"),
        rule("#2 NET/#8 MANAGE *"),
        rule("#2 NET/#9 USE #1"),
        rule("#2 VM/#10 USE *"),
    ]
    assert acl.reach(rules, kinds("NET"), Right.USE, 0) == Reach(oids=[7], gids=[5], cids=[3])
    everything = [*rules, rule("#2 NET/* USE *")]
    assert acl.reach(everything, kinds("NET"), Right.USE, 0) == Reach(all=True)


def test_the_text_of_a_rule() -> None:
    texts = [case[0] for case in CASES]
    assert [str(rule(text)) for text in texts] == texts
    all_kinds = "+".join(KIND_BITS)
    assert str(rule(f"* {all_kinds}/* USE+MANAGE+ADMIN+CREATE *")).count("+") == len(KIND_BITS) + 2
