"""Every row of the life-cycle table is fired on a real VM, and every pair without a row is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.oned import fsck
from services.oned.lifecycle.operations import conditions
from services.oned.lifecycle.rows.base import Row
from services.oned.lifecycle.transitions import TABLE
from tests.support import every_row
from tests.support.cloud import Cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with every_row.furnished(tmp_path_factory.mktemp("zone")) as made:
        yield made


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: f"{row.origin}-{row.event}")
def test_the_row_leads_to_its_target(cloud: Cloud, row: Row) -> None:
    every_row.require_target(cloud, row)


def test_the_zone_of_these_tests_is_sound(cloud: Cloud) -> None:
    assert cloud.core.store.run(fsck.check) == []


@pytest.mark.parametrize("condition", conditions())
def test_what_has_no_row_is_refused_and_changes_nothing(cloud: Cloud, condition: str) -> None:
    every_row.require_refusals(cloud, condition)
