"""Permission rules: their numbers and text, what may be stored, and what deletions take with them."""

from __future__ import annotations

import pytest

from services.oned.errors import RequestError
from services.oned.model import acl
from services.oned.model.acl import ALL, CLUSTER, GROUP, INDIVIDUAL, Rule, kinds
from services.oned.model.cluster import Cluster
from services.oned.model.group import Group
from services.oned.model.host import Host
from services.oned.model.user import User
from tests.support.core import Core

USE, MANAGE, CREATE = 1, 2, 8
# Numbers of rules that a real zone stored.
RECORDED = [
    (
        Rule(0, 8589934593, 9361877654044672, 8, 17179869184),
        "@1 VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+VMGROUP/* CREATE *",
    ),
    (Rule(1, 17179869184, 140754668224512, 1, 17179869184), "* ZONE/* USE *"),
    (Rule(2, 17179869184, 6755416620924928, 1, 17179869184), "* MARKETPLACE+MARKETPLACEAPP/* USE *"),
    (Rule(3, 8589934593, 154618822656, 2, 4294967296), "@1 HOST/* MANAGE #0"),
    (Rule(4, 8589934593, 292057776128, 1, 4294967296), "@1 NET/* USE #0"),
    (Rule(5, 8589934593, 17609365913600, 1, 4294967296), "@1 DATASTORE/* USE #0"),
]
FINE = Rule(-1, INDIVIDUAL | 2, kinds("VM") | ALL, USE, ALL)


@pytest.mark.parametrize(("rule", "text"), RECORDED, ids=[str(rule.oid) for rule, _ in RECORDED])
def test_recorded_rules(rule: Rule, text: str) -> None:
    assert str(rule) == text
    assert rule.problems() == []


def test_a_rules_document() -> None:
    assert RECORDED[3][0].to_xml() == (
        "<ACL><ID>3</ID><USER>200000001</USER><RESOURCE>2400000000</RESOURCE><RIGHTS>2</RIGHTS><ZONE>100000000</ZONE>"
        "<STRING>@1 HOST/* MANAGE #0</STRING></ACL>"
    )


@pytest.mark.parametrize(
    ("user", "resource", "rights", "zone", "problem"),
    [
        (2, FINE.resource, USE, ALL, "[user] INDIVIDUAL (#), GROUP (@) and ALL (*) bits are missing"),
        (
            INDIVIDUAL | GROUP | 2,
            FINE.resource,
            USE,
            ALL,
            "[user] INDIVIDUAL (#), GROUP (@) and ALL (*) bits are exclusive",
        ),
        (ALL | 2, FINE.resource, USE, ALL, "when using the ALL bit, [user] ID must be 0"),
        (CLUSTER | 2, FINE.resource, USE, ALL, "[user] has bits that mean nothing"),
        (INDIVIDUAL | 0x8000_0000, FINE.resource, USE, ALL, "[user] ID cannot be negative"),
        (FINE.user, ALL, USE, ALL, "[resource] type is missing"),
        (
            FINE.user,
            kinds("VM"),
            USE,
            ALL,
            "[resource] INDIVIDUAL (#), GROUP (@), CLUSTER (%) and ALL (*) bits are missing",
        ),
        (
            FINE.user,
            kinds("VM") | ALL | GROUP,
            USE,
            ALL,
            "[resource] INDIVIDUAL (#), GROUP (@), CLUSTER (%) and ALL (*) bits are exclusive",
        ),
        (FINE.user, kinds("VM") | ALL | 5, USE, ALL, "when using the ALL bit, [resource] ID must be 0"),
        (
            FINE.user,
            kinds("VM") | CLUSTER | 5,
            USE,
            ALL,
            "CLUSTER(%) selector can be applied only to HOST, NET, DATASTORE",
        ),
        (FINE.user, kinds("HOST", "VM") | GROUP | 5, USE, ALL, "GROUP(@) selector cannot be applied to HOST"),
        (
            FINE.user,
            kinds("VM") | INDIVIDUAL | 5,
            USE,
            ALL,
            "INDIVIDUAL(#) selector cannot be applied to ALL zones",
        ),
        (FINE.user, 1 << 60 | ALL, USE, ALL, "wrong [resource] type"),
        (FINE.user, FINE.resource, 0, ALL, "wrong [rights], expected 1 to F, found 0"),
        (FINE.user, FINE.resource, 0x10, ALL, "wrong [rights], expected 1 to F, found 10"),
        (FINE.user, FINE.resource, USE, 0, "[zone] INDIVIDUAL (#) and ALL (*) bits are missing"),
        (FINE.user, FINE.resource, USE, GROUP | 1, "[zone] has bits that mean nothing"),
        (FINE.user, FINE.resource, USE, ALL | 1, "when using the ALL bit, [zone] ID must be 0"),
    ],
)
def test_malformed_rules(user: int, resource: int, rights: int, zone: int, problem: str) -> None:
    problems = Rule(-1, user, resource, rights, zone).problems()
    assert any(problem in found for found in problems), problems


def test_objects_of_federated_kinds_may_be_named_for_all_zones() -> None:
    assert Rule(-1, FINE.user, kinds("USER") | INDIVIDUAL | 5, USE, ALL).problems() == []
    assert Rule(-1, FINE.user, kinds("HOST", "NET", "DATASTORE") | CLUSTER | 5, USE, ALL).problems() == []


def test_a_rule_is_stored_once(core: Core) -> None:
    first = core.store.run(lambda tx: acl.add(tx, FINE))
    assert first == 6  # a fresh zone has 0 to 5
    with pytest.raises(RequestError, match="already exists"):
        core.store.run(lambda tx: acl.add(tx, FINE))
    core.store.run(lambda tx: acl.add_missing(tx, FINE))
    core.store.run(lambda tx: acl.delete(tx, first))
    with pytest.raises(RequestError, match="Rule 6 does not exist"):
        core.store.run(lambda tx: acl.delete(tx, first))
    assert core.store.run(lambda tx: acl.add(tx, FINE)) == 7  # ids are not given twice


def test_deleting_an_object_takes_its_rules(core: Core) -> None:
    def texts() -> set[str]:
        with core.store.read() as tx:
            return {str(rule) for rule in acl.rules(tx)}

    kept = {
        "#6 VM/* USE #0",
        "@5 VM/* USE #0",
        "* VM/@6 USE #0",
        "* HOST/%6 USE #0",
        "* HOST+NET/#5 USE #0",
        "* HOST/#6 USE #0",
        "* GROUP/#6 USE #0",
    }
    gone = {
        "#5 VM/* USE #0": User,
        "@7 VM/* USE #0": Group,
        "* VM+USER/@7 USE #0": Group,
        "* GROUP/#7 USE #0": Group,
        "* HOST+NET/%8 USE #0": Cluster,
        "* CLUSTER/#8 USE #0": Cluster,
        "* HOST/#9 USE #0": Host,
    }
    before = texts()
    for text in [*kept, *gone]:
        core.store.run(lambda tx, text=text: acl.add(tx, parsed(text)))
    assert texts() == before | kept | set(gone)
    for model, oid in ((User, 5), (Group, 7), (Cluster, 8), (Host, 9)):
        core.store.run(lambda tx, model=model, oid=oid: acl.delete_for_object(tx, model, oid))
    assert texts() == before | kept


def parsed(text: str) -> Rule:
    """The rule of a text with the right USE and zone 0."""
    selectors = {"#": INDIVIDUAL, "@": GROUP, "%": CLUSTER}
    user, resource, _, _ = text.split()
    names, _, selected = resource.partition("/")
    numbers = [ALL if part == "*" else selectors[part[0]] | int(part[1:]) for part in (user, selected)]
    return Rule(-1, numbers[0], kinds(*names.split("+")) | numbers[1], USE, INDIVIDUAL)
