"""A storm of calls, failing drivers and kill -9: afterwards everything is as it must be, without any help.

A short form of ``./onebox bench chaos``, which says more and lasts longer. A finding names the storm's seed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.chaos import storm
from tests.support.frontend import Frontend
from tests.support.mariadb import MariaDb

pytestmark = pytest.mark.timeout(600)

_HOW: dict[str, Any] = {"seed": 4, "seconds": 8.0, "vms": 60, "kill_every_s": 1.5, "calls": 300}


def _check(report: storm.Report) -> None:
    assert not report.findings, f"seed {report.seed}: {report.findings}"
    # It was a storm: calls came through, some were refused, programs were killed, VMs came and went.
    assert report.calls["acknowledged"] >= 300 and report.calls["refused"] > 5, report.calls
    assert report.kills and report.vms > 10, report.as_dict()


def test_storm_over_sqlite(tmp_path: Path) -> None:
    _check(storm.run(Frontend(tmp_path / "one"), None, **_HOW))


def test_storm_over_mariadb(tmp_path: Path) -> None:
    if not MariaDb.available():
        pytest.skip("left out: mariadbd is not installed (./onebox test --all installs it)")
    server = MariaDb(tmp_path)
    server.start()
    try:
        frontend = Frontend(tmp_path / "one", server.section("storm"))
        _check(storm.run(frontend, server, **_HOW))
    finally:
        server.stop()
