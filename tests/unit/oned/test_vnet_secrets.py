"""Attributes of networks and their ranges that the database keeps encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import paths
from tests.support.core import Core

SECRETS = 'VNET_ENCRYPTED_ATTR="TOKEN"\nVNET_ENCRYPTED_ATTR="AR/PACKET_TOKEN"'


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    """A fresh zone with secret attributes of networks."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    paths.log().mkdir(exist_ok=True)
    made = Core(tmp_path, SECRETS)
    yield made
    made.zone.close()


def test_secrets(core: Core) -> None:
    core.add_user("ann")
    each = "AR=[TYPE=ETHER,SIZE=1,PACKET_TOKEN=hush]"
    oid = core.call("vn.allocate", f"NAME=lan\nVN_MAD=bridge\nTOKEN=hush\n{each}", -1)
    core.call("vn.add_ar", oid, each)
    core.call("vn.update", oid, "TOKEN=hush", 1)
    [(body,)] = core.rows("SELECT body FROM network_pool")
    assert "hush" not in body and body.count("<PACKET_TOKEN>") == 2
    assert "hush" not in core.call("vn.info", oid, False)
    shown = core.info("vn.info", oid, True)
    assert shown.findtext("TEMPLATE/TOKEN") == "hush"
    assert [found.text for found in shown.iterfind("AR_POOL/AR/PACKET_TOKEN")] == ["hush", "hush"]
    assert "hush" not in core.call("vn.info", oid, True, user="ann")
