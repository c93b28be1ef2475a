"""What each change does to each format, in the mode of patch: what it says wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from onecfg import edit, patch
from onecfg.change import Change, as_line, parse_line
from onecfg.documents import parse
from onecfg.errors import ChangeError, OnecfgError, ParseError, PathNotFound

ONED = """# one
PORT = 2633   # the port
DB = [ BACKEND = "sqlite",   # which
       TIMEOUT = 2500 ]

VM_MAD = [
    NAME      = "kvm",
    ARGUMENTS = "-t 15" ]
VM_RESTRICTED_ATTR = "RAW"
VM_RESTRICTED_ATTR = "NIC/MAC"
#ONEGATE_ENDPOINT = "http://x"   # where
lower = [ part = 1 ]
"""
SHELL = """# first
export A=1   # one
B="two words"
B=3
C='x'; export C
#D=5
if [ -n "$A" ]; then echo; fi
E=$(printf '%s' "$A") # left as it is
"""
YAML = """---
# top
:host: 127.0.0.1   # where
:list:
  - a   # first
  - b

# about the map
:map:
    :x: 1
    :y: [1, 2]
    # below y

:none:
#:off: 3
"plain": 'text'
"""


def _applied(text: str, format_name: str, line: str) -> tuple[str, tuple[bool, bool, str]]:
    document = parse(text, format_name)
    outcome = document.apply(parse_line(line, "line 1"))
    return document.text, (outcome.is_applied, outcome.is_present, outcome.mode)


DONE, REPLACED, PRESENT = (True, False, ""), (True, False, "replace"), (False, True, "")
ONED_CASES = [
    # set replaces in place, adds what is missing, and always counts
    ("set PORT 1", ("PORT = 2633 ", "PORT = 1 "), REPLACED),
    ("set port 1", ("PORT = 2633 ", "PORT = 1 "), REPLACED),
    ("SET PORT 2633", ("", ""), DONE),
    ("set NEW 0.1", ("part = 1 ]\n", "part = 1 ]\nNEW = 0.1\n"), REPLACED),
    ('set DB/BACKEND "\\"mysql\\""', ('"sqlite"', '"mysql"'), REPLACED),
    ("set LOWER/PART 2", ("part = 1", "part = 2"), REPLACED),
    ("set RAFT/A 1", ("part = 1 ]\n", "part = 1 ]\nRAFT = [\n    A = 1 ]\n"), REPLACED),
    # ins adds; another value is replaced, the same one does not count
    ("ins PORT 2633", ("", ""), PRESENT),
    ("ins PORT 9", ("PORT = 2633 ", "PORT = 9 "), REPLACED),
    ('ins DB/SERVER "\\"a\\""', ("2500 ]", '2500,\n       SERVER  = "a" ]'), DONE),
    ('ins ONEGATE_ENDPOINT "\\"b\\""', ("# where\n", '# where\nONEGATE_ENDPOINT = "b"\n'), DONE),
    # sections that are found by their name
    ('set VM_MAD/"kvm"/ARGUMENTS "\\"-t 1\\""', ('"-t 15"', '"-t 1"'), REPLACED),
    ('ins "VM_MAD/\\"kvm\\"/TYPE" "\\"kvm\\""', ('"-t 15" ]', '"-t 15",\n    TYPE      = "kvm" ]'), DONE),
    (
        'ins VM_MAD/"lxc"/NAME "\\"lxc\\""',
        ('"-t 15" ]\n', '"-t 15" ]\n\nVM_MAD = [\n    NAME = "lxc" ]\n'),
        DONE,
    ),
    ('rm VM_MAD/"kvm"/ARGUMENTS', (',\n    ARGUMENTS = "-t 15" ]', " ]"), DONE),
    ('rm VM_MAD/"kvm"', ('VM_MAD = [\n    NAME      = "kvm",\n    ARGUMENTS = "-t 15" ]\n', ""), DONE),
    # settings with several values
    ('ins VM_RESTRICTED_ATTR "\\"NEW\\""', ('"NIC/MAC"\n', '"NIC/MAC"\nVM_RESTRICTED_ATTR = "NEW"\n'), DONE),
    ('ins VM_RESTRICTED_ATTR "\\"RAW\\""', ("", ""), PRESENT),
    ('rm VM_RESTRICTED_ATTR "\\"RAW\\""', ('VM_RESTRICTED_ATTR = "RAW"\n', ""), DONE),
    ('rm VM_RESTRICTED_ATTR "\\"NONE\\""', ("", ""), PRESENT),
    # rm
    ("rm PORT", ("PORT = 2633   # the port\n", ""), DONE),
    ("rm DB/BACKEND", ('BACKEND = "sqlite",   # which\n       ', ""), DONE),
    ("rm DB", ('DB = [ BACKEND = "sqlite",   # which\n       TIMEOUT = 2500 ]\n', ""), DONE),
    ("rm NONE", ("", ""), PRESENT),
]
SHELL_CASES = [
    ("set A 2", ("A=1 ", "A=2 "), REPLACED),
    ("ins A 1", ("", ""), PRESENT),
    ('set B "\\"x y\\""', ('B="two words"\nB=3\n', 'B="x y"\n'), REPLACED),
    ("ins D 6", ("#D=5\n", "#D=5\nD=6\n"), DONE),
    ("ins NEW true", ("as it is\n", "as it is\nNEW=true\n"), DONE),
    ('ins NEW ""', ("as it is\n", "as it is\nNEW=\n"), DONE),
    ("rm A", ("export A=1   # one\n", ""), DONE),
    ("rm B", ('B="two words"\nB=3\n', ""), DONE),
    ("set E 1", ("""$(printf '%s' "$A")""", "1"), REPLACED),
    ("rm NONE", ("", ""), PRESENT),
]
YAML_CASES = [
    ('set :host "0.0.0.0"', ("127.0.0.1 ", "0.0.0.0 "), REPLACED),
    ('ins :host "127.0.0.1"', ("", ""), PRESENT),
    ("set :host null", ("127.0.0.1   #", "  #"), REPLACED),
    ("set :none 5", (":none:\n", ":none: 5\n"), REPLACED),
    ("ins :off 4", ("#:off: 3\n", "#:off: 3\n:off: 4\n"), DONE),
    ('ins :sym ":word"', ("'text'\n", "'text'\n:sym: :word\n"), DONE),
    ('set plain "no"', ("'text'", "'no'"), REPLACED),
    ('set plain "1"', ("'text'", "'1'"), REPLACED),
    ('set plain ": # x"', ("'text'", "': # x'"), REPLACED),
    # lists: ins appends what is not there, rm takes one out
    ('ins :list "c"', ("- b\n", "- b\n  - c\n"), DONE),
    ('ins :list "a"', ("", ""), PRESENT),
    ('rm :list "a"', ("  - a   # first\n", ""), DONE),
    ('rm :list "z"', ("", ""), PRESENT),
    ("ins :map/:y 3", ("[1, 2]", "[1, 2, 3]"), DONE),
    ("rm :map/:y 1", ("[1, 2]", "[2]"), DONE),
    ('set :list ["b"]', ("  - a   # first\n", ""), REPLACED),
    ("set :list []", ("\n  - a   # first\n  - b\n", " []\n"), REPLACED),
    # maps
    ("set :map/:x 2", (":x: 1", ":x: 2"), REPLACED),
    ("ins :map/:z [1]", ("# below y\n", "# below y\n    :z:\n      - 1\n"), DONE),
    ('ins :map/:z {":k": {"a": 1}}', ("# below y\n", "# below y\n    :z:\n      :k:\n        a: 1\n"), DONE),
    ('set :map {":x": 1, ":y": [1, 2], "w": 3}', ("# below y\n", "# below y\n    w: 3\n"), REPLACED),
    ("rm :map/:x", ("    :x: 1\n", ""), DONE),
    ("rm :map/:none", ("", ""), PRESENT),
    ("ins :none/:deep/:er 1", None, None),
    ('ins :none/:deep true', (":none:\n", ":none:\n  :deep: true\n"), DONE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("format_name", "line", "difference", "outcome"),
    [("oned", *case) for case in ONED_CASES]
    + [("shell", *case) for case in SHELL_CASES]
    + [("yaml", *case) for case in YAML_CASES],
)
def test_a_change_touches_its_place_only(
    format_name: str, line: str, difference: tuple[str, str] | None, outcome: tuple[bool, bool, str] | None
) -> None:
    text = {"oned": ONED, "shell": SHELL, "yaml": YAML}[format_name]
    if difference is None:
        with pytest.raises(PathNotFound):
            _applied(text, format_name, line)
        return
    before, after = difference
    assert text.count(before) == 1 or not before
    assert _applied(text, format_name, line) == (text.replace(before, after) if before else text, outcome)


def test_set_on_what_is_so_already_counts_and_changes_nothing() -> None:
    for format_name, text, line in (
        ("oned", ONED, "set PORT 2633"),
        ("shell", SHELL, "set A 1"),
        ("yaml", YAML, 'set :host "127.0.0.1"'),
    ):
        after, (is_applied, _, _) = _applied(text, format_name, line)
        assert after == text and is_applied


def test_the_export_of_a_variable() -> None:
    document = parse(SHELL, "shell")
    assert [document.is_exported(name) for name in "ABC"] == [True, False, False]  # type: ignore[attr-defined]
    assert document.apply(Change("set", (), "B", extra={"export": True})).is_applied
    assert "\nexport B=3\n" in document.text
    assert document.apply(Change("set", (), "A", extra={"export": False})).is_applied
    assert "\nA=1   # one\n" in document.text
    document.apply(Change("ins", (), "N", "1", extra={"export": True}))
    assert document.text.endswith("\nexport N=1\n")
    listed = parse("A=1\nB=2\nexport A B # both\n", "shell")
    listed.apply(Change("set", (), "A", extra={"export": False}))
    assert listed.text == "A=1\nB=2\nexport B # both\n"


def test_places_in_ordered_lists() -> None:
    text = ":default:\n- :ID\n- :NAME\n- :CPU\n"
    for index, before, expected, mode in (
        (1, ":NAME", [":ID", ":NEW", ":NAME", ":CPU"], ""),
        (1, ":CPU", [":ID", ":NAME", ":NEW", ":CPU"], "force"),
        (9, None, [":ID", ":NAME", ":CPU", ":NEW"], ""),
    ):
        document = parse(text, "yaml-strict")
        outcome = document.apply(
            Change("ins", (":default",), None, ":NEW", old=before, extra={"index": index})
        )
        assert (document.get((":default",)), outcome.mode) == (expected, mode)
    document = parse(text, "yaml-strict")
    outcome = document.apply(Change("rm", (":default",), None, old=":CPU", extra={"index": 0}))
    assert (document.text, outcome.mode) == (":default:\n- :ID\n- :NAME\n", "force")


def test_order_counts_in_strict_files_only() -> None:
    change = Change("ins", (), ":map", {"a": [2, 1]})
    text = ":map: { a: [1, 2] }\n"
    assert parse(text, "yaml").apply(change).is_present
    assert parse(text, "yaml-strict").apply(change).is_applied
    reordered = parse(":l:\n- 2\n- 1\n", "yaml-strict")
    assert [as_line(item) for item in parse(":l:\n- 1\n- 2\n", "yaml-strict").diff(reordered)] == [
        "set :l [2, 1]"
    ]


def test_files_without_a_structure_change_by_unified_diffs() -> None:
    old, new = "a\nb\nc\nd\ne\nf\ng\nh\n", "a\nB\nc\nd\ne\nf\ng"
    (change,) = parse(old, "simple").diff(parse(new, "simple"))
    document = parse(old, "simple")
    assert document.apply(change).is_applied and document.text == new
    with pytest.raises(ChangeError, match="does not fit"):
        document.apply(change)
    with pytest.raises(ChangeError, match="only changed as a whole"):
        document.set("A", "1")


@pytest.mark.parametrize(
    ("line", "path", "value"),
    [
        ("ins a/b", ("a",), None),
        ("ins //a//b/ null", ("a",), None),
        ("ins a/b 11", ("a",), 11),
        ('ins a/b "11"', ("a",), "11"),
        ("ins a/b \"'11'\"", ("a",), "'11'"),
        ('ins a/b "\\"11\\""', ("a",), '"11"'),
        ("ins a/b true", ("a",), True),
        ('ins a/b ["apple", "orange"]', ("a",), ["apple", "orange"]),
        ('ins a/b {"fruit": "apple"}', ("a",), {"fruit": "apple"}),
        ('iNs  "server 1/b"   [1]  ', ("server 1",), [1]),
        ('ins "x \\"y\\"/b" 1', ('x "y"',), 1),
    ],
)
def test_the_line_format(line: str, path: tuple[str, ...], value: object) -> None:
    change = parse_line(line, "line 1")
    assert (change.state, change.path, change.key, change.value) == ("ins", path, "b", value)
    assert parse_line(as_line(change), "line 1").full_path == change.full_path


@pytest.mark.parametrize("value", ["'11'", "['apple']", "{'a': 1}", "apple", "1 2", "1" * 5000, "[" * 10**5])
def test_what_is_no_json_is_refused(value: str) -> None:
    with pytest.raises(ParseError, match="Invalid JSON value at line 7"):
        parse_line(f"ins a {value}", "line 7")


def test_settings_for_programs(root: Path) -> None:
    path = root / "etc/one/oned.conf"
    assert edit.set_value(path, "ONEGATE_ENDPOINT", '"http://x:5030"')
    assert not edit.set_value(path, "ONEGATE_ENDPOINT", '"http://x:5030"')
    assert (
        '\n#ONEGATE_ENDPOINT = "http://frontend:5030"\nONEGATE_ENDPOINT = "http://x:5030"\n'
        in path.read_text()
    )
    assert edit.get_value(path, "ONEGATE_ENDPOINT") == edit.quoted("http://x:5030")
    assert edit.remove_value(path, "ONEGATE_ENDPOINT") and not edit.remove_value(path, "ONEGATE_ENDPOINT")
    assert edit.insert_value(root / "etc/one/onegate-server.conf", ":restricted_attrs", "MINE")
    assert edit.remove_value(root / "etc/one/onegate-server.conf", ":restricted_attrs", "MINE")
    other = root / "other.txt"
    other.write_text("A=1\n")
    with pytest.raises(OnecfgError, match=r"other\.txt: no known configuration file"):
        edit.set_value(other, "A", 2)
    assert edit.set_value(other, "A", 2, format_name="shell") and other.read_text() == "A=2\n"


def test_a_patch_can_be_given_again(root: Path) -> None:
    text = "/etc/one/oned.conf ins NEW 1\n/etc/one/oned.conf rm DEFAULT_IMAGE_TYPE\n"
    assert patch.apply(text, root=root, all_changes=True).changed_files == ["/etc/one/oned.conf"]
    with pytest.raises(patch.NotSaved, match="No changes applied") as caught:
        patch.apply(text, root=root)
    assert caught.value.report.unapplied() == [
        "line 1: /etc/one/oned.conf: the value is there already",
        "line 2: /etc/one/oned.conf: it is not there",
    ]
    again = patch.apply(text, root=root, all_changes=True, is_repeatable=True)
    assert (again.applied, again.total, again.changed_files, again.backup) == (2, 2, [], None)
