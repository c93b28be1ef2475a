"""The dummy drivers: real state, delays and failures by setting, one script for every planned action."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from pathlib import Path

import pytest

from services.common.template import Template
from services.oned.drivers.messages import error_text
from services.oned.drivers.table import ACTIONS

VM = "<VM><ID>3</ID><TEMPLATE>{}</TEMPLATE><USER_TEMPLATE>{}</USER_TEMPLATE></VM>"
FAILS = "<DUMMY><FAIL><![CDATA[{}]]></FAIL></DUMMY>"


class Dummy:
    """Runs the scripts as the engine does."""

    def __init__(self, location: Path) -> None:
        self.location = location
        self.document = VM.format("", "")

    def __call__(self, name: str, *args: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        data = base64.b64encode(self.document.encode()).decode() if stdin is None else stdin
        return subprocess.run(
            [self.location / "var/remotes" / name, *args],
            input=data,
            capture_output=True,
            text=True,
            timeout=30,
            env={"PATH": os.environ["PATH"], "ONE_LOCATION": str(self.location), "LC_ALL": "C"},
        )

    def deploy(self, host: str = "h1") -> subprocess.CompletedProcess[str]:
        file = self.location / "deployment.0"
        file.write_text(self.document)
        return self("vmm/dummy/deploy", str(file), host, "3", host)

    def on(self, action: str, host: str = "h1") -> subprocess.CompletedProcess[str]:
        return self(f"vmm/dummy/{action}", "one-3", host, "3", host)

    def state(self, host: str = "h1") -> str:
        return self.on("poll", host).stdout.split()[0]


@pytest.fixture
def dummy(location: Path) -> Dummy:
    return Dummy(location)


def test_every_planned_action_has_a_script(location: Path) -> None:
    for subsystem, action in ACTIONS:
        path = location / "var/remotes" / subsystem / "dummy" / action
        assert os.access(path, os.X_OK), path


def test_a_machine_has_real_state(dummy: Dummy) -> None:
    first = dummy.deploy()
    assert (first.returncode, first.stdout) == (0, "one-3\n")
    assert dummy.state() == "STATE=a"
    again = dummy.deploy()
    assert (again.returncode, again.stdout) == (1, "")
    assert error_text(again.stderr) == "domain one-3 already exists on host h1"
    assert dummy.on("reboot").returncode == 0
    assert dummy.on("shutdown").returncode == 0
    assert dummy.state() == "STATE=d"
    assert dummy.on("shutdown").returncode == 1
    assert dummy.on("reset").returncode == 1
    assert dummy.on("cancel").returncode == 0


def test_of_many_deployments_at_once_one_succeeds(dummy: Dummy) -> None:
    file = dummy.location / "deployment.0"
    file.write_text(dummy.document)
    args = [dummy.location / "var/remotes/vmm/dummy/deploy", file, "h1", "3", "h1"]
    env = {"PATH": os.environ["PATH"], "ONE_LOCATION": str(dummy.location)}
    started = [
        subprocess.Popen(args, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)
    ]
    for process in started:
        process.communicate()
    assert sorted(process.returncode for process in started) == [0] + [1] * 7


def test_save_restore_migrate(dummy: Dummy) -> None:
    dummy.deploy()
    assert dummy("vmm/dummy/save", "one-3", "/ds/0/3/checkpoint", "h1", "3", "h1").returncode == 0
    assert dummy.state() == "STATE=d"
    restored = dummy("vmm/dummy/restore", "/ds/0/3/checkpoint", "h2", "one-3", "3", "h2")
    assert (restored.returncode, restored.stdout) == (0, "one-3\n")
    assert dummy("vmm/dummy/migrate", "one-3", "h1", "h2", "3", "h2").returncode == 0
    assert (dummy.state("h1"), dummy.state("h2")) == ("STATE=a", "STATE=d")


def test_deleting_the_folder_forgets_a_saved_machine(dummy: Dummy) -> None:
    dummy.deploy()
    dummy("vmm/dummy/save", "one-3", "/x", "h1", "3", "h1")
    assert dummy("tm/dummy/delete", "h1:/ds/0/3/disk.0", "3", "0").returncode == 0
    assert (dummy.location / "var/dummy/.saved/one-3").exists()
    assert dummy("tm/dummy/delete", "h1:/ds/0/3", "3", "0").returncode == 0
    assert not (dummy.location / "var/dummy/.saved/one-3").exists()


def test_failure_by_the_vm(dummy: Dummy) -> None:
    dummy.document = VM.format(FAILS.format("deploy,poll"), FAILS.format("shutdown, vmm/reboot"))
    assert dummy.deploy().returncode == 0  # the user template replaces the template's setting
    failed = dummy.on("shutdown")
    assert failed.returncode == 1
    assert error_text(failed.stderr) == "dummy vmm shutdown: failed as its settings ask"
    assert dummy.on("reboot").returncode == 1
    assert dummy.state() == "STATE=a"  # nothing happened to it
    dummy.document = VM.format(FAILS.format("shutdown"), "")
    assert dummy.on("shutdown").returncode == 1


def test_delay_by_the_vm(dummy: Dummy) -> None:
    settings = "<DUMMY><DELAY_ACTION>deploy</DELAY_ACTION><DELAY_S>0.5</DELAY_S></DUMMY>"
    dummy.document = VM.format(settings, "")
    began = time.monotonic()
    assert dummy.deploy().returncode == 0
    assert time.monotonic() - began >= 0.5
    began = time.monotonic()
    dummy.on("reboot")
    assert time.monotonic() - began < 0.4


def test_a_delay_that_is_no_number(dummy: Dummy) -> None:
    dummy.document = VM.format("<DUMMY><DELAY_S>1;reboot</DELAY_S></DUMMY>", "")
    assert "a delay must be seconds" in dummy.deploy().stderr


def test_settings_of_all_of_a_host_and_of_a_vm(dummy: Dummy) -> None:
    settings = dummy.location / "var/remotes/etc/dummy"
    (settings / "dummyrc").write_text("FAIL=tm/clone\n")
    clone = ("tm/dummy/clone", "fe:/x", "h1:/ds/0/3/disk.0", "3", "0")
    assert dummy(*clone).returncode == 1
    (settings / "hosts").mkdir()
    (settings / "hosts/h1").write_text("FAIL=deploy\n")
    assert dummy(*clone).returncode == 0
    assert dummy.deploy("h1").returncode == 1
    assert dummy.deploy("h2").returncode == 0
    (settings / "vms").mkdir()
    (settings / "vms/3").write_text("FAIL=\n")
    assert dummy.deploy("h1").returncode == 0


def test_host_report(dummy: Dummy) -> None:
    report = Template.parse(dummy("im/dummy/monitor", "dummy", "0", "h1").stdout)
    assert (report.get("TOTALCPU"), report.get("TOTALMEMORY")) == ("800", "16777216")
    assert (report.get("HOSTNAME"), report.get("MODELNAME")) == ("h1", "Dummy(R) Core @ 3.2GHz")
    assert (report.get("DS_LOCATION_TOTAL_MB"), report.get("DS_LOCATION_USED_MB")) == ("20480", "9720")
    (dummy.location / "var/remotes/etc/dummy/dummyrc").write_text("TOTALCPU=1600\nUSEDMEMORY=1000\n")
    report = Template.parse(dummy("im/dummy/monitor", "dummy", "0", "h1").stdout)
    assert (report.get("FREECPU"), report.get("FREEMEMORY")) == ("1600", "16776216")


@pytest.mark.parametrize("host", ["../h1", "a/b", "", ".hidden"])
def test_names_lead_nowhere_else(dummy: Dummy, host: str) -> None:
    assert "must be a plain name" in dummy.on("shutdown", host).stderr
    assert "must be a plain name" in dummy("im/dummy/monitor", "dummy", "0", host).stderr


def test_networks_and_datastores(dummy: Dummy) -> None:
    for call in (("pre",), ("post", "one-3", "h1"), ("clean", "h1"), ("update_sg", "one-3")):
        assert dummy(f"vnm/dummy/{call[0]}", *call[1:]).returncode == 0
    dummy.document = VM.format(FAILS.format("vnm/pre"), "")
    assert dummy("vnm/dummy/pre").returncode == 1


MESSAGE = "<DS_DRIVER_ACTION_DATA><IMAGE><TEMPLATE>{}</TEMPLATE></IMAGE></DS_DRIVER_ACTION_DATA>"


def message(template: str = "") -> str:
    return base64.b64encode(MESSAGE.format(template).encode()).decode()


def test_capacities_are_opennebulas_or_as_set(dummy: Dummy) -> None:
    stores = {
        "datastore/dummy/monitor": (9720, 20480, 20480),
        "tm/dummy/monitor": (1429920, 4796800, 3333260),
    }
    for script, (used, total, free) in stores.items():
        assert dummy(script, message(), "1").stdout == f"USED_MB={used}\nTOTAL_MB={total}\nFREE_MB={free}\n"
    settings = "DS_TOTAL_MB=100\nDS_USED_MB=30\nDS_SYSTEM_TOTAL_MB=50\nDS_IMAGE_MB=5\n"
    (dummy.location / "var/remotes/etc/dummy/dummyrc").write_text(settings)
    assert dummy("datastore/dummy/monitor", message(), "1").stdout == "USED_MB=30\nTOTAL_MB=100\nFREE_MB=70\n"
    assert dummy("tm/dummy/monitor", message(), "1").stdout == "USED_MB=0\nTOTAL_MB=50\nFREE_MB=50\n"
    assert dummy("datastore/dummy/stat", message(), "0").stdout == "5\n"


@pytest.mark.parametrize(
    ("action", "said"),
    [("cp", "dummy_path dummy_format\n"), ("mkfs", "dummy_path\n"), ("stat", "1024\n"), ("rm", "")],
)
def test_images_fail_and_wait_as_they_say(dummy: Dummy, action: str, said: str) -> None:
    done = dummy(f"datastore/dummy/{action}", message(), "1")
    assert (done.returncode, done.stdout) == (0, said)
    failed = dummy(f"datastore/dummy/{action}", message(FAILS.format(f"datastore/{action}")), "1")
    assert (failed.returncode, failed.stdout) == (1, "")
    started = time.monotonic()
    assert (
        dummy(f"datastore/dummy/{action}", message("<DUMMY><DELAY_S>0.3</DELAY_S></DUMMY>"), "1").returncode
        == 0
    )
    assert time.monotonic() - started >= 0.3
