"""Schemathesis reads the OpenAPI document of a running front-end and tries to break what it describes."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.frontend import Frontend
from tests.support.furnished import Furnished
from tests.support.zone import SESSION

CHECKS = (
    *("not_a_server_error", "content_type_conformance", "response_schema_conformance"),
    "status_code_conformance",
)
PROGRAM = Path(sys.executable).with_name("schemathesis")


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Frontend]:
    """A front-end with objects of every kind and an administrator, fuzz, whose id nobody guesses."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path / "furnished"))
    (tmp_path / "furnished/var/log").mkdir(parents=True)
    furnished = Furnished(tmp_path / "furnished")
    running = Frontend(tmp_path / "one")
    running.session = SESSION
    running.auth_file.write_text(SESSION + "\n")
    shutil.copy(furnished.core.zone.conf.db.path, running.folder / "var/one.db")
    database = sqlite3.connect(running.folder / "var/one.db")
    with database:
        database.execute("UPDATE pool_control SET last_oid = 31337 WHERE tablename = 'user_pool'")
    database.close()
    try:
        running.start("opennebula")
        running.client().call("user.allocate", "fuzz", "fuzz", "core", [0])
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize(
    "options",
    [
        ("--phases", "coverage", "--exclude-path-regex", "users|^/methods"),
        ("--phases", "fuzzing", "--max-examples", "3"),
    ],
    ids=["every boundary of resources", "anything"],
)
def test_what_is_described_holds(described: Frontend, tmp_path: Path, options: tuple[str, ...]) -> None:
    document = f"http://127.0.0.1:{described.port}/api/v1/openapi.json"
    command = [
        str(PROGRAM),
        "run",
        document,
        "--auth",
        "fuzz:fuzz",
        "--checks",
        ",".join(CHECKS),
        "--seed",
        "1",
    ]
    done = subprocess.run(
        [*command, "--continue-on-failure", "--no-color", "--warnings", "off", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in described.tail("opennebula", 100_000)
