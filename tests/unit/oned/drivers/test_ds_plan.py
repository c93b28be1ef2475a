"""Steps of image, datastore and marketplace operations: script, argument order and the message inside."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.common import xmldoc
from services.oned.drivers import ds_plan, plan
from services.oned.drivers.ask import ask
from services.oned.drivers.step import FromOutput, PlanError, Step
from services.oned.drivers.table import Drivers
from services.oned.model.datastore import Datastore
from services.oned.store.jobs import Job
from tests.support.core import Core
from tests.support.images import Images

DUMMY = 'MARKET_MAD_CONF = [ NAME = "dummy", APP_ACTIONS = "create, delete, monitor" ]'


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Images]:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    core = Core(tmp_path, DUMMY)
    yield Images(core)
    core.zone.close()


def steps(images: Images, kind: str, oid: int, operation: str, **spec: int) -> list[Step]:
    """The plan of a job."""
    job = Job(1, kind, oid, operation, "dummy", "", dict(spec), 1, None, 0)
    drivers = Drivers(images.core.zone.conf)
    return images.core.store.read_value(lambda tx: plan.steps(tx, job, drivers))


def decoded(argument: object) -> xmldoc.etree._Element:
    assert isinstance(argument, str)
    return xmldoc.parse(base64.b64decode(argument))


@pytest.mark.parametrize(
    "operation", ["CP", "MKFS", "CLONE", "RM", "SNAP_DELETE", "SNAP_REVERT", "SNAP_FLATTEN"]
)
def test_actions_on_images(images: Images, operation: str) -> None:
    image_id = images.ready('NAME="os" PATH="/x"')
    (step,) = steps(images, "IMAGE", image_id, f"ds.{operation}")
    assert (step.subsystem, step.driver, step.action) == ("datastore", "dummy", operation.lower())
    message, oid = step.args
    assert (oid, step.gives_output, step.host) == (str(image_id), True, "")
    root = decoded(message)
    assert (root.tag, [child.tag for child in root]) == ("DS_DRIVER_ACTION_DATA", ["IMAGE", "DATASTORE"])
    assert root.findtext("IMAGE/PATH") == "/x" and root.findtext("DATASTORE/DS_MAD") == "dummy"


def test_an_image_of_an_appliance_brings_its_marketplace(images: Images) -> None:
    image_id = images.allocate('NAME="os" PATH="/x"')
    (step,) = steps(images, "IMAGE", image_id, "ds.CP", market_id=0)
    assert [child.tag for child in decoded(step.args[0])] == ["IMAGE", "DATASTORE", "MARKETPLACE"]


def test_monitoring_asks_the_datastores_or_the_transfer_driver(images: Images) -> None:
    (step,) = steps(images, "DATASTORE", images.store, "ds.MONITOR")
    assert (step.name, step.args[1]) == ("datastore/dummy/monitor", str(images.store))
    assert [child.tag for child in decoded(step.args[0])] == ["DATASTORE"]
    system = images.core.call("datastore.allocate", 'NAME="s" TYPE="SYSTEM_DS" TM_MAD="dummy"', 0)
    (step,) = steps(images, "DATASTORE", system, "ds.MONITOR", vm_disks=1)
    root = decoded(step.args[0])
    assert step.name == "tm/dummy/monitor"
    assert [child.tag for child in root] == ["DATASTORE", "DATASTORE_LOCATION", "MONITOR_VM_DISKS"]
    assert (root.findtext("DATASTORE_LOCATION"), root.findtext("MONITOR_VM_DISKS")) == ("/ds", "1")


def test_drivers_that_oned_conf_does_not_list(images: Images) -> None:
    drivers = Drivers(images.core.zone.conf)
    store = Datastore(7, "x")
    store.ds_mad = "mine"
    with pytest.raises(PlanError, match="Datastore driver 'mine' not available"):
        ds_plan.step(drivers, store, "cp", "m", 1)
    store.ds_mad = "fs"
    assert ds_plan.step(drivers, store, "cp", "m", 1).name == "datastore/fs/cp"


def test_what_is_gone_when_the_job_is_planned(images: Images) -> None:
    for kind, operation in (
        ("IMAGE", "ds.RM"),
        ("DATASTORE", "ds.MONITOR"),
        ("MARKETPLACE", "market.MONITOR"),
    ):
        with pytest.raises(PlanError, match="999 does not exist"):
            steps(images, kind, 999, operation)
    with pytest.raises(PlanError, match="no operation"):
        steps(images, "IMAGE", 0, "ds.NOPE")


def test_a_message_stays_small_enough_for_a_process(images: Images) -> None:
    store = Datastore(7, "x")
    store.images = list(range(10_000))
    text = ds_plan.message(store, "<IMAGE><ID>1</ID></IMAGE>")
    assert len(text) < 128 * 1024
    root = decoded(text)
    assert root.findtext("DATASTORE/ID") == "7" and root.find("DATASTORE/IMAGES/ID") is None


def test_asking_for_a_size(images: Images) -> None:
    store = Datastore(7, "x")
    store.ds_mad = "dummy"
    step = ds_plan.stat(Drivers(images.core.zone.conf), store, "/a <b>")
    assert decoded(step.args[0]).findtext("IMAGE/PATH") == "/a <b>"
    assert ask(step).text == "1024" and ask(step).ok
    store.ds_mad = "fs"
    answer = ask(ds_plan.stat(Drivers(images.core.zone.conf), store, "/x"))
    assert not answer.ok and "'/x' cannot be read" in answer.text


def test_a_document_too_long_for_a_process_is_refused(images: Images) -> None:
    store = Datastore(7, "x")
    store.ds_mad = "fs"
    with pytest.raises(PlanError, match="the document for the driver is too long: .* at most 131071"):
        ds_plan.stat(Drivers(images.core.zone.conf), store, "data:," + "x" * 100_000)


@pytest.mark.parametrize("driver", ["ceph", "dev", "lvm", "../vmm/kvm", "../../elsewhere"])
def test_drivers_that_are_not_there(images: Images, driver: str) -> None:
    drivers = Drivers(images.core.zone.conf)
    drivers.ds_options = replace(drivers.ds_options, types=(driver,))
    store = Datastore(7, "x")
    store.ds_mad = driver
    with pytest.raises(PlanError, match="not available"):
        ds_plan.stat(drivers, store, "/x")


def test_an_action_that_hangs_is_given_up(script: Callable[..., Path]) -> None:
    script("echo begun; sleep 30", "test/slow/stat")
    answer = ask(Step("test", "slow", "stat", (), 1))
    assert not answer.ok and "did not end in time" in answer.text


def test_actions_on_marketplaces(images: Images) -> None:
    market = images.core.call("market.allocate", 'NAME="m" MARKET_MAD="dummy"')
    (step,) = steps(images, "MARKETPLACE", market, "market.MONITOR")
    assert (step.name, step.args[1]) == ("market/dummy/monitor", str(market))
    assert [child.tag for child in decoded(step.args[0])] == ["MARKETPLACE"]
    image_id = images.ready('NAME="os" PATH="/x"')
    app = images.core.call("marketapp.allocate", f'NAME="a" ORIGIN_ID="{image_id}"', market)
    export, taken = steps(images, "MARKETPLACEAPP", app, "market.IMPORT")
    assert (export.name, export.args[1]) == ("datastore/dummy/export", str(app))
    assert [child.tag for child in decoded(export.args[0])] == ["IMAGE", "DATASTORE"]
    argument, oid = taken.args
    assert (taken.name, oid) == ("market/dummy/import", str(app)) and isinstance(argument, FromOutput)
    root = decoded(argument.make("<IMPORT_INFO><IMPORT_SOURCE>/f</IMPORT_SOURCE><MD5>m</MD5></IMPORT_INFO>"))
    assert [child.tag for child in root] == [
        *("MARKETPLACEAPP", "MARKETPLACE", "IMAGE", "DATASTORE"),
        *("IMPORT_SOURCE", "MD5", "SIZE", "FORMAT", "DISPOSE", "DISPOSE_CMD"),
    ]
    assert root.findtext("IMPORT_SOURCE") == "/f"
    with pytest.raises(PlanError, match="export cannot be read"):
        argument.make("no xml")
    (step,) = steps(images, "MARKETPLACEAPP", app, "market.DELETE")
    assert [child.tag for child in decoded(step.args[0])] == ["MARKETPLACEAPP", "MARKETPLACE"]
