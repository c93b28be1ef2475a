"""Lists and shows, compared to the character with golden files.

A golden file ends lines with ``|`` where trailing blanks belong to the layout.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import pytest

from tests.unit.cli.conftest import Answers, Run, golden

NOW_S = 1600183600


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """UTC, two days, three hours and some seconds after the machines' start."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: float(NOW_S))
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("command", "method", "document"),
    [
        ("onevm", "one.vmpool.info", "vm_pool.xml"),
        ("onehost", "one.hostpool.info", "host_pool.xml"),
        ("onetemplate", "one.templatepool.info", "template_pool.xml"),
        ("oneuser", "one.userpool.info", "user_pool.xml"),
        ("onegroup", "one.grouppool.info", "group_pool.xml"),
        ("onedatastore", "one.datastorepool.info", "datastore_pool.xml"),
        ("onecluster", "one.clusterpool.info", "cluster_pool.xml"),
    ],
)
def test_list(answers: Answers, run: Run, command: str, method: str, document: str) -> None:
    answers.document(method, document)
    assert run(command, "list") == (0, golden(f"{command}_list.txt"), "")


@pytest.mark.parametrize(
    ("command", "words", "method", "document"),
    [
        ("onevm", ("7",), "one.vm.info", "vm.xml"),
        ("onehost", ("1",), "one.host.info", "host.xml"),
        ("onetemplate", ("1",), "one.template.info", "template.xml"),
        ("oneuser", ("2",), "one.user.info", "user.xml"),
        ("onegroup", ("100",), "one.group.info", "group.xml"),
        ("onedatastore", ("1",), "one.datastore.info", "datastore.xml"),
        ("onecluster", ("100",), "one.cluster.info", "cluster.xml"),
    ],
)
def test_show(
    answers: Answers, run: Run, command: str, words: tuple[str, ...], method: str, document: str
) -> None:
    answers.document("one.vmpool.info", "vm_pool.xml")
    answers.document("one.cluster.info", "cluster.xml")
    answers.document("one.grouppool.info", "group_pool.xml")
    answers.document("one.hostpool.info", "host_pool.xml")
    answers.document(method, document)
    assert run(command, "show", *words) == (0, golden(f"{command}_show.txt"), "")


def test_every_column_has_a_value(answers: Answers, run: Run) -> None:
    """All columns of all lists, so that none fails on a document as the front-end sends it."""
    from services.cli import decl, main

    pools = {
        "onevm": "vm", "onehost": "host", "onetemplate": "template", "oneuser": "user", "onegroup": "group",
        "onedatastore": "datastore", "onecluster": "cluster",
    }  # fmt: skip
    for name in pools.values():
        answers.document(f"one.{name}pool.info", f"{name}_pool.xml")
    for command in pools:
        sub = main.command_named(command).subs["list"]
        assert sub.view is not None
        columns = decl.load(sub.view).columns
        code, out, err = run(command, "list", "--list", ",".join(column.name for column in columns), "--csv")
        assert (code, err) == (0, "")
        rows = out.splitlines()
        assert rows[0].split(",") == [column.name for column in columns]
        assert len(rows) > 2


def test_all_columns_of_hosts(answers: Answers, run: Run) -> None:
    answers.document("one.hostpool.info", "host_pool.xml")
    columns = "ID,TCPU,FCPU,ACPU,TMEM,FMEM,AMEM,REAL_CPU,REAL_MEM,ZVM,PROVIDER,STAT"
    _, out, _ = run("onehost", "list", "-l", columns, "--csv", "-f", "ID=1")
    assert out.splitlines()[1] == "1,400,300,390,16G,12G,15G,100 / 400 (25%),4G / 16G (25%),0,-,on"


def test_cluster_of_a_vm_is_named(answers: Answers, run: Run) -> None:
    answers.document("one.vmpool.info", "vm_pool.xml")
    answers.document("one.clusterpool.info", "cluster_pool.xml")
    _, out, _ = run("onevm", "list", "-l", "ID,CLUSTER", "--csv", "--no-header")
    assert out.splitlines() == ["12345,production", "8,", "7,"]
    _, out, _ = run("onevm", "list", "-l", "ID,CLUSTER,USER,GROUP", "--csv", "--no-header", "--numeric")
    assert out.splitlines() == ["12345,100,0,0", "8,,2,1", "7,,2,1"]


@pytest.mark.parametrize(
    "name",
    ["onevm", "onehost", "onetemplate", "oneuser", "onegroup", "onedatastore", "onecluster"],
)
def test_headers_are_those_of_the_original(shared_folder: Path, name: str) -> None:
    recorded = (shared_folder / "conformance" / "cli" / f"{name}_list.txt").read_text().splitlines()[0]
    assert golden(f"{name}_list.txt").splitlines()[0].lstrip() == recorded.lstrip()


@pytest.mark.parametrize(
    ("name", "method", "oid"),
    [("onehost_show_0", "one.host.info", 0), ("onedatastore_show_1", "one.datastore.info", 1),
     ("oneuser_show_0", "one.user.info", 0)],
)  # fmt: skip
def test_a_recorded_document_is_shown_as_the_original_shows_it(
    shared_folder: Path, answers: Answers, run: Run, name: str, method: str, oid: int
) -> None:
    """The whole page, to the character: documents and pages come from the same real front-end."""
    folder = shared_folder / "conformance"
    page = (folder / "cli" / f"{name}.txt").read_text().removesuffix("exit=0\n")
    calls = json.loads((folder / "recorded.json").read_text())
    found = [c["xml"] for c in calls if c["method"] == method and c["args"][:1] == [oid] and "xml" in c]
    secrets = dict(re.findall(r"^(PASSWORD|TOKEN_PASSWORD)\W+(\w+)", page, re.M))
    volatile = {"BASE_PATH": f"/var/lib/one//datastores/{oid}", **secrets}
    answers.replies[method] = _document(found[-1], volatile)
    answers.replies["one.vmpool.info"] = "<VM_POOL/>"
    assert run(name.split("_")[0], "show", str(oid)) == (0, page, "")


def _document(paths: list[tuple[str, str | None]], volatile: dict[str, str]) -> str:
    """The XML text of a recorded list of paths and values; ``*`` stands for a volatile one."""
    opened: list[tuple[str, Element]] = []
    for path, value in paths:
        parent, tag = path.rsplit("/", 1)
        while opened and opened[-1][0] != parent:
            opened.pop()
        element = SubElement(opened[-1][1], tag) if opened else Element(tag)
        element.text = volatile.get(tag, "0") if value == "*" else value
        root = opened[0][1] if opened else element
        opened.append((path, element))
    return tostring(root, encoding="unicode")
