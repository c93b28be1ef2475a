"""Every row of the life-cycle table, and every pair without a row, on MariaDB."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.oned import fsck
from services.oned.lifecycle.operations import conditions
from services.oned.lifecycle.transitions import TABLE
from tests.support import every_row
from tests.support.mariadb import MariaDb

pytestmark = pytest.mark.timeout(240)


def test_every_row_and_every_refusal(mariadb: MariaDb, tmp_path: Path) -> None:
    with every_row.furnished(tmp_path, mariadb.section("every_row")) as cloud:
        for row in TABLE.values():
            every_row.require_target(cloud, row)
        for condition in conditions():
            every_row.require_refusals(cloud, condition)
        assert cloud.core.store.run(fsck.check) == [], "something was kept"
