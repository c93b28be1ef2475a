"""Subcommands of onevm on parts of a machine, and the options with which actions are scheduled."""

from __future__ import annotations

from typing import Any

from services.cli import vm_options
from services.cli.decl import ID, Arg, Opt, Sub

_PARTS = "services.cli.commands.vm_parts"
_CHARTS = "services.cli.commands.vm_charts"
SCHEDULE = (
    Opt(
        "schedule",
        'do it later: at "09/23 14:15", or +3600 (seconds after the start)',
        "TIME",
        type="schedule",
    ),
    Opt("weekly", "with --schedule: again on these days of the week, 0 to 6", "days", type="days"),
    Opt("monthly", "with --schedule: again on these days of the month, 1 to 31", "days", type="days"),
    Opt("yearly", "with --schedule: again on these days of the year, 0 to 365", "days", type="days"),
    Opt("hourly", "with --schedule: again every so many hours, 1 to 168", "hour", type="count"),
    Opt("end", "with a repetition: how often, or until when", "number|TIME"),
)
ENFORCE = Opt("enforce", "check that the host has room", short="e")
_FILE = Opt("file", "file with a template", "file", "f", "file")


def _part(name: str, args: str, help: str, done: str, call: tuple[Any, ...], scheduled: bool = True) -> Sub:
    """A subcommand on a part of a VM (a snapshot, a disk)."""
    return Sub(
        name,
        args,
        help,
        options=SCHEDULE if scheduled else (),
        call=call,
        run=f"{_CHARTS}:act" if scheduled else f"{_PARTS}:perform",
        done=done,
    )


SUBS = [
    Sub(
        "resize",
        "vmid",
        "change CPU and memory",
        options=(*vm_options.CAPACITY, ENFORCE, _FILE),
        run=f"{_PARTS}:resize",
        done="resizing",
    ),
    Sub(
        "disk-attach",
        "vmid",
        "attach a disk: an image, or the DISK of a template file",
        options=(
            _FILE,
            Opt("image", "the image", "id|name", "i", "imageid"),
            Opt("target", "device in the guest, such as vdb", "target", "t"),
            Opt("cache", "how the hypervisor caches it", "cache_mode"),
            Opt("discard", "ignore or unmap", "discard_mode"),
            Opt("prefix", "kind of device, such as vd", "prefix"),
        ),
        run=f"{_PARTS}:disk_attach",
        done="attaching the disk",
    ),
    _part(
        "disk-detach",
        "vmid diskid:integer",
        "take a disk away",
        "detaching the disk",
        ("vm.detach", ID, Arg("diskid")),
        scheduled=False,
    ),
    _part(
        "disk-resize",
        "vmid diskid:integer size:size_mb",
        "make a disk larger: megabytes, or 20g",
        "resizing the disk",
        ("vm.diskresize", ID, Arg("diskid"), lambda inv: str(inv.args["size"])),
        scheduled=False,
    ),
    Sub(
        "disk-saveas",
        "vmid diskid:integer img_name:name",
        "save a disk as a new image; prints its id",
        options=(
            Opt("type", "type of the new image, such as DATABLOCK", "type", "t"),
            Opt("snapshot", "the snapshot to save", "snapshot", "s"),
        ),
        run=f"{_PARTS}:disk_saveas",
        done="saving the disk",
    ),
    _part(
        "disk-snapshot-create",
        "vmid diskid:integer name",
        "take a snapshot of a disk",
        "disk snapshot being taken",
        ("vm.disksnapshotcreate", ID, Arg("diskid"), Arg("name")),
    ),
    _part(
        "disk-snapshot-revert",
        "vmid diskid:integer disk_snapshot_id:name",
        "give a disk the content of a snapshot",
        "disk being reverted",
        ("vm.disksnapshotrevert", ID, Arg("diskid"), Arg("disk_snapshot_id")),
    ),
    _part(
        "disk-snapshot-delete",
        "vmid diskid:integer disk_snapshot_id:name",
        "delete a snapshot of a disk",
        "disk snapshot being deleted",
        ("vm.disksnapshotdelete", ID, Arg("diskid"), Arg("disk_snapshot_id")),
    ),
    _part(
        "disk-snapshot-rename",
        "vmid diskid:integer disk_snapshot_id:name new_snapshot_name:name",
        "give a snapshot of a disk a new name",
        "disk snapshot renamed",
        ("vm.disksnapshotrename", ID, Arg("diskid"), Arg("disk_snapshot_id"), Arg("new_snapshot_name")),
        scheduled=False,
    ),
    Sub(
        "nic-attach",
        "vmid",
        "attach an interface: to a network, or the NIC of a template file",
        options=(
            _FILE,
            Opt("network", "the network", "id|name", "n", "vnetid"),
            Opt("ip", "its address", "ip", "i"),
            Opt("alias", "make it an alias of this interface", "alias", "a"),
            Opt("nic_name", "name of the interface", "name"),
        ),
        run=f"{_PARTS}:nic_attach",
        done="attaching the interface",
    ),
    _part(
        "nic-detach",
        "vmid nicid:integer",
        "take an interface away",
        "detaching the interface",
        ("vm.detachnic", ID, Arg("nicid")),
        scheduled=False,
    ),
    _part(
        "snapshot-create",
        "vmid_list [name]",
        "take a snapshot of the whole machine",
        "snapshot being taken",
        ("vm.snapshotcreate", ID, Arg("name", "")),
    ),
    _part(
        "snapshot-revert",
        "vmid snapshot_id:name",
        "go back to a snapshot",
        "being reverted",
        ("vm.snapshotrevert", ID, Arg("snapshot_id")),
    ),
    _part(
        "snapshot-delete",
        "vmid snapshot_id:name",
        "delete a snapshot",
        "snapshot being deleted",
        ("vm.snapshotdelete", ID, Arg("snapshot_id")),
    ),
]
