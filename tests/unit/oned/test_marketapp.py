"""Appliances: from an image into a marketplace and back into an image, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.common import xmldoc
from services.oned.errors import Code
from tests.support.core import Core, Refused
from tests.support.images import Images
from tests.support.schemas import Schemas

DUMMY = """
MARKET_MAD_CONF = [ NAME = "dummy", APP_ACTIONS = "create, delete, monitor" ]
MARKET_MAD_CONF = [ NAME = "listing", APP_ACTIONS = "monitor", PUBLIC = "yes" ]
"""
IMPORTED = 'SOURCE="s3://a"\nMD5="m"\nSIZE="77"\nFORMAT="qcow2"\n'


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Images]:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    core = Core(tmp_path, DUMMY)
    yield Images(core)
    core.zone.close()


@pytest.fixture
def market(images: Images) -> int:
    market_id: int = images.core.call("market.allocate", 'NAME="m" MARKET_MAD="dummy"')
    return market_id


def allocate(images: Images, market: int, more: str = "", user: str = "oneadmin") -> int:
    app_id: int = images.core.call("marketapp.allocate", f'NAME="app" {more}', market, user=user)
    return app_id


def code(images: Images, method: str, *args: Any, user: str = "oneadmin") -> int:
    with pytest.raises(Refused) as refusal:
        images.core.call(f"marketapp.{method}", *args, user=user)
    return refusal.value.code


def app(images: Images, app_id: int) -> xmldoc.etree._Element:
    return images.core.info("marketapp.info", app_id)


def test_an_image_becomes_an_appliance(images: Images, market: int, shared_folder: Path) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    more = 'DESCRIPTION="d" VERSION="2" APPTEMPLATE64="eA==" SOURCE="evil" SIZE="9" NOTE="n"'
    app_id = allocate(images, market, f'ORIGIN_ID="{image_id}" {more}')
    found = app(images, app_id)
    names = (
        "STATE",
        "TYPE",
        "ORIGIN_ID",
        "SOURCE",
        "SIZE",
        "DESCRIPTION",
        "VERSION",
        "APPTEMPLATE64",
        "MARKETPLACE",
    )
    assert [found.findtext(name) for name in names] == [
        "2",
        "1",
        str(image_id),
        "",
        "0",
        "d",
        "2",
        "eA==",
        "m",
    ]
    assert [part.tag for part in found.findall("TEMPLATE/*")] == [
        "APPTEMPLATE64",
        "DESCRIPTION",
        "NOTE",
        "VERSION",
    ]
    assert (images.state(image_id), images.ids(image_id, "APP_CLONES")) == ("2", [str(app_id)])
    assert images.contradictions() == []
    assert images.end(output=IMPORTED) == "market.IMPORT"
    found = app(images, app_id)
    assert [found.findtext(n) for n in ("STATE", "SOURCE", "MD5", "SIZE", "FORMAT")] == [
        "1",
        "s3://a",
        "m",
        "77",
        "qcow2",
    ]
    assert (images.state(image_id), images.ids(image_id, "APP_CLONES")) == ("1", [])
    schemas = Schemas(shared_folder / "spec/xsd")
    images.core.call("marketapp.lock", app_id, 4, False)
    assert schemas.problem(images.core.call("marketapp.info", app_id)) is None
    assert schemas.problem(images.core.call("marketapppool.info", -2, -1, -1)) is None


def test_the_dummy_drivers_do_the_whole_way(images: Images, market: int) -> None:
    origin = images.ready('NAME="os" PATH="/x"')
    app_id = allocate(images, market, f'ORIGIN_ID="{origin}"')
    images.drain()
    assert (app(images, app_id).findtext("STATE"), app(images, app_id).findtext("FORMAT")) == ("1", "raw")
    image_id = images.allocate(f'NAME="back" FROM_APP="{app_id}" DRIVER="mine"')
    names = (
        "PATH",
        "SIZE",
        "TEMPLATE/FROM_APP",
        "TEMPLATE/FROM_APP_NAME",
        "TEMPLATE/FROM_APP_MD5",
        "TEMPLATE/DRIVER",
    )
    assert [images.text(image_id, name) for name in names] == [
        *(f"dummy://app-{app_id}", "1024", str(app_id), "app", "d41d8cd98f00b204e9800998ecf8427e", "-"),
    ]
    images.drain()
    assert images.state(image_id) == "1"
    images.core.call("marketapp.delete", app_id)
    images.drain()
    assert code(images, "info", app_id) == Code.NO_EXISTS
    assert images.contradictions() == []


@pytest.mark.parametrize(
    ("ok", "said"),
    [
        (False, "no space"),
        (True, "SOURCE=x"),
        (True, "SOURCE=x\nMD5=y\nFORMAT=raw\nSIZE=big"),
        (True, "broken ["),
    ],
)
def test_an_import_that_fails(images: Images, market: int, ok: bool, said: str) -> None:
    image_id = images.ready('NAME="os" PATH="/x" PERSISTENT="YES"')
    app_id = allocate(images, market, f'ORIGIN_ID="{image_id}"')
    assert images.state(image_id) == "6"
    images.end(ok=ok, message=said, output=said)
    assert app(images, app_id).findtext("STATE") == "3"
    assert "Error importing app into marketplace" in (app(images, app_id).findtext("TEMPLATE/ERROR") or "")
    assert images.state(image_id) == "1" and images.contradictions() == []


def test_templates_are_ready_at_once(images: Images, market: int) -> None:
    for name, word, number in (("a", "VMTEMPLATE", "2"), ("b", "service_template", "3")):
        app_id = images.core.call("marketapp.allocate", f'NAME="{name}" TYPE="{word}" ORIGIN_ID="5"', market)
        found = app(images, app_id)
        assert [found.findtext(n) for n in ("STATE", "TYPE", "VERSION")] == ["1", number, "0.0"]
        assert images.waiting() == []
        images.core.call("marketapp.delete", app_id)
        assert code(images, "info", app_id) == Code.NO_EXISTS
        assert images.contradictions() == []


@pytest.mark.parametrize("more", ['ORIGIN_ID="99"', 'ORIGIN_ID="5" TYPE="WEIRD"'])
def test_what_cannot_be_imported_stays_in_error(images: Images, market: int, more: str) -> None:
    with pytest.raises(Refused) as refusal:
        allocate(images, market, more)
    assert refusal.value.code == Code.INTERNAL
    assert app(images, 0).findtext("STATE") == "3" and app(images, 0).findtext("TEMPLATE/ERROR")
    assert images.core.info("market.info", market).findtext("MARKETPLACEAPPS/ID") == "0"
    assert images.waiting() == [] and images.contradictions() == []


def test_codes_of_refused_templates(images: Images, market: int) -> None:
    listing = images.core.call("market.allocate", 'NAME="l" MARKET_MAD="listing"')
    text = images.core.call("market.info", market)
    elsewhere = text.replace("<ZONE_ID><![CDATA[0]]>", "<ZONE_ID><![CDATA[5]]>").replace(
        "<NAME>m<", "<NAME>e<"
    )
    far = images.core.call("market.allocatedb", elsewhere)
    allocate(images, market, 'TYPE="VMTEMPLATE" ORIGIN_ID="1"')
    images.core.add_user("alice")
    good = 'NAME="x" TYPE="VMTEMPLATE" ORIGIN_ID="1"'
    for template, target, expected in (
        ("X", market, Code.INTERNAL),
        (good, 999, Code.INTERNAL),
        (good, listing, Code.ACTION),
        (good, far, Code.ACTION),
        ('TYPE="VMTEMPLATE" ORIGIN_ID="1"', market, Code.INTERNAL),
        ('NAME="app" TYPE="VMTEMPLATE" ORIGIN_ID="1"', market, Code.INTERNAL),
        ('NAME="x" TYPE="VMTEMPLATE"', market, Code.INTERNAL),
        ('NAME="x" TYPE="VMTEMPLATE" ORIGIN_ID="one"', market, Code.INTERNAL),
    ):
        assert code(images, "allocate", template, target) == expected, template
    assert code(images, "allocate", good, 999, user="alice") == Code.AUTHORIZATION


def test_what_is_refused_to_be_deleted(images: Images, market: int) -> None:
    app_id = allocate(images, market, 'TYPE="VMTEMPLATE" ORIGIN_ID="1"')
    text = images.core.call("marketapp.info", app_id)
    images.core.call(
        "marketapp.updatedb", app_id, text.replace("<ZONE_ID><![CDATA[0]]>", "<ZONE_ID><![CDATA[5]]>")
    )
    assert code(images, "delete", app_id) == Code.ACTION
    images.core.call("marketapp.updatedb", app_id, text)
    images.core.call("market.update", market, 'MARKET_MAD="listing"', 1)
    assert code(images, "delete", app_id) == Code.ACTION
    assert code(images, "delete", 99) == Code.NO_EXISTS


def test_deleting_one_under_way_frees_its_image(images: Images, market: int) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    app_id = allocate(images, market, f'ORIGIN_ID="{image_id}"')
    images.core.call("marketapp.delete", app_id)
    images.core.call("marketapp.delete", app_id)
    assert (images.waiting(), images.state(image_id)) == (["market.DELETE"], "1")
    images.end(ok=False, message="not there")
    assert code(images, "info", app_id) == Code.NO_EXISTS
    assert images.contradictions() == []


def test_attributes_names_bits_locks(images: Images, market: int) -> None:
    app_id = allocate(images, market, 'TYPE="VMTEMPLATE" ORIGIN_ID="4" DESCRIPTION="d"')
    images.core.call("marketapp.update", app_id, 'DESCRIPTION="e" SOURCE="x" ORIGIN_ID="9" SIZE="1"', 1)
    found = app(images, app_id)
    assert [found.findtext(n) for n in ("DESCRIPTION", "SOURCE", "ORIGIN_ID", "SIZE", "TEMPLATE/SOURCE")] == [
        *("e", "", "4", "0", None),
    ]
    for wanted, state in ((False, "4"), (False, "4"), (True, "1")):
        assert images.core.call("marketapp.enable", app_id, wanted) == app_id
        assert app(images, app_id).findtext("STATE") == state
    images.core.call("marketapp.rename", app_id, "renamed")
    images.core.call("marketapp.chmod", app_id, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    images.core.call("marketapp.chown", app_id, -1, 1)
    images.core.call("marketapp.lock", app_id, 2, False)
    assert code(images, "update", app_id, 'A="1"', 1) == Code.AUTHORIZATION
    images.core.call("marketapp.unlock", app_id)
    images.core.add_user("alice")
    for method, *args in (
        ("update", 'A="1"', 1),
        ("enable", True),
        ("delete",),
        ("rename", "x"),
        ("lock", 1, False),
    ):
        assert code(images, str(method), app_id, *args, user="alice") == Code.AUTHORIZATION
    assert code(images, "dropdb", app_id, user="alice") == Code.AUTHORIZATION
    assert images.core.call("marketapp.dropdb", app_id) == app_id
    assert code(images, "dropdb", app_id) == Code.NO_EXISTS
