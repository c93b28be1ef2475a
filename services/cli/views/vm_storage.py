"""Disks and snapshots in ``onevm show``."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from services.cli import units
from services.cli.documents import number_of, text_of
from services.cli.table import Column
from services.cli.views.common import Page

_DISK_COLUMNS = [
    Column("ID", "", 3),
    Column("DATASTORE", "", 10, left=True),
    Column("TARGET", "", 6, left=True),
    Column("IMAGE", "", 35, left=True),
    Column("SIZE", "", 9, left=True),
    Column("TYPE", "", 4, left=True),
    Column("SAVE", "", 4),
]


def disks(page: Page, vm: Element) -> None:
    """The section VM DISKS, when there are any."""
    found = vm.findall("TEMPLATE/DISK")
    context = vm.find("TEMPLATE/CONTEXT")
    if not found and context is None:
        return
    measured = {text_of(row, "ID"): text_of(row, "SIZE") for row in vm.findall("MONITORING/DISK_SIZE")}
    rows = [_disk_row(disk, measured) for disk in found]
    if context is not None:
        oid = text_of(context, "DISK_ID")
        used = f"{_size(measured.get(oid, ''))}/-"
        rows.append([oid, "-", text_of(context, "TARGET"), "CONTEXT", used, "-", "-"])
    page.blank()
    page.head("VM DISKS")
    page.table(_DISK_COLUMNS, rows)


def _size(size_mb: str) -> str:
    return units.size(int(size_mb), "M") if size_mb.isdigit() else "-"


def _disk_row(disk: Element, measured: dict[str, str]) -> list[str]:
    oid, size = text_of(disk, "DISK_ID"), _size(text_of(disk, "SIZE"))
    volatile = {"FS": f"{text_of(disk, 'FORMAT')} - {size}", "SWAP": size}
    return [
        oid,
        text_of(disk, "DATASTORE"),
        text_of(disk, "TARGET"),
        text_of(disk, "IMAGE") or volatile.get(text_of(disk, "TYPE").upper(), ""),
        f"{_size(measured.get(oid, ''))}/{size}",
        text_of(disk, "TYPE").lower(),
        text_of(disk, "SAVE") or "NO",
    ]


_DISK_SNAPSHOT_COLUMNS = [
    Column("AC", "", 2, left=True),
    Column("ID", "", 3),
    Column("DISK", "", 4),
    Column("PARENT", "", 6),
    Column("DATE", "", 15),
    Column("SIZE", "", 12, left=True),
    Column("NAME", "", 32, left=True),
]


def disk_snapshots(page: Page, vm: Element) -> None:
    """The section VM DISK SNAPSHOTS, when there are any."""
    measured = {
        (text_of(row, "DISK_ID"), text_of(row, "ID")): text_of(row, "SIZE")
        for row in vm.findall("MONITORING/SNAPSHOT_SIZE")
    }
    rows = []
    for section in vm.findall("SNAPSHOTS"):
        disk = text_of(section, "DISK_ID")
        for snapshot in section.findall("SNAPSHOT"):
            oid = text_of(snapshot, "ID")
            rows.append(
                [
                    "=>" if text_of(snapshot, "ACTIVE") == "YES" else "",
                    oid,
                    disk,
                    text_of(snapshot, "PARENT"),
                    units.moment(number_of(snapshot, "DATE")),
                    f"{_size(measured.get((disk, oid), ''))}/{_size(text_of(snapshot, 'SIZE'))}",
                    text_of(snapshot, "NAME"),
                ]
            )
    if rows:
        page.blank()
        page.head("VM DISK SNAPSHOTS")
        page.table(_DISK_SNAPSHOT_COLUMNS, rows)


_SNAPSHOT_COLUMNS = [
    Column("ID", "", 4),
    Column("TIME", "", 12),
    Column("NAME", "", 46, left=True),
    Column("HYPERVISOR_ID", "", 15, left=True),
]


def snapshots(page: Page, vm: Element) -> None:
    """The section SNAPSHOTS, of the whole machine, when there are any."""
    found = vm.findall("TEMPLATE/SNAPSHOT")
    if not found:
        return
    page.blank()
    page.head("SNAPSHOTS")
    rows = [
        [
            text_of(one, "SNAPSHOT_ID"),
            units.minute(number_of(one, "TIME")),
            text_of(one, "NAME"),
            text_of(one, "HYPERVISOR_ID"),
        ]
        for one in found
    ]
    page.table(_SNAPSHOT_COLUMNS, rows)
