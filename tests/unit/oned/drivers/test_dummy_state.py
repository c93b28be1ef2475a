"""What the dummy drivers remember: devices and snapshots of machines, and disks as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.oned.drivers.messages import error_text
from tests.unit.oned.drivers.test_driver_dummy import Dummy

PLACE = "/ds/104/3"


@pytest.fixture
def dummy(location: Path) -> Dummy:
    made = Dummy(location)
    (location / "var/remotes/etc/dummy/dummyrc").write_text("KEEP_DISKS=yes\n")
    return made


def disks(dummy: Dummy, host: str) -> dict[str, str]:
    """The files that stand for the disks of VM 3 on a host, with what they hold."""
    folder = dummy.location / f"var/dummy/.disks/{host}{PLACE}"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".arrived")
    return {str(path.relative_to(folder)): path.read_text().strip() for path in files}


def ok(dummy: Dummy, action: str, *args: str) -> str:
    """What a transfer action prints; it must end well."""
    done = dummy(f"tm/dummy/{action}", *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(dummy: Dummy, action: str, *args: str) -> str:
    """Why an action fails."""
    done = dummy(action, *args)
    assert done.returncode == 1
    return error_text(done.stderr)


# -- machines ----------------------------------------------------------------------------------------------
def test_devices_of_a_machine(dummy: Dummy) -> None:
    dummy.deploy()
    disk = ("one-3", f"{PLACE}/disk.2", "sdc", "2", "data64", "3", "h1")
    nic = ("one-3", "02:00", "br0", "-", "fw", "one-3-0", "3", "h1")
    assert dummy("vmm/dummy/attach_disk", *disk).returncode == 0
    assert "already has a disk sdc" in refusal(dummy, "vmm/dummy/attach_disk", *disk)
    assert dummy("vmm/dummy/detach_disk", *disk[:4], *disk[5:]).returncode == 0
    assert dummy("vmm/dummy/attach_disk", *disk).returncode == 0
    assert dummy("vmm/dummy/attach_nic", *nic).returncode == 0
    assert "already has an interface 02:00" in refusal(dummy, "vmm/dummy/attach_nic", *nic)
    assert dummy("vmm/dummy/migrate", "one-3", "h2", "h1", "3", "h1").returncode == 0
    assert "already has a disk" in refusal(dummy, "vmm/dummy/attach_disk", *disk[:-1], "h2")
    assert dummy("vmm/dummy/detach_nic", "one-3", "02:00", "3", "h2").returncode == 0
    assert dummy("vmm/dummy/attach_nic", *nic[:-1], "h2").returncode == 0
    assert "not found" in refusal(dummy, "vmm/dummy/attach_disk", *disk)


def test_snapshots_of_a_machine(dummy: Dummy) -> None:
    dummy.deploy()
    named = ("one-3", "dummy-snap", "3", "h1")
    assert "has no snapshot" in refusal(dummy, "vmm/dummy/snapshot_revert", *named)
    for number in ("0", "1"):
        assert dummy("vmm/dummy/snapshot_create", "one-3", number, "3", "h1").stdout == "dummy-snap\n"
    assert dummy("vmm/dummy/snapshot_revert", *named).returncode == 0
    for _ in range(2):
        assert dummy("vmm/dummy/snapshot_delete", *named).returncode == 0
    assert "has no snapshot" in refusal(dummy, "vmm/dummy/snapshot_delete", *named)
    assert dummy.state() == "STATE=a"


# -- disks -------------------------------------------------------------------------------------------------
def test_the_life_of_disks(dummy: Dummy) -> None:
    at = f"h1:{PLACE}"
    ok(dummy, "clone", "fe:/ds/1/os", f"{at}/disk.0", "3", "1")
    ok(dummy, "ln", "fe:/ds/1/data", f"{at}/disk.1", "3", "1")
    ok(dummy, "mkimage", "5", "raw", f"{at}/disk.2", "3", "104")
    ok(dummy, "mkswap", "6", f"{at}/disk.3", "3", "104")
    ok(dummy, "context", "/a", "/b", f"{at}/disk.4", "3", "104")
    assert list(disks(dummy, "h1").values()) == [
        "fe:/ds/1/os",
        "fe:/ds/1/data",
        "5 MB raw",
        "6 MB swap",
        "context",
    ]
    ok(dummy, "snap_create", f"{at}/disk.0", "0", "3", "1")
    ok(dummy, "resize", f"{at}/disk.0", "900", "3", "1")
    assert disks(dummy, "h1")["disk.0"].endswith("900 MB")
    ok(dummy, "snap_revert", f"{at}/disk.0", "0", "3", "1")
    assert disks(dummy, "h1")["disk.0"] == "fe:/ds/1/os"
    ok(dummy, "cpds", f"{at}/disk.0", "/ds/1/saved", "0", "3", "1")
    ok(dummy, "snap_delete", f"{at}/disk.0", "0", "3", "1")
    assert "there is no snapshot 0" in refusal(dummy, "tm/dummy/snap_delete", f"{at}/disk.0", "0", "3", "1")
    # What is saved is what the next copy holds.
    (dummy.location / f"var/dummy/.disks/h1{PLACE}/disk.1").write_text("changed")
    ok(dummy, "mvds", f"{at}/disk.1", "/ds/1/data", "3", "1")
    ok(dummy, "delete", f"{at}/disk.1", "3", "1")
    ok(dummy, "ln", "fe:/ds/1/data", f"{at}/disk.1", "3", "1")
    assert disks(dummy, "h1")["disk.1"] == "changed"
    ok(dummy, "delete", at, "3", "104")
    assert disks(dummy, "h1") == {}
    assert "does not exist" in refusal(dummy, "tm/dummy/mvds", f"{at}/disk.1", "/ds/1/data", "3", "1")


def test_moving_is_as_reckless_as_it_is_elsewhere(dummy: Dummy) -> None:
    ok(dummy, "clone", "fe:/os", f"h1:{PLACE}/disk.0", "3", "1")
    move = (f"h1:{PLACE}", f"h2:{PLACE}", "3", "104")
    ok(dummy, "mv", f"h1:{PLACE}/disk.0", f"h2:{PLACE}/disk.0", "3", "1")
    assert disks(dummy, "h2") == {}  # it goes with the folder
    ok(dummy, "mv", *move)
    assert (disks(dummy, "h1"), disks(dummy, "h2")) == ({}, {"disk.0": "fe:/os"})
    assert "cannot move" in refusal(dummy, "tm/dummy/mv", *move)
    assert disks(dummy, "h2") == {}  # which is why folders are held


def test_holding_stands_in_for_transit(dummy: Dummy) -> None:
    ok(dummy, "clone", "fe:/os", f"h1:{PLACE}/disk.0", "3", "1")
    assert ok(dummy, "hold", "h1", PLACE, "1.move").startswith("STATE=here\n")
    ok(dummy, "delete", f"h1:{PLACE}/disk.0", "3", "1")
    ok(dummy, "putback", "h1", PLACE, "1.move")
    assert disks(dummy, "h1") == {"disk.0": "fe:/os"}
    ok(dummy, "release", "h1", PLACE, "*")
    assert ok(dummy, "secure", "h1", PLACE, "1.end", "disk.0").startswith("STATE=here\n")
    ok(dummy, "finish", "h1", PLACE, "1.end")
    assert ok(dummy, "secure", "h1", PLACE, "1.end", "disk.0") == "STATE=done\n"


def test_live_migration_of_disks(dummy: Dummy) -> None:
    ok(dummy, "clone", "fe:/os", f"h1:{PLACE}/disk.0", "3", "1")
    move = ("h1", "h2", PLACE, "3", "104")
    ok(dummy, "premigrate", *move)
    assert disks(dummy, "h1") == disks(dummy, "h2")
    ok(dummy, "failmigrate", *move)
    assert disks(dummy, "h2") == {}
    ok(dummy, "premigrate", *move)
    ok(dummy, "postmigrate", *move)
    assert (disks(dummy, "h1"), disks(dummy, "h2")) == ({}, {"disk.0": "fe:/os"})


def test_without_files_every_action_says_what_a_good_end_needs(location: Path) -> None:
    dummy = Dummy(location)
    assert ok(dummy, "hold", "h1", PLACE, "1.move") == "STATE=here\n"
    assert ok(dummy, "verify", "h1", PLACE, "1.move") == "STATE=arrived\n"
    ok(dummy, "mv", f"h1:{PLACE}", f"h2:{PLACE}", "3", "104")
    assert not (location / "var/dummy/.disks").exists()


@pytest.mark.parametrize("path", ["/ds/../../etc", "ds/104", ""])
def test_paths_lead_nowhere_else(dummy: Dummy, path: str) -> None:
    assert "the path must be absolute" in refusal(dummy, "tm/dummy/delete", f"h1:{path}", "3", "1")


def test_settings_of_actions_on_folders(dummy: Dummy) -> None:
    settings = dummy.location / "var/remotes/etc/dummy/vms"
    settings.mkdir()
    (settings / "3").write_text("FAIL=tm/hold,snapped\n")
    assert "failed as its settings ask" in refusal(dummy, "tm/dummy/hold", "h1", PLACE, "1.move")
    assert "failed as its settings ask" in refusal(dummy, "tm/dummy/snapped", "h1", f"{PLACE}/disk.0", "1")
    ok(dummy, "unsnapped", "h1", f"{PLACE}/disk.0", "1")
