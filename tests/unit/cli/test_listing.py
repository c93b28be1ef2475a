"""Options of list and top, column configuration, and the forms of output."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.cli import documents, formats, kinds, listconf, table, units
from services.cli.errors import CliError
from services.cli.table import Column
from tests.unit.cli.conftest import DATA, Answers, Run


@pytest.fixture
def pool(answers: Answers) -> Answers:
    """Three VMs: 12345 runs, 8 is undeployed, 7 is on hold."""
    answers.document("one.vmpool.info", "vm_pool.xml")
    return answers


def ids(run: Run, *words: str) -> list[str]:
    code, out, err = run("onevm", "list", "-l", "ID", "--csv", "--no-header", *words)
    assert (code, err) == (0, "")
    return out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["12345", "8", "7"]),
        (("-f", "STAT=runn"), ["12345"]),
        (("-f", "STAT!=runn"), ["8", "7"]),
        (("-f", "USER=alice,STAT=hold"), ["7"]),
        (("-f", "USER=alice,STAT=runn", "--operator", "OR"), ["12345", "8", "7"]),
        (("-f", "NAME~more"), ["12345"]),
        (("-f", "ID<=8"), ["8", "7"]),
        (("-f", "MEM>=1024M"), ["12345", "8"]),
        (("-f", "CPU<0.5"), ["7"]),
        (("-f", "HOST="), ["8", "7"]),
    ],
)
def test_filters(pool: Answers, run: Run, words: tuple[str, ...], expected: list[str]) -> None:
    assert ids(run, *words) == expected


def test_columns_sizes_and_header(pool: Answers, run: Run) -> None:
    _, out, _ = run("onevm", "list", "-l", "NAME,ID", "--size", "NAME=20")
    assert out.splitlines()[:2] == ["NAME                    ID", "a-name-of-more-than- 12345"]
    _, out, _ = run("onevm", "list", "-l", "name,id", "--adjust", "NAME", "--no-header")
    assert out.splitlines()[0] == "a-name-of-more-than-fifteen 12345"


def test_csv_quotes_what_needs_it(pool: Answers, run: Run) -> None:
    _, out, _ = run("onevm", "list", "-l", "ID,IP,MEM", "--csv", "-k")
    assert out.splitlines() == [
        "ID,IP,MEM", '12345,"10.0.0.1,10.0.1.1",1362944', "8,,1048576", "7,,65536",
    ]  # fmt: skip
    _, out, _ = run("onevm", "list", "-l", "ID,IP", "--csv-del", ";", "--no-header")
    assert out.splitlines()[0] == "12345;10.0.0.1,10.0.1.1"


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ((), [-2, -1, -1, -1]),
        (("m",), [-3, -1, -1, -1]),
        (("mine",), [-3, -1, -1, -1]),
        (("g",), [-1, -1, -1, -1]),
        (("G",), [-4, -1, -1, -1]),
        (("2",), [2, -1, -1, -1]),
        (("alice",), [2, -1, -1, -1]),
        (("--search", "NAME=web"), [-2, -1, -1, -1, "NAME=web"]),
    ],
)
def test_filter_flag_and_search(
    pool: Answers, run: Run, words: tuple[str, ...], arguments: list[object]
) -> None:
    pool.document("one.userpool.info", "user_pool.xml")
    assert run("onevm", "list", *words)[0] == 0
    assert pool.calls[-1] == ("one.vmpool.info", arguments)


def test_extended_asks_for_whole_documents(answers: Answers, run: Run) -> None:
    answers.document("one.vmpool.infoextended", "vm_pool.xml")
    assert run("onevm", "list", "--extended")[0] == 0


def test_top_refreshes(pool: Answers, run: Run) -> None:
    code, out, _ = run("onevm", "top", "--count", "2", "-d", "0", "-l", "ID")
    assert (code, out.count("   ID\n")) == (0, 2)
    assert [method for method, _ in pool.calls] == ["one.vmpool.info"] * 2


def test_describe(pool: Answers, run: Run) -> None:
    _, out, _ = run("onevm", "list", "--describe")
    assert "* NAME            its name\n" in out and "  IP              addresses" in out
    assert pool.calls == []


# -- forms ---------------------------------------------------------------------------------------------
def test_xml_is_indented_and_keeps_cdata(answers: Answers, run: Run) -> None:
    answers.replies["one.vm.info"] = (
        "<VM><ID>1</ID><DEPLOY_ID></DEPLOY_ID><A><![CDATA[x < y & z]]></A><N>a &amp; b</N><T><U/></T></VM>"
    )
    assert run("onevm", "show", "1", "-x")[1] == (
        "<VM>\n  <ID>1</ID>\n  <DEPLOY_ID/>\n  <A><![CDATA[x < y & z]]></A>\n  <N>a &amp; b</N>\n"
        "  <T>\n    <U/>\n  </T>\n</VM>\n"
    )


def test_xml_output_is_the_same_document(pool: Answers, run: Run) -> None:
    out = run("onevm", "list", "-x")[1]
    sent = ElementTree.fromstring(pool.replies["one.vmpool.info"])
    shown = ElementTree.fromstring(out)
    for element in shown.iter():
        if len(element):
            element.text = None
        element.tail = None
    assert ElementTree.tostring(shown) == ElementTree.tostring(sent)


def test_json_has_stable_types(pool: Answers, run: Run) -> None:
    found = json.loads(run("onevm", "list", "-j")[1])["VM_POOL"]["VM"]
    assert [vm["ID"] for vm in found] == ["12345", "8", "7"]
    assert found[1]["DEPLOY_ID"] == "" and found[1]["USER_TEMPLATE"] == {}
    assert isinstance(found[1]["HISTORY_RECORDS"]["HISTORY"], list)
    pool.replies["one.vmpool.info"] = "<VM_POOL><VM><ID>1</ID></VM></VM_POOL>"
    assert json.loads(run("onevm", "list", "-j")[1]) == {"VM_POOL": {"VM": [{"ID": "1"}]}}
    pool.replies["one.vmpool.info"] = "<VM_POOL/>"
    assert json.loads(run("onevm", "list", "-j")[1]) == {"VM_POOL": {"VM": []}}


def test_json_of_ids_and_quotas(answers: Answers, run: Run) -> None:
    answers.document("one.cluster.info", "cluster.xml")
    found = json.loads(run("onecluster", "show", "100", "-j")[1])["CLUSTER"]
    assert found["DATASTORES"] == {"ID": ["100"]} and found["VNETS"] == {"ID": []}
    answers.document("one.userpool.info", "user_pool.xml")
    users = json.loads(run("oneuser", "list", "-j")[1])["USER_POOL"]
    assert len(users["USER"]) == len(users["QUOTAS"]) == 3
    assert users["DEFAULT_USER_QUOTAS"]["VM_QUOTA"] == {"VM": {"VMS": "20"}}


def test_yaml_is_read_back_as_the_same_texts() -> None:
    yaml = pytest.importorskip("yaml", reason="left out: no YAML library to read the output with")
    for path in sorted(DATA.glob("*.xml")):
        root = documents.parse(path.read_text())
        assert yaml.safe_load(formats.yaml(root)) == json.loads(formats.json(root)), path.name


def test_yaml() -> None:
    root = documents.parse(
        '<VM><ID>1</ID><N>no</N><M>m1</M><E/><DISK><A>x: "y"</A></DISK><DISK><A/></DISK></VM>'
    )
    assert formats.yaml(root) == (
        '---\nVM:\n  ID: "1"\n  N: "no"\n  M: m1\n  E: ""\n  DISK:\n  - A: "x: \\"y\\""\n  - A: ""\n'
    )


# -- large pools ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 3, 17, 64, 1000, 100000])
def test_a_pool_may_be_cut_anywhere(size: int) -> None:
    """Whatever the pieces, the members are the same; one of them holds a closing tag inside CDATA."""
    text = "".join(line.strip() for line in (DATA / "vm_pool.xml").read_text().splitlines())
    found: list[str] = []
    reader = documents.PoolReader(kinds.VM, lambda vm: found.append(vm.findtext("ID", "")))
    for at in range(0, len(text), size):
        reader.feed(text[at : at + size])
    reader.finish()
    assert found == ["12345", "8", "7"]


@pytest.mark.parametrize("text", ["<VM_POOL/>", "<VM_POOL></VM_POOL>"])
def test_an_empty_pool(text: str) -> None:
    reader = documents.PoolReader(kinds.VM, lambda vm: pytest.fail("there is no member"))
    for letter in text:
        reader.feed(letter)
    reader.finish()


@pytest.mark.parametrize("text", ["<VM_POOL><VM><ID>1</ID></VM>", "<VM_POOL><VM>", "", "<VM_POOL"])
def test_a_pool_that_is_cut_off_is_an_error(text: str) -> None:
    reader = documents.PoolReader(kinds.VM, lambda vm: None)
    reader.feed(text)
    with pytest.raises(CliError, match="not a complete pool|not well-formed"):
        reader.finish()


# -- tables and units ----------------------------------------------------------------------------------
def test_free_width_is_shared_in_proportion() -> None:
    """As the original's manual shows a 178-column terminal: NAME 15 to 75, HOST 10 to 50."""
    columns = [Column("NAME", "", 15, expand=-1), Column("X", "", 51), Column("HOST", "", 10, expand=-1)]
    assert table.widths(columns, [], 178) == [75, 51, 50]
    assert table.widths(columns, [], 60) == [15, 51, 10]
    assert table.widths(columns, [], None) == [15, 51, 10]


def test_states_are_coloured_on_a_terminal() -> None:
    lines = table.lines(
        [Column("ID", "", 4), Column("STAT", "", 4)], [["1", "runn"], ["2", "pend"]], styled=True
    )
    assert lines == ["\033[1m\033[4m  ID STAT\033[0m", "   1 \033[32mrunn\033[0m", "   2 pend"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0, "K", "0K"), (64, "M", "64M"), (1024, "M", "1024M"), (1331, "M", "1.3G"), (4096, "M", "4G"),
     (1075, "M", "1G"), (16777216, "K", "16G"), (7654604, "K", "7.3G"), (1024**4, "K", "1024T")],
)  # fmt: skip
def test_sizes(value: int, unit: str, text: str) -> None:
    assert units.size(value, unit) == text


# -- configuration -------------------------------------------------------------------------------------
def test_system_and_user_configuration(pool: Answers, run: Run, tmp_path: Path) -> None:
    for folder in ("etc/cli", ".one/cli"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/cli/onevm.yaml").write_text(
        ":NAME:\n  :size: 6\n:ID:\n  :adjust: false\n:default:\n- :ID\n- :NAME\n- :STAT\n"
        ":default_conf:\n  :short:\n  - :NAME\n"
    )
    assert run("onevm", "list")[1].splitlines()[1] == "1234 a-name runn"
    (tmp_path / ".one/cli/onevm.yaml").write_text("---\n# mine\n:NAME:\n  :left: false\n  :size: 3 # three\n")
    assert run("onevm", "list")[1].splitlines()[3] == "   7 web hold"
    assert run("onevm", "list", "-c", "short")[1].splitlines()[0] == "NAM"


def test_built_in_layout(pool: Answers, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LISTCONF", "user")
    assert run("onevm", "list", "--csv")[1].splitlines()[0] == "ID,NAME,IP,STAT,CPU,MEM,HOST,TIME"


@pytest.mark.parametrize(
    "text", [":ID\n", ":ID:\n\t:size: 4\n", ":ID:\n    :size: 4\n  :left: true\n", "- a\n"]
)
def test_a_broken_configuration_is_named_and_left_out(
    pool: Answers, run: Run, tmp_path: Path, text: str
) -> None:
    (tmp_path / "etc/cli").mkdir(parents=True)
    (tmp_path / "etc/cli/onevm.yaml").write_text(text)
    code, out, err = run("onevm", "list", "-l", "ID")
    assert (code, out.splitlines()[0]) == (0, "   ID")
    assert "onevm.yaml: line" in err and err.count("\n") == 1


def test_quoted_and_numeric_values() -> None:
    assert listconf.parse(":a: \"x: y\"\n:b: -1\n:c: true\n:d:\n:e:\n  - one\n  - :two\n") == {
        "a": "x: y", "b": -1, "c": True, "d": None, "e": ["one", "two"],
    }  # fmt: skip
