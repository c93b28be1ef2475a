"""Completion and manual pages, which are made from the declarations."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from services.cli import generate, manpages
from services.cli.decl import GLOBAL_OPTIONS
from tests.unit.cli.conftest import Answers, Run

ROOT = Path(__file__).resolve().parents[3]


def words(run: Run, command: str, *line: str) -> list[str]:
    """The words that could stand next."""
    code, out, err = run(command, "__complete", *line)
    assert (code, err) == (0, "")
    return [row.partition("\t")[0] for row in out.splitlines()]


@pytest.fixture
def cloud(answers: Answers) -> Answers:
    """A front-end with machines, hosts and images."""
    for name in ("vm", "host", "user"):
        answers.document(f"one.{name}pool.info", f"{name}_pool.xml")
    image = "<IMAGE><ID>3</ID><NAME>alpine</NAME></IMAGE>"
    answers.replies["one.imagepool.info"] = f"<IMAGE_POOL>{image}</IMAGE_POOL>"
    return answers


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("onevm", "disk-sn"), {"disk-snapshot-create", "disk-snapshot-delete", "disk-snapshot-rename"}),
        (("onevm", "show", ""), {"7", "8", "12345", "web"}),
        (("onevm", "show", "we"), {"web"}),
        (("onevm", "hold", "8,we"), {"8,web"}),
        (("onevm", "migrate", "7", "node"), {"node1"}),
        (("onevm", "migrate", "--live", "7", ""), {"1", "node1"}),
        (("onevm", "show", "--js"), {"--json"}),
        (("onevm", "--endp"), {"--endpoint"}),
        (("onevm", "list", "--list", "ID,N"), {"ID,NAME"}),
        (("onevm", "list", "--list", "=", "ST"), {"STAT"}),
        (("onevm", "list", "--operator=A"), {"--operator=AND"}),
        (("onevm", "list", "al"), {"alice"}),
        (("onevm", "create", "--disk", "alp"), {"alpine"}),
        (("onevm", "create", ""), {"__files__"}),
        (("onevm", "wait", "7", "--state", "POW"), {"POWEROFF"}),
        (("oneimage", "chtype", "3", "D"), {"DATABLOCK"}),
        (("onehost", "--user", "x", "enab"), {"enable"}),
    ],
)
def test_what_could_stand_next(cloud: Answers, run: Run, line: tuple[str, ...], expected: set[str]) -> None:
    found = words(run, *line)
    assert expected <= set(found)
    assert all(word.startswith(line[-1]) or word == "__files__" or "," in word for word in found)


def test_nothing_is_said_without_a_front_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_XMLRPC", "http://127.0.0.1:1/RPC2")
    assert words(run, "onevm", "show", "") == []
    assert words(run, "onevm", "nonsense", "") == []
    monkeypatch.setenv("ONE_AUTH", "/nowhere")
    assert words(run, "onevm", "show", "") == []


def test_files_for_every_command(tmp_path: Path) -> None:
    names = [command.name for command in generate.commands()]
    assert {"onevm", "onetemplate", "onehost", "onedatastore", "oneimage"} <= set(names)
    paths = generate.write(tmp_path)
    assert len(paths) == 3 * len(names) + 1
    for name in names:
        script = tmp_path / "share/bash-completion/completions" / name
        subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize(("line", "expected"), [("onevm hold we", "web"), ("onevm list --xm", "--xml")])
def test_bash(cloud: Answers, tmp_path: Path, line: str, expected: str) -> None:
    """As bash asks it, through the launcher."""
    generate.write(tmp_path)
    script = (
        f". {tmp_path}/share/bash-completion/completions/onevm; COMP_WORDS=({line}); "
        'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _onevm; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    env = {**os.environ, "PATH": f"{ROOT / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, text=True, capture_output=True, timeout=30)
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")


def test_manual_pages(tmp_path: Path) -> None:
    for command in generate.commands():
        page = manpages.page(command)
        for sub in command.subs.values():
            if sub.format == "replaced":
                continue
            assert sub.name.replace("-", "\\-") in page
            for option in (*sub.options, *GLOBAL_OPTIONS):
                assert f"\\-\\-{option.name}".replace("-", "\\-").replace("\\\\-", "\\-") in page
        assert all(line[:1] != "'" for line in page.splitlines())
    if shutil.which("groff"):
        checked = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww"], input=page, text=True, capture_output=True, check=True
        )
        assert checked.stderr == ""
