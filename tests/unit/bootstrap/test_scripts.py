"""Operators' scripts: the line that fails is named, output is passed on, commands stay private."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap import scripts

PATH = {"PATH": "/usr/bin:/bin"}


def failure(folder: Path, text: str) -> str:
    """What is said about a script that fails, without its path."""
    file = folder / "script"
    file.write_text(text)
    file.chmod(0o755)
    with pytest.raises(scripts.ScriptFailed) as caught:
        scripts.run(file, PATH, lambda line: None)
    return str(caught.value).removeprefix(str(file))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#!/bin/bash\nset -e\necho hi\n\ngrep -q x /nowhere\n", ", line 5 (grep) ended with code 2: grep: "),
        ("#!/bin/bash\nls /nowhere secret\nexit 3\n", ", line 3 (exit) ended with code 3: ls: "),
        ("#!/bin/bash\necho ok\nif false; then :; fi\nexit 4\n", ", line 4 (exit) ended with code 4: ok"),
        ("#!/bin/bash\nf() {\n  false\n}\nf || true\necho a | grep b\n", ", line 6 (grep) ended with code 1"),
        ("#!/usr/bin/env bash\nPASS=geheim false\n", ", line 2 (PASS) ended with code 1"),
        ("#!/bin/sh\nset -e\ncd /nowhere\n", ", line 3 (cd) ended with code "),
        ("#!/bin/sh\necho hi\ntest 1 = 2\n", ", line 3 (test) ended with code 1: hi"),
        ("#!/bin/sh\nif [ 1 = 1 ]; then\n  exit 5\nfi\n", ", line 3 (exit) ended with code 5"),
        ("#!/bin/sh\nset -u\n\necho $FOO\n", ", line 4 (echo) ended with code 1: "),
        ("#!/bin/sh\nno-such-command\n", ", line 2 (no-such-command) ended with code 127: "),
    ],
)
def test_the_failing_line_of_a_shell_script_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert failure(tmp_path, text).startswith(expected)


def test_other_interpreters_have_their_last_words(tmp_path: Path) -> None:
    assert failure(tmp_path, "#!/usr/bin/env python3\nraise SystemExit('no luck')\n") == (
        " ended with code 1: no luck"
    )
    assert failure(tmp_path, "#!/bin/sh -e\nfalse\n") == " ended with code 1"
    assert failure(tmp_path, "#!/no/such/interpreter\n") == ": cannot be run: No such file or directory"


def test_a_signal_is_named(tmp_path: Path) -> None:
    assert failure(tmp_path, "#!/usr/bin/env python3\nimport os; os.kill(os.getpid(), 9)\n") == (
        " was ended by SIGKILL"
    )


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_script_that_succeeds(tmp_path: Path, shell: str) -> None:
    file = tmp_path / "a script"
    file.write_text(f'#!{shell}\necho "$0 $WHO"\nfalse || true\nls /nowhere 2>/dev/null\necho "a b"\n')
    file.chmod(0o755)
    lines: list[str] = []
    scripts.run(file, PATH | {"WHO": "me"}, lines.append)
    assert lines == [f"{file} me", "a b"]
