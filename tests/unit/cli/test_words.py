"""Command lines: options, arguments, ids, ranges, names, and what is said when they are wrong."""

from __future__ import annotations

import pytest

from services.cli import argtypes, parse
from services.cli.decl import Opt
from services.cli.errors import CliError
from services.cli.kinds import BY_ARG, VM
from tests.unit.cli.conftest import Answers, Run

RECOVER = "onevm recover: expected one of --success, --failure, --retry, --delete, --recreate, --delete-db"
OPTIONS = (
    Opt("hard", "", short="H"),
    Opt("memory", "", "memory", "m"),
    Opt("expand", "", "x", optional=True),
    Opt("multiple", "", "x"),
)


@pytest.mark.parametrize(
    ("words", "values", "rest"),
    [
        (["a", "--hard", "b"], {"hard": True}, ["a", "b"]),
        (["--memory", "1g", "a"], {"memory": "1g"}, ["a"]),
        (["--memory=1g", "a"], {"memory": "1g"}, ["a"]),
        (["-m", "1g"], {"memory": "1g"}, []),
        (["-m1g"], {"memory": "1g"}, []),
        (["-Hm1g"], {"hard": True, "memory": "1g"}, []),
        (["--mem", "1g"], {"memory": "1g"}, []),
        (["--", "--hard", "-m"], {}, ["--hard", "-m"]),
        (["--expand", "--hard"], {"expand": "", "hard": True}, []),
        (["--expand", "NAME=2"], {"expand": "NAME=2"}, []),
        (["-", "-1"], {}, ["-", "-1"]),
        (["--memory", "-5"], {"memory": "-5"}, []),
    ],
)
def test_options_anywhere(words: list[str], values: dict[str, object], rest: list[str]) -> None:
    assert parse.split(OPTIONS, words, "onevm x") == (values, rest)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hrad"], "onevm x: unknown option --hrad. Did you mean --hard?"),
        (["--m", "1"], "onevm x: option --m is ambiguous: --memory, --multiple"),
        (["-q"], "onevm x: unknown option -q"),
        (["--memory"], "onevm x: option --memory needs a value (memory)"),
        (["-m"], "onevm x: option --memory needs a value (memory)"),
        (["--hard=yes"], "onevm x: option --hard takes no value, found 'yes'"),
    ],
)
def test_wrong_options(words: list[str], said: str) -> None:
    with pytest.raises(
        CliError, match="^" + said.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")
    ):
        parse.split(OPTIONS, words, "onevm x")


def names(*pool: tuple[int, str]) -> argtypes.Names:
    """Names whose VM pool is known without a call."""

    def no_call(*_args: object) -> object:
        raise AssertionError("no call was expected")

    known = argtypes.Names(no_call)  # type: ignore[arg-type]
    known._pools = {kind.rpc: list(pool) for kind in BY_ARG.values()}
    return known


@pytest.mark.parametrize(
    ("text", "ids"),
    [("7", [7]), ("0..5", [0, 1, 2, 3, 4, 5]), ("3..3", [3]), ("1,3,7", [1, 3, 7]),
     ("1,web,5..6", [1, 42, 5, 6]),
     ("web", [42]), ("web,", [42])],
)  # fmt: skip
def test_id_lists(text: str, ids: list[int]) -> None:
    assert argtypes.object_ids(VM, text, names((42, "web"))) == ids


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5..0", "Range 5..0: the first id is larger than the last."),
        ("0..999999999999", "Range 0..999999999999: more than 100000 ids."),
        (",", "Expected ids or names of VMs"),
        ("", "Expected ids or names of VMs"),
        ("wbe", "VM named wbe not found. Did you mean web?"),
        ("zzz", "VM named zzz not found."),
        ("twin", "There are multiple VMs with name twin (ids 1, 2); give the id."),
        ("-1", "VM named -1 not found."),
        ("²", "VM named ² not found."),
    ],
)
def test_wrong_ids(text: str, said: str) -> None:
    with pytest.raises(CliError) as raised:
        argtypes.object_ids(VM, text, names((42, "web"), (1, "twin"), (2, "twin")))
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("octet", "640", (1, 1, 0, 1, 0, 0, 0, 0, 0)),
        ("octet", "777", (1,) * 9),
        ("memory", "512", 512),
        ("memory", "2g", 2048),
        ("memory", "0.5G", 512),
        ("memory", "512mb", 512),
        ("memory", "1T", 1048576),
        ("memory", "2048k", 2),
        ("decimal", "0.5", "0.5"),
        ("count", "3", 3),
        ("seconds", "1.5", 1.5),
        ("words", "a, b,,c", ["a", "b", "c"]),
        ("integer", "-3", -3),
    ],
)
def test_values(kind: str, text: str, value: object) -> None:
    assert argtypes.convert(kind, text, "it", names()) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [("octet", "888"), ("octet", "64"), ("octet", "u+x"), ("memory", "abc"), ("memory", "-1"),
     ("memory", "0"), ("memory", "nan"), ("memory", "inf"), ("memory", "1e99"), ("decimal", "x"),
     ("decimal", "0"), ("decimal", "nan"), ("count", "0"), ("count", "x"), ("count", "99999"),
     ("seconds", "-1"), ("seconds", "nan"), ("integer", "1.5")],
)  # fmt: skip
def test_wrong_values_name_what_was_expected(kind: str, text: str) -> None:
    with pytest.raises(CliError, match=r"^--it: expected .*, found "):
        argtypes.convert(kind, text, "--it", names())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shwo", "1"), "onevm: there is no subcommand shwo. Did you mean show? See onevm --help."),
        (("show",), "onevm show: argument vmid is missing. Usage: onevm show vmid"),
        (("show", "1", "2"), "onevm show: unexpected argument '2'. Usage: onevm show vmid"),
        (("deploy", "1"),
         "onevm deploy: argument hostid is missing. Usage: onevm deploy range|vmid_list hostid [datasto"),
        (("chmod", "1", "999"), "argument octet: expected three octal digits such as 640, found '999'"),
        (("create", "--cpu", "abc"), "--cpu: expected a number above 0, found 'abc'"),
        (("recover", "1"), f"{RECOVER}, found none."),
        (("recover", "1", "--retry", "--delete"), f"{RECOVER}, found --retry and --delete."),
        (("list", "-l", "ID,NAM"), "There is no column NAM. Did you mean NAME?"),
        (("list", "-f", "NAME"), "--filter: expected COLUMN=VALUE"),
        (("list", "-f", "NO=1"), "There is no column NO."),
        (("list", "--operator", "XOR"), "--operator: expected AND or OR, found 'XOR'"),
        (("list", "-s", "NAME=x"), "--size: expected COLUMN=WIDTH, found 'NAME=x'"),
        (("list", "--listconf", "nope"), "List layout 'nope' is not configured."),
        (("wait", "1", "--state", "RUNING"), "There is no VM state RUNING. Did you mean RUNNING?"),
    ],
)  # fmt: skip
def test_refused_command_lines(run: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = run("onevm", *words)
    assert (code, out) == (255, "")
    assert err.startswith(said) and err.count("\n") == 1


def test_unknown_command(run: Run) -> None:
    assert run("onefoo", "list") == (255, "", "There is no command onefoo.\n")


def test_options_before_the_subcommand(answers: Answers, run: Run) -> None:
    answers.replies["one.vmpool.info"] = "<VM_POOL/>"
    code, out, _ = run("onevm", "--user", "bob", "--password", "pw2", "list", "--no-header")
    assert (code, out) == (0, "\n")
    assert answers.sessions == {"bob:pw2"}


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",)])
def test_help_lists_every_subcommand(run: Run, words: tuple[str, ...]) -> None:
    code, out, err = run("onevm", *words)
    assert (code, err) == (0, "")
    assert "  terminate range|vmid_list" in out and "--endpoint url" in out


def test_help_of_a_subcommand_needs_no_arguments(run: Run) -> None:
    code, out, _ = run("onehost", "create", "--help")
    assert code == 0
    assert "Usage: onehost create hostname [file] [OPTIONS]" in out
    assert "  -v, --vm vmm_mad" in out and "      --verbose" in out


def test_version(run: Run) -> None:
    code, out, _ = run("onevm", "-V")
    assert code == 0 and out.startswith("onevm (Onebox ")
