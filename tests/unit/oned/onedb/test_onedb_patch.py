"""onedb patch: SQL statements, Python modules, and the patches that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.oned.fsck import repair
from services.oned.onedb import patch
from tests.support.core import Core
from tests.support.onedb import Onedb, content

VM, ENDED = "1", "3"


def test_statements(onedb: Onedb, tmp_path: Path) -> None:
    file = tmp_path / "fix.sql"
    file.write_text("UPDATE template_pool SET name = 'a;b';\n-- more\nUPDATE document_pool SET name = 'c';\n")
    shown = onedb.done("patch", str(file))
    assert "database backup stored in" in shown and shown.endswith(f"  > Running patch {file}\n  > Done\n")
    assert onedb.rows("SELECT name FROM template_pool") == [("a;b",)]
    assert onedb.rows("SELECT name FROM document_pool") == [("c",)]


def test_a_module(onedb: Onedb, tmp_path: Path) -> None:
    file = tmp_path / "fix.py"
    file.write_text(
        "IS_HOT = True\n"
        "def patch(tx, arguments):\n"
        "    return tx.run('UPDATE template_pool SET name = ?', '+'.join(arguments)) == 1\n"
    )
    onedb.change("INSERT INTO onebox_lease VALUES ('engine', 'elsewhere', 1, 99999999999)")
    assert "backup" not in onedb.done("patch", str(file), "--extra", "x,y")
    assert onedb.rows("SELECT name FROM template_pool") == [("x+y",)]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.sql", "UPDATE template_pool SET name = 'x'; NONSENSE;", "Nothing was changed"),
        (
            "a.py",
            "def patch(tx, arguments):\n    tx.run('DELETE FROM vm_pool')\n    return False\n",
            "it failed",
        ),
        ("a.py", "import nothing_that_exists\n", "cannot be loaded: ModuleNotFoundError"),
        ("a.py", "x = 1\n", "has no function patch"),
        ("a.py", "VERSIONS = ('5.12.0', '5.12.0')\ndef patch(tx, a): return True\n", "Version mismatch"),
        ("a.txt", "", "expected a file of SQL statements"),
        ("a.rb", "", "cannot run here"),
    ],
)
def test_refusals(core: Core, onedb: Onedb, tmp_path: Path, name: str, text: str, said: str) -> None:
    before = content(core.store)
    core.zone.close()
    (tmp_path / name).write_text(text)
    assert said in onedb.refused("patch", str(tmp_path / name))
    assert content(core.store) == before


def test_files_that_are_not_there(onedb: Onedb) -> None:
    assert "Shipped patches: history_times" in onedb.refused("patch", "nothing")
    original = "/usr/lib/one/ruby/onedb/patches/history_times.rb"
    assert "The same patch is here: onedb patch history_times" in onedb.refused("patch", original)
    assert patch.shipped() == ["history_times"]


def test_a_front_end_that_runs(onedb: Onedb, tmp_path: Path) -> None:
    onedb.change("INSERT INTO onebox_lease VALUES ('engine', 'elsewhere', 1, 99999999999)")
    (tmp_path / "a.sql").write_text("SELECT 1;")
    assert "First stop the front-end" in onedb.refused("patch", str(tmp_path / "a.sql"))


# -- history_times -----------------------------------------------------------------------------------------
def answer(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    given = list(answers)
    monkeypatch.setattr("builtins.input", lambda prompt: given.pop(0))


def test_times_of_a_record(core: Core, onedb: Onedb, monkeypatch: pytest.MonkeyPatch) -> None:
    times = ("", "", "", "2020-01-02 03:04:05", "soon", "2020-01-03 00:00:00", "", "0", "2020-01-04 00:00:00")
    answer(monkeypatch, VM, "0", *times, "y")
    shown = onedb.done("patch", "history_times")
    assert "RSTIME  Running start time  : 2020-01-02 03:04:05 UTC" in shown
    body = onedb.rows("SELECT body FROM history WHERE vid = 1 AND etime = 1578096000")[0][0]
    for element in ("<RSTIME>1577934245<", "<RETIME>1578009600<", "<EETIME>0<", "<VM><ID>1<"):
        assert element in body
    assert repair.look(core.store).unrepaired == []
    core.zone.close()


def test_times_without_questions(onedb: Onedb) -> None:
    onedb.done("patch", "history_times", "--extra", f"{ENDED},0,1,2,3,4,5,6,7,8")
    assert onedb.rows("SELECT stime, etime FROM history WHERE vid = 3") == [(1, 8)]


def test_times_that_are_not_wanted(core: Core, onedb: Onedb, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(core.store)
    core.zone.close()
    answer(monkeypatch, VM, "0", *[""] * 8, "n")
    assert "canceled" in onedb.refused("patch", "history_times")
    answer(monkeypatch, VM, "7")
    assert "has no history record 7" in onedb.refused("patch", "history_times")
    assert content(core.store) == before
