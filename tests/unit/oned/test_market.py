"""Marketplaces: what a driver asks of them, their appliances' bookkeeping, and the calls of a federation."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.common import paths, xmldoc
from services.oned import fsck
from services.oned.errors import Code
from services.oned.store import jobs
from tests.support.core import Core, Refused
from tests.support.drain import drain
from tests.support.schemas import Schemas
from tests.support.zone import ROOT

DUMMY = """
MARKET_MAD_CONF = [ NAME = "dummy", APP_ACTIONS = "create, delete, monitor", REQUIRED_ATTRS = "BASE, dir" ]
MARKET_MAD_CONF = [ NAME = "listing", APP_ACTIONS = "monitor", PUBLIC = "yes" ]
MARKET_MAD = [ ARGUMENTS = "-t 15 -m listing" ]
"""


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    """A zone with a dummy marketplace driver, and one that lists what <var>/list.txt says."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    made = Core(tmp_path, DUMMY)
    remotes = paths.remotes()
    remotes.mkdir(parents=True)
    for folder in ("lib", "datastore", "etc"):
        (remotes / folder).symlink_to(ROOT / "services/remotes" / folder)
    (remotes / "market/listing").mkdir(parents=True)
    (remotes / "market/dummy").symlink_to(ROOT / "services/remotes/market/dummy")
    script = remotes / "market/listing/monitor"
    script.write_text('#!/bin/sh\ncat "$ONE_LOCATION/var/list.txt"\n')
    script.chmod(0o755)
    yield made
    made.zone.close()


def code(zone: Core, method: str, *args: Any, user: str = "oneadmin") -> int:
    with pytest.raises(Refused) as refusal:
        zone.call(method, *args, user=user)
    return refusal.value.code


def new(zone: Core, name: str = "m", driver: str = "dummy") -> int:
    market_id: int = zone.call("market.allocate", f'NAME="{name}" MARKET_MAD="{driver}" BASE="b" DIR="d"')
    return market_id


def monitor(zone: Core, market_id: int) -> None:
    """Ask the marketplace's driver now."""

    def add(tx: Any) -> None:
        jobs.add(tx, kind="MARKETPLACE", oid=market_id, operation="market.MONITOR", driver="x", host="")

    zone.store.run(add)
    drain(zone.store, zone.zone.conf)


def offer(*templates: str) -> None:
    """What the listing driver says."""
    lines = ['USED_MB="1"', 'TOTAL_MB="10"', 'FREE_MB="9"']
    lines += [f'APP="{base64.b64encode(text.encode()).decode()}"' for text in templates]
    (paths.var() / "list.txt").write_text("\n".join(lines))


def test_a_new_marketplace(zone: Core, shared_folder: Path) -> None:
    market_id = zone.call("market.allocate", 'NAME="m" MARKET_MAD="dummy" BASE="b" DIR="d" ZONE_ID="7"')
    assert market_id == 100
    text = zone.call("market.info", market_id)
    assert Schemas(shared_folder / "spec/xsd").problem(text) is None
    market = xmldoc.parse(text)
    assert [child.tag for child in market] == [
        *(
            "ID",
            "UID",
            "GID",
            "UNAME",
            "GNAME",
            "NAME",
            "MARKET_MAD",
            "ZONE_ID",
            "TOTAL_MB",
            "FREE_MB",
            "USED_MB",
        ),
        *("MARKETPLACEAPPS", "PERMISSIONS", "TEMPLATE"),
    ]
    assert [(part.tag, part.text) for part in market.findall("TEMPLATE/*")] == [
        ("BASE", "b"),
        ("DIR", "d"),
        ("MARKET_MAD", "dummy"),
    ]
    assert market.findtext("ZONE_ID") == "0"


@pytest.mark.parametrize(
    "template",
    [
        'MARKET_MAD="dummy" BASE="b" DIR="d"',
        'NAME="DockerHub" MARKET_MAD="dummy" BASE="b" DIR="d"',
        'NAME="x" BASE="b" DIR="d"',
        'NAME="x" MARKET_MAD="nope"',
        'NAME="x" MARKET_MAD="dummy" BASE="b"',
        "X",
    ],
)
def test_refused_templates(zone: Core, template: str) -> None:
    assert code(zone, "market.allocate", template) == Code.INTERNAL


def test_rights(zone: Core) -> None:
    zone.add_user("alice")
    assert code(zone, "market.allocate", 'NAME="x" MARKET_MAD="dummy"', user="alice") == Code.AUTHORIZATION
    market_id = new(zone)
    for method, *args in (("update", 'A="1"', 1), ("delete",), ("rename", "x")):
        assert code(zone, f"market.{method}", market_id, *args, user="alice") == Code.AUTHORIZATION
        assert code(zone, f"market.{method}", 999, *args, user="alice") == Code.NO_EXISTS
    assert zone.info("market.info", 0, user="alice").findtext("NAME") == "OpenNebula Public"
    assert len(zone.info("marketpool.info", user="alice")) == 5


def test_the_driver_stays_known_when_attributes_change(zone: Core) -> None:
    market_id = new(zone)
    zone.call("market.update", market_id, 'BASE="2" DIR="3"', 0)
    assert zone.info("market.info", market_id).findtext("TEMPLATE/MARKET_MAD") == "dummy"
    assert code(zone, "market.update", market_id, 'MARKET_MAD="nope"', 1) == Code.INTERNAL
    assert code(zone, "market.update", market_id, 'MARKET_MAD="dummy" BASE="1"', 0) == Code.INTERNAL
    zone.call("market.update", market_id, 'MARKET_MAD="listing"', 1)
    assert zone.info("market.info", market_id).findtext("MARKET_MAD") == "listing"


def test_sizes_come_from_the_driver(zone: Core) -> None:
    market_id = new(zone)
    monitor(zone, market_id)
    market = zone.info("market.info", market_id)
    assert [market.findtext(f"{name}_MB") for name in ("TOTAL", "FREE", "USED")] == ["20480", "20480", "0"]


def test_what_a_public_marketplace_lists(zone: Core) -> None:
    market_id = new(zone, driver="listing")
    one = (
        'NAME="Alpine" SOURCE="http://x/1" MD5="m1" SIZE="256" FORMAT="raw" VERSION="1" REGTIME="1600000000"'
    )
    offer(f'{one} DESCRIPTION="small"', 'NAME="a:b" SOURCE="s"', "broken [", 'NAME="Two" TYPE="VMTEMPLATE"')
    monitor(zone, market_id)
    market = zone.info("market.info", market_id)
    assert [e.text for e in market.findall("MARKETPLACEAPPS/ID")] == ["0", "1"]
    app = zone.info("marketapp.info", 0)
    names = ("NAME", "SOURCE", "MD5", "SIZE", "FORMAT", "VERSION", "REGTIME", "STATE", "TYPE", "ORIGIN_ID")
    assert [app.findtext(name) for name in names] == [
        *("Alpine", "http://x/1", "m1", "256", "raw", "1", "1600000000", "1", "1", "-1"),
    ]
    assert (app.findtext("MARKETPLACE"), app.findtext("TEMPLATE/DESCRIPTION")) == ("m", "small")
    # A new version is taken over; what is missing three times is gone.
    offer(one.replace("http://x/1", "http://x/2").replace('VERSION="1"', 'VERSION="2"'))
    for _ in range(2):
        monitor(zone, market_id)
        assert zone.info("marketapp.info", 0).findtext("SOURCE") == "http://x/2"
        assert zone.info("marketapp.info", 1).findtext("NAME") == "Two"
    monitor(zone, market_id)
    assert code(zone, "marketapp.info", 1) == Code.NO_EXISTS
    assert zone.store.run(fsck.check) == []


def test_a_driver_that_fails_changes_nothing(zone: Core) -> None:
    market_id = new(zone, driver="listing")
    before = zone.call("market.info", market_id)
    monitor(zone, market_id)
    assert zone.call("market.info", market_id) == before


def test_deleting_forgets_the_appliances(zone: Core) -> None:
    market_id = new(zone)
    app = zone.call("marketapp.allocate", 'NAME="t" TYPE="VMTEMPLATE" ORIGIN_ID="1"', market_id)
    zone.call("market.delete", market_id)
    assert code(zone, "market.info", market_id) == Code.NO_EXISTS
    assert code(zone, "marketapp.info", app) == Code.NO_EXISTS
    assert zone.store.run(fsck.check) == []


def test_appliances_follow_a_new_name(zone: Core) -> None:
    market_id = new(zone)
    app = zone.call("marketapp.allocate", 'NAME="t" TYPE="VMTEMPLATE" ORIGIN_ID="1"', market_id)
    zone.call("market.rename", market_id, "renamed")
    assert zone.info("marketapp.info", app).findtext("MARKETPLACE") == "renamed"
    assert code(zone, "market.rename", market_id, "DockerHub") == Code.ACTION
    zone.call("market.chmod", market_id, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    zone.call("market.chown", market_id, -1, 1)
    assert zone.info("market.info", market_id).findtext("GID") == "1"


@pytest.mark.parametrize(("resource", "root"), [("market", "MARKETPLACE"), ("marketapp", "MARKETPLACEAPP")])
def test_documents_of_other_zones(zone: Core, resource: str, root: str) -> None:
    zone.add_user("alice")
    market_id = new(zone)
    oid = market_id
    if resource == "marketapp":
        oid = zone.call("marketapp.allocate", 'NAME="t" TYPE="VMTEMPLATE" ORIGIN_ID="1"', market_id)
    text = zone.call(f"{resource}.info", oid)
    changed = text.replace("<ZONE_ID><![CDATA[0]]>", "<ZONE_ID><![CDATA[5]]>")
    assert zone.call(f"{resource}.updatedb", oid, changed) == oid
    assert zone.call(f"{resource}.info", oid) == changed
    added = zone.call(f"{resource}.allocatedb", changed.replace("<NAME>", "<NAME>other-"))
    assert zone.info(f"{resource}.info", added).findtext("ZONE_ID") == "5"
    wrong_id = changed.replace(f"<ID>{oid}</ID>", "<ID>77</ID>", 1)
    for bad in ("<X/>", "no xml", f"<{root}></{root}>", wrong_id):
        assert code(zone, f"{resource}.updatedb", oid, bad) == Code.INTERNAL
    assert code(zone, f"{resource}.allocatedb", "<X/>") == Code.INTERNAL
    assert code(zone, f"{resource}.updatedb", 999, changed) == Code.NO_EXISTS
    assert code(zone, f"{resource}.updatedb", oid, changed, user="alice") == Code.AUTHORIZATION
    assert code(zone, f"{resource}.allocatedb", changed, user="alice") == Code.AUTHORIZATION
