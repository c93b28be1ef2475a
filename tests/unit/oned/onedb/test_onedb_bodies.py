"""onedb change-body, update-body, show-body, and the same for history records."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from services.common import xmldoc
from services.oned.fsck import repair
from services.oned.onedb.kinds import KINDS
from tests.support.core import Core
from tests.support.onedb import Onedb, content

VM, OFF, ENDED = 1, 2, 3


def texts(core: Core, vm_id: int, path: str) -> list[str | None]:
    return [element.text for element in core.info("vm.info", vm_id).findall(path)]


# -- change-body -------------------------------------------------------------------------------------------
def test_a_value(core: Core, onedb: Onedb) -> None:
    onedb.done("change-body", "vm", "--id", str(VM), "/VM/TEMPLATE/DISK[DISK_ID=1]/CACHE", "none", "--append")
    onedb.done("change-body", "vm", "--expr", "NAME=busy", "/VM/TEMPLATE/DISK/CACHE", "default")
    assert texts(core, VM, "TEMPLATE/DISK/CACHE") == ["default"]
    row = core.rows("SELECT body, short_body FROM vm_pool WHERE oid = ?", VM)[0]
    assert "<CACHE><![CDATA[default]]></CACHE>" in row[0]
    core.zone.close()
    onedb.done(
        "change-body", "vm", "/VM/TEMPLATE/NIC/NETWORK", "renamed", "--xpath", "TEMPLATE[count(NIC)>0]"
    )
    assert texts(core, VM, "TEMPLATE/NIC/NETWORK") == ["renamed"]
    assert (
        "<NETWORK><![CDATA[renamed]]>" in core.rows("SELECT short_body FROM vm_pool WHERE oid = ?", VM)[0][0]
    )
    assert repair.look(core.store).unrepaired == []
    core.zone.close()


def test_columns_follow(core: Core, onedb: Onedb) -> None:
    onedb.done("change-body", "Template", "--id", "0", "/VMTEMPLATE/NAME", "other & more")
    assert core.rows("SELECT name, body LIKE '%<NAME>other &amp; more</NAME>%' FROM template_pool") == [
        ("other & more", 1)
    ]
    onedb.done("change-body", "image", "--id", "2", "/IMAGE/UID", "0")
    assert repair.look(core.store).unrepaired != []  # quotas count for the owner
    core.zone.close()
    onedb.done("fsck", "--no-backup")


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (("--expr", "UNAME=alice"), [VM]),
        (("--expr", "UNAME!=alice"), [0, OFF, ENDED]),
        (("--expr", "TEMPLATE/CPU>0.2"), []),
        (("--expr", "TEMPLATE/MEMORY>16"), [VM, OFF, ENDED]),
        (("--expr", "TEMPLATE/MEMORY>=64"), [VM, OFF, ENDED]),
        (("--expr", "TEMPLATE/MEMORY<=16"), [0]),
        (("--expr", "TEMPLATE/NONE=1"), []),
        (("--xpath", "TEMPLATE/GRAPHICS"), [VM]),
        (("--id", "3"), [ENDED]),
        ((), [0, VM, OFF, ENDED]),
    ],
)
def test_which_objects(onedb: Onedb, words: tuple[str, ...], changed: list[int]) -> None:
    onedb.done("change-body", "vm", *words, "/VM/RESCHED", "1")
    found = onedb.rows("SELECT oid FROM vm_pool WHERE body LIKE '%<RESCHED>1</RESCHED>%' ORDER BY oid")
    assert [row[0] for row in found] == changed


def test_deleting_and_appending(core: Core, onedb: Onedb) -> None:
    onedb.done("change-body", "vm", "/VM/TEMPLATE/DISK/SIZE", "--delete", "--id", str(VM))
    assert texts(core, VM, "TEMPLATE/DISK/SIZE") == []
    core.zone.close()
    onedb.done("change-body", "vm", "/VM/TEMPLATE/DISK/size", "7", "-a", "-i", str(VM))
    assert texts(core, VM, "TEMPLATE/DISK/SIZE") == ["7", "7"]
    core.zone.close()
    onedb.done("change-body", "vm", "/VM/TEMPLATE/DISK[2]/SIZE", "8", "-a", "-i", str(VM))
    assert texts(core, VM, "TEMPLATE/DISK/SIZE") == ["7", "8"]
    core.zone.close()
    onedb.done("change-body", "vm", "/VM/TEMPLATE/DISK/SIZE", "-d", "-i", str(VM))
    assert texts(core, VM, "TEMPLATE/DISK/SIZE") == []


def test_dry(core: Core, onedb: Onedb) -> None:
    before = content(core.store)
    core.zone.close()
    shown = onedb.done("change-body", "vm", "--id", str(VM), "/VM/NAME", "new", "--dry")
    assert xmldoc.parse(shown).findtext("NAME") == "new"
    assert content(core.store) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("vm", "/VM/NAME"), "A value or --delete should specified"),
        (("car", "/CAR/NAME", "x"), "Object type 'car' not supported"),
        (("vm", "/VM/NAME", "x", "--id", "77"), "Object with id 77 not found"),
        (("vm", "/VM/NAME[", "x"), "wrong XPath"),
        (("vm", "count(/VM)", "x"), "selects no elements"),
        (("vm", "/VM/NAME", "x", "--expr", "UNAME"), "Expression malformed: 'UNAME'"),
        (("vm", "/VM", "--delete"), "selects the whole document"),
        (("vm", "/VM/ID", "55"), "not the document of virtual machine"),
        (("vm", "/VM/STATE", "many"), "no document of a virtual machine"),
        (("vm", "/VM/STATE", "77"), "no document of a virtual machine"),
        (("vm", "NAME", "x", "--append"), "--append needs an XPath"),
        (("host", "/HOST/HOST_SHARE/MEM_USAGE", "x"), "no document of a host"),
    ],
)  # fmt: skip
def test_refusals(core: Core, onedb: Onedb, words: tuple[str, ...], said: str) -> None:
    before = content(core.store)
    core.zone.close()
    assert said in onedb.refused("change-body", *words)
    assert content(core.store) == before


def test_one_of_several_is_wrong(core: Core, onedb: Onedb) -> None:
    # The names of images are unique for an owner.
    said = onedb.refused("change-body", "image", "/IMAGE/NAME", "same")
    assert "Error updating object id 1\nanother image has the name 'same'\n" in said
    assert said.endswith("1 of 3 objects could not be changed\n")
    names = core.rows("SELECT name, body LIKE '%<NAME>same</NAME>%' FROM image_pool ORDER BY oid")
    assert names == [("same", 1), ("kept", 0), ("same", 1)]
    core.zone.close()


# -- show and update ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_shown(core: Core, onedb: Onedb, kind: str) -> None:
    found = onedb.rows(f"SELECT MIN(oid) FROM {KINDS[kind].TABLE}")[0][0]
    if found is None:
        assert kind == "vntemplate"
        return
    shown = onedb.done("show-body", kind, "--id", str(found))
    assert xmldoc.parse(shown).findtext("ID") == str(found)
    assert "not found" in onedb.refused("show-body", kind, "--id", "999")


def test_an_id_is_needed(onedb: Onedb) -> None:
    for command in ("show-body", "update-body"):
        assert "Missing object ID" in onedb.refused(command, "vm")
    for command in ("show-history", "update-history"):
        assert "Missing VM ID or SEQ" in onedb.refused(command, "--id", "1")


def edit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """Let EDITOR be a program that changes the file as a person would."""
    program = tmp_path / "my editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setenv("EDITOR", f"'{program}' --wait")


def test_an_editor(core: Core, onedb: Onedb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = core.rows("SELECT body FROM vm_pool WHERE oid = ?", VM)[0][0]
    core.zone.close()
    edit(monkeypatch, tmp_path, 'sed -i "s/<NAME>busy</<NAME>edited</" "$2"')
    onedb.done("update-body", "vm", "--id", str(VM))
    after = core.rows("SELECT body, name FROM vm_pool WHERE oid = ?", VM)[0]
    assert after[1] == "edited"
    canonical = xmldoc.etree.canonicalize
    assert canonical(after[0]) == canonical(before.replace("<NAME>busy<", "<NAME>edited<"))
    assert "\n" not in after[0]
    assert repair.look(core.store).unrepaired == []
    core.zone.close()


CHANGES_IT = f"""{sys.executable} -c '
import os, sqlite3
with sqlite3.connect(os.environ["DB"]) as database:
    database.execute("UPDATE vm_pool SET body = REPLACE(body, ?, ?) WHERE oid = 1", ("busy", "else"))
'"""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "the editor ended with 3"),
        ('echo "<VM><ID>1" > "$2"', "not well-formed"),
        ('echo "<HOST><ID>1</ID></HOST>" > "$2"', "not the document of virtual machine 1"),
        (CHANGES_IT, "changed meanwhile"),
    ],
)
def test_an_editor_that_is_refused(
    onedb: Onedb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, said: str
) -> None:
    monkeypatch.setenv("DB", str(onedb.file))
    edit(monkeypatch, tmp_path, script)
    assert said in onedb.refused("update-body", "vm", "--id", str(VM))


def test_no_editor(onedb: Onedb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "/no/such/program")
    assert "could not be started" in onedb.refused("update-body", "vm", "--id", str(VM))


def test_a_document_from_a_file(core: Core, onedb: Onedb, tmp_path: Path) -> None:
    file = tmp_path / "document"
    file.write_text(onedb.done("show-body", "document", "--id", "0").replace("paper", "stone"))
    onedb.done("update-body", "document", "--id", "0", "--file", str(file))
    assert core.rows("SELECT name FROM document_pool") == [("stone",)]
    core.zone.close()
    assert "cannot be read" in onedb.refused(
        "update-body", "document", "-i", "0", "--file", str(tmp_path / "no")
    )


# -- history records ---------------------------------------------------------------------------------------
def test_records(core: Core, onedb: Onedb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = ("--id", str(OFF), "--seq", "0")
    assert xmldoc.parse(onedb.done("show-history", *place)).findtext("OID") == str(OFF)
    assert "<CID>5</CID>" in onedb.done("change-history", *place, "/HISTORY/CID", "5", "--dry")
    onedb.done("change-history", *place, "/HISTORY/ETIME", "12")
    assert onedb.rows("SELECT etime FROM history WHERE vid = ? AND seq = 0", OFF) == [(12,)]
    edit(monkeypatch, tmp_path, 'sed -i "s/<STIME>.*<.STIME>/<STIME>9<\\/STIME>/" "$2"')
    onedb.done("update-history", *place)
    body = onedb.rows("SELECT body FROM history WHERE vid = ? AND seq = 0 AND stime = 9", OFF)[0][0]
    assert "<STIME>9</STIME>" in body and "<VM><ID>2</ID>" in body


def test_the_newest_record_is_in_the_document_too(core: Core, onedb: Onedb) -> None:
    onedb.done("change-history", "--id", str(VM), "--seq", "0", "/HISTORY/STIME", "77")
    assert texts(core, VM, "HISTORY_RECORDS/HISTORY/STIME") == ["77"]
    assert repair.look(core.store).unrepaired == []
    core.zone.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--id", "1", "--seq", "5", "/HISTORY/CID", "5"), "history record 5 for VM 1: there is none"),
        (("--id", "1", "/HISTORY/CID", "5"), "Missing VM ID or SEQ number"),
        (("--id", "1", "--seq", "0", "/HISTORY/SEQ", "5"), "not history record 0 of VM 1"),
        (("--id", "1", "--seq", "0", "/HISTORY/ETIME", "x"), "no history record"),
    ],
)
def test_records_that_are_refused(onedb: Onedb, words: tuple[str, ...], said: str) -> None:
    assert said in onedb.refused("change-history", *words)
