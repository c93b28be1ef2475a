"""The template that shortcut options describe, and the inputs that templates ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli import user_inputs
from services.cli.errors import CliError
from tests.unit.cli.conftest import Run


def dry(run: Run, *words: str) -> str:
    code, out, err = run("onevm", "create", "--dry", "--name", "x", *words)
    assert (code, err) == (0, ""), err
    return out.removeprefix('NAME="x"\n')


def test_displays(run: Run) -> None:
    assert dry(
        run, "--vnc", "--vnc-password", 'a"b', "--vnc-keymap", "de", "--spice", "--spice-listen", "::"
    ) == (
        'GRAPHICS=[\n  TYPE="vnc",\n  LISTEN="0.0.0.0",\n  PASSWD="a\\"b",\n  KEYMAP="de" ]\n'
        'GRAPHICS=[\n  TYPE="spice",\n  LISTEN="::" ]\n'
    )


def test_context(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ssh-rsa AAAA me\n")
    (tmp_path / "start").write_text("#!/bin/sh\necho hi\n")
    script = str(tmp_path / "start")
    lines = ("--net_context", "--context", 'A=1,B="two words"', "--report_ready", "--startscript", script)
    words = ("--ssh", str(tmp_path / "key"), *lines, "--files_ds", "f1,f2", "--init", "f1,f2")
    assert dry(run, *words) == (
        'CONTEXT=[\n  SSH_PUBLIC_KEY="ssh-rsa AAAA me",\n  NETWORK="YES",\n  A="1",\n  B="two words",\n'
        '  FILES_DS="$FILE[IMAGE=\\"f1\\"] $FILE[IMAGE=\\"f2\\"]",\n  INIT_SCRIPTS="f1 f2",\n'
        '  START_SCRIPT_BASE64="IyEvYmluL3NoCmVjaG8gaGk=",\n  REPORT_READY="YES" ]\n'
    )
    assert dry(run, "--ssh") == 'CONTEXT=[\n  SSH_PUBLIC_KEY="$USER[SSH_PUBLIC_KEY]" ]\n'


def test_devices_and_the_rest(run: Run) -> None:
    assert dry(run, "--nic", "net:mac=02:00:00:00:00:01:model=virtio,auto", "--disk", "7,bob[os]:size=5") == (
        'DISK=[\n  IMAGE_ID="7" ]\nDISK=[\n  IMAGE="os",\n  IMAGE_UNAME="bob",\n  SIZE="5" ]\n'
        'NIC=[\n  NETWORK="net",\n  MAC="02:00:00:00:00:01",\n  MODEL="virtio" ]\n'
        'NIC=[\n  NETWORK_MODE="auto" ]\n'
    )
    assert dry(
        run, "--as_uid", "3", "--as_gid", "1", "--vcenter_vm_folder", "/a", "--user-inputs", "I=1"
    ) == ('AS_UID="3"\nAS_GID="1"\nVCENTER_VM_FOLDER="/a"\nI="1"\n')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--vnc-listen", "::1"), "--vnc-listen needs --vnc."),
        (("--context", "A"), "--context: expected NAME=VALUE, found 'A'"),
        (("--ssh", "/nowhere"), "--ssh: File /nowhere cannot be read"),
        (("--startscript",), "--startscript needs the name of a file."),
        (("--disk", "a:size"), "--disk: expected attribute=value behind a, found 'size'"),
        (("--memory", "much"), "--memory: expected memory such as 512"),
    ],
)
def test_what_is_wrong_is_named(run: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = run("onevm", "create", "--dry", "--name", "x", *words)
    assert (code, out) == (255, "") and err.startswith(said) and err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ("M|number|n", "-5", "x"),
        ("M|number-float|n", "1.5", "1,5"),
        ("M|range|n|1..5|", "5", "6"),
        ("M|range-float|n|1..5|", "1.5", "0.5"),
        ("M|boolean|n", "YES", "yes"),
        ("M|list|n|a,b|a", "b", "c"),
        ("M|fixed|n||v", "v", "w"),
    ],
)
def test_answers_are_checked(text: str, good: str, bad: str) -> None:
    asked = user_inputs.Input("N", text)
    assert asked.check(good) == good
    with pytest.raises(CliError, match="Input N: expected"):
        asked.check(bad)


def test_given_answers_and_the_order() -> None:
    asked = [("A", "O|text|a"), ("B", "M|text64|b"), ("F", "M|fixed|f||v")]
    assert user_inputs.obtain(asked, {"B": "hi", "A": 'q"'}, "B,A") == 'B="aGk="\nA="q\\""\nF="v"'
    with pytest.raises(CliError, match="malformed: expected 3 or 5 parts"):
        user_inputs.obtain([("A", "M|text")], {})
    with pytest.raises(CliError, match=r"malformed: expected MIN\.\.MAX"):
        user_inputs.Input("A", "M|range|r|5|").check("5")
