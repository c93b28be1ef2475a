"""The command onedb in this process, on a front-end's folder."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.oned.onedb.__main__ import main
from services.oned.store import Store, schema
from tests.support.zone import ROOT

NOBODY = "http://127.0.0.1:9/RPC2"  # where no front-end listens


@dataclass(frozen=True)
class Ran:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str


class Onedb:
    """Runs commands as oneadmin of the front-end below ``folder``, whose ONE_LOCATION the test has set."""

    def __init__(self, folder: Path, db_section: str = 'DB = [ BACKEND = "sqlite" ]') -> None:
        self.folder = folder
        self.file = folder / "var/one.db"
        for name in ("etc", "var"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "etc/oned.conf").write_text(f"{db_section}\n", encoding="utf-8")

    def run(self, *words: str) -> Ran:
        """Run a command."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(words)
            except SystemExit as end:  # argparse, after it has printed its help
                code = int(end.code or 0)
        return Ran(code, out.getvalue(), err.getvalue())

    def done(self, *words: str) -> str:
        """What a command prints that must succeed."""
        ran = self.run(*words)
        assert ran.code == 0, ran
        return ran.out

    def refused(self, *words: str, code: int = 255) -> str:
        """What a command prints that must fail with a code."""
        ran = self.run(*words)
        assert ran.code == code, ran
        return ran.err

    def change(self, sql: str, *params: Any) -> None:
        """Change the SQLite database by hand."""
        with contextlib.closing(sqlite3.connect(self.file)) as database, database:
            assert database.execute(sql, params).rowcount, sql

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """What the SQLite database holds."""
        with contextlib.closing(sqlite3.connect(self.file)) as database:
            return database.execute(sql, params).fetchall()


def content(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a database holds, by table; without the order of the rows."""
    with store.read() as tx:
        return {table: sorted(tx.all(f"SELECT * FROM {table}"), key=repr) for table in schema.tables(tx)}


def stock_conf() -> str:
    """The text of the stock oned.conf."""
    return (ROOT / "share/etc/oned.conf").read_text(encoding="utf-8")
