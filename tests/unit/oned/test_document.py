"""Documents: types, names, copies, and what every kind of object with an owner has."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.template import Template
from tests.support.core import Core, Refused
from tests.support.schemas import Schemas

AUTHORIZATION, NO_EXISTS, ACTION, API, INTERNAL, ALLOCATE = 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000


@pytest.fixture
def users(core: Core) -> None:
    """ann and bob of the group "users", eve of another one that may create nothing."""
    core.add_user("ann")
    core.add_user("bob")
    core.call("group.allocate", "outside")
    core.add_user("eve", 100)


def _refused(core: Core, code: int, method: str, *args: object, user: str = "oneadmin") -> Refused:
    with pytest.raises(Refused) as refusal:
        core.call(method, *args, user=user)
    assert refusal.value.code == code, refusal.value.text
    return refusal.value


def _listed(core: Core, *args: int, user: str = "oneadmin") -> list[int]:
    return [int(found.findtext("ID") or -1) for found in core.info("documentpool.info", *args, user=user)]


def test_a_new_document(core: Core, users: None, shared_folder: Path) -> None:
    assert core.call("document.allocate", 'NAME="web; one|two"\nBODY="{}"', 100, user="ann") == 0
    text = core.call("document.info", 0, user="ann")
    assert Schemas(shared_folder / "spec/xsd").problem(text) is None
    document = core.info("document.info", 0)
    assert [found.tag for found in document] == [
        *("ID", "UID", "GID", "UNAME", "GNAME", "NAME", "TYPE", "PERMISSIONS", "TEMPLATE"),
    ]
    assert [document.findtext(name) for name in ("UID", "GID", "NAME", "TYPE", "TEMPLATE/BODY")] == [
        *("2", "1", "web; one|two", "100", "{}"),
    ]
    assert core.rows("SELECT name, type, uid, gid FROM document_pool") == [("web; one|two", 100, 2, 1)]


def test_names(core: Core, users: None) -> None:
    core.call("document.allocate", "NAME=a", 1, user="ann")
    # Two documents may share a name, and one without gets its own.
    assert core.call("document.allocate", "NAME=a", 1, user="ann") == 1
    assert core.call("document.allocate", "X=1", 1, user="ann") == 2
    assert core.info("document.info", 2).findtext("NAME") == "document-2"
    for name in ("n" * 129, "a<b", "a&b"):
        _refused(core, INTERNAL, "document.allocate", f'NAME="{name}"', 1)
        _refused(core, ALLOCATE, "document.clone", 0, name)
    _refused(core, INTERNAL, "document.allocate", "NAME=[", 1)
    _refused(core, ACTION, "document.rename", 0, "b;c", user="ann")
    assert core.call("document.rename", 0, "b", user="ann") == 0
    assert core.call("document.rename", 1, "b", user="ann") == 1
    assert [core.info("document.info", oid).findtext("NAME") for oid in (0, 1)] == ["b", "b"]
    core.call("document.allocate", "NAME=b", 1, user="bob")
    assert core.call("document.chown", 0, 3, -1) == 0


def test_lists_have_one_type(core: Core, users: None) -> None:
    for doc_type in (100, 101, 100, 100):
        core.call("document.allocate", f"NAME=d{doc_type}", doc_type, user="ann")
    assert _listed(core, -2, -1, -1, 100) == [3, 2, 0]
    assert _listed(core, -2, -1, -1, 101) == [1]
    assert _listed(core, -2, -1, -1, 7) == []
    assert _listed(core, -2, 1, 2, 100) == [2]
    assert _listed(core, -2, 1, -1, 100, user="ann") == [3, 2]
    assert _listed(core, -2, 0, -2, 100) == [3, 2]  # a page of two
    assert _listed(core, -2, 2, -2, 100) == [0]
    assert _listed(core, -3, -1, -1, 100) == []
    assert _listed(core, -2, -1, -1, 100, user="bob") == []
    core.call("document.chmod", 2, -1, -1, -1, 1, -1, -1, -1, -1, -1, user="ann")
    assert _listed(core, -2, -1, -1, 100, user="bob") == [2]
    _refused(core, API, "documentpool.info", -5, -1, -1, 100)


def test_copies(core: Core, users: None) -> None:
    core.call("document.allocate", "NAME=a\nBODY=x\nROLE=[N=1]", 101, user="ann")
    core.call("document.chmod", 0, -1, -1, -1, 1, -1, -1, -1, -1, -1, user="ann")
    assert core.call("document.clone", 0, "b", user="bob") == 1
    copy = core.info("document.info", 1, user="bob")
    assert [copy.findtext(name) for name in ("UNAME", "NAME", "TYPE", "PERMISSIONS/GROUP_U")] == [
        *("bob", "b", "101", "0"),
    ]
    assert Template.from_element(copy.find("TEMPLATE")) == Template.parse("BODY=x\nROLE=[N=1]")
    assert core.call("document.clone", 0, "", user="bob") == 2
    assert core.info("document.info", 2).findtext("NAME") == "document-2"
    _refused(core, NO_EXISTS, "document.clone", 9, "c")
    _refused(core, AUTHORIZATION, "document.clone", 1, "c", user="ann")
    core.call("document.chmod", 0, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    _refused(core, AUTHORIZATION, "document.clone", 0, "c", user="eve")
    assert _listed(core, -2, -1, -1, 101) == [2, 1, 0]


def test_changing_attributes(core: Core, users: None) -> None:
    core.call("document.allocate", "NAME=a\nA=1\nB=1", 1, user="ann")
    core.call("document.update", 0, "B=2\nC=3", 1, user="ann")
    found = Template.from_element(core.info("document.info", 0).find("TEMPLATE"))
    assert found == Template.parse("A=1\nB=2\nC=3")
    core.call("document.update", 0, "D=4", user="ann")
    found = Template.from_element(core.info("document.info", 0).find("TEMPLATE"))
    assert found == Template.parse("D=4")
    assert core.info("document.info", 0).findtext("TYPE") == "1"
    _refused(core, API, "document.update", 0, "D=4", 2, user="ann")
    _refused(core, INTERNAL, "document.update", 0, "D=[", 0, user="ann")


def test_rights_and_locks(core: Core, users: None) -> None:
    _refused(core, AUTHORIZATION, "document.allocate", "NAME=a", 1, user="eve")
    core.call("document.allocate", "NAME=a", 1, user="ann")
    for method, args in (
        ("document.info", (0,)),
        ("document.update", (0, "X=1", 1)),
        ("document.rename", (0, "else")),
        ("document.chmod", (0, 1, 1, 1, -1, -1, -1, -1, -1, -1)),
        ("document.chown", (0, 3, -1)),
        ("document.lock", (0, 1)),
        ("document.unlock", (0,)),
        ("document.delete", (0,)),
    ):
        _refused(core, AUTHORIZATION, method, *args, user="bob")
        _refused(core, NO_EXISTS, method, 7, *args[1:])
    assert core.call("document.lock", 0, 2, True, user="ann") == 0
    document = core.info("document.info", 0)
    assert [found.tag for found in document][-3:] == ["PERMISSIONS", "LOCK", "TEMPLATE"]
    refusal = _refused(core, ACTION, "document.lock", 0, 4, True, user="ann")
    assert document.findtext("LOCK/TIME") in refusal.text  # type: ignore[operator]
    _refused(core, AUTHORIZATION, "document.update", 0, "X=1", 1, user="ann")
    assert core.call("document.unlock", 0, user="ann") == 0
    core.call("document.chown", 0, 3, 100)
    document = core.info("document.info", 0, user="bob")
    assert [document.findtext(name) for name in ("UID", "UNAME", "GID", "GNAME")] == [
        *("3", "bob", "100", "outside"),
    ]
    assert core.call("document.delete", 0, user="bob") == 0
    _refused(core, NO_EXISTS, "document.info", 0)


def test_secrets_are_kept_encrypted(core: Core, users: None) -> None:
    def stored(oid: int) -> str:
        return str(core.rows("SELECT body FROM document_pool WHERE oid = ?", oid)[0][0])

    core.call("document.allocate", "NAME=p\nPROVISION_BODY=hush\nA=1", 103, user="ann")
    core.call("document.clone", 0, "q", user="ann")
    for oid in (0, 1):
        assert "hush" not in stored(oid)
        assert core.info("document.info", oid, True).findtext("TEMPLATE/PROVISION_BODY") == "hush"
        # Not even the owner sees it in clear, and only who asks.
        assert "hush" not in core.call("document.info", oid, True, user="ann") + core.call(
            "document.info", oid
        )
    core.call("document.update", 0, "PROVISION_BODY=new", 1, user="ann")
    assert "[new]" not in stored(0)
    assert core.info("document.info", 0, True).findtext("TEMPLATE/PROVISION_BODY") == "new"
