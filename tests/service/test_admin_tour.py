"""The administration of a zone from end to end, as clients that are not ours see it.

The tour itself is tests/tours: one script that each release of pyone runs in an environment of its own,
against a front-end of real processes on each database.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.support.frontend import ROOT, Frontend

pytestmark = pytest.mark.timeout(400)
PARTS = ["people", "sharing", "rules", "vdcs", "limits", "cloud"]


@pytest.mark.parametrize("release", ["6.0.3", "6.10.5"])
def test_the_tour(frontend: Frontend, request: pytest.FixtureRequest, release: str) -> None:
    python = sys.executable if release == "6.0.3" else request.getfixturevalue("newer_pyone")
    done = subprocess.run(
        [python, "-m", "tests.tours.administration", frontend.endpoint],
        input=frontend.session,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        capture_output=True,
        check=False,
        timeout=360,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["pyone"] == release and list(told["parts"]) == PARTS
    checked = frontend.run("onedb", "fsck")
    assert checked.returncode == 0 and "Total errors found: 0" in checked.stdout, checked.stdout
