"""Usage and quotas of users and groups: columns of lists, sections of ``show``.

A limit of -1 stands for the default quota, -2 for no limit (shown as -).
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import units
from services.cli.documents import text_of
from services.cli.table import Column
from services.cli.views.common import Page

_DEFAULT, _UNLIMITED = "-1", "-2"
_NOTHING = Element("VM")  # a user without machines and without limits has no record
_TAGS = ("DATASTORE_QUOTA", "NETWORK_QUOTA", "VM_QUOTA", "IMAGE_QUOTA")


def prepare(tag: str) -> Any:
    """A function that gives the members of a pool their quotas, which stand beside them."""

    def complete(pool: Element, look: Any) -> list[Element]:
        quotas = {row.findtext("ID"): row for row in pool.findall("QUOTAS")}
        look.defaults = next((child for child in pool if child.tag.startswith("DEFAULT_")), None)
        members = pool.findall(tag)
        for member in members:
            row = quotas.get(member.findtext("ID"))
            if row is not None and member.find("VM_QUOTA") is None:
                member.extend(child for child in row if child.tag in _TAGS)
        return members

    return complete


def _limit(record: Element, what: str, default: Element | None) -> str:
    """The limit that counts: the record's own, or that of the default record for -1."""
    limit = text_of(record, what, _DEFAULT)
    if limit != _DEFAULT:
        return limit
    return text_of(default, what, _UNLIMITED) if default is not None else _UNLIMITED


def _has_no_limit(limit: str) -> bool:
    return float(limit) < 0


def _vm_record(element: Element | None) -> Element | None:
    return element.find("VM_QUOTA/VM") if element is not None else None


def _shown_record(element: Element) -> Element | None:
    """What counts for machines; None for oneadmin, user and group, who are never counted."""
    record = _vm_record(element)
    return _NOTHING if record is None and element.findtext("ID") != "0" else record


def list_columns(sizes: tuple[int, int, int], forms: tuple[str, str, str]) -> list[Column]:
    """The columns VMS, MEMORY and CPU of a list; ``forms`` are formats of used and limit."""

    def cell(what: str, form: str, text: Any) -> Any:
        def value(element: Element, look: Any) -> str:
            if element.findtext("ID") == "0":  # oneadmin, user and group, is never counted
                return "-"
            record = _vm_record(element)
            record = _NOTHING if record is None else record
            limit = _limit(record, what, _vm_record(look.defaults))
            used = text(text_of(record, f"{what}_USED", "0"))
            return form % (used, "-" if _has_no_limit(limit) else text(limit))

        return value

    names = (("VMS", "VMS", str), ("MEMORY", "MEMORY", _memory), ("CPU", "CPU", _cpu))
    descs = ("machines, of those allowed", "memory, of that allowed", "CPU, of that allowed")
    return [
        Column(name, desc, size, cell(what, form, text))
        for (name, what, text), desc, size, form in zip(names, descs, sizes, forms, strict=True)
    ]


def _memory(size_mb: str) -> str:
    return units.size(float(size_mb), "M")


def _cpu(amount: str) -> str:
    return f"{float(amount):.1f}"


def sections(page: Page, element: Element) -> None:
    """The sections of ``show`` from VMS USAGE & QUOTAS on."""
    defaults = next((child for child in element if child.tag.startswith("DEFAULT_")), None)
    _vms(page, element, defaults)
    _running(page, element, defaults)
    _others(page, element, defaults)


def _cell(record: Element, what: str, default: Element | None, form: str, text: Any) -> str:
    limit = _limit(record, what, default)
    used = text(text_of(record, f"{what}_USED", "0"))
    return form % (used, "-" if _has_no_limit(limit) else text(limit))


def _whole(text: str) -> str:
    return str(int(float(text)))


def _decimal(text: str) -> str:
    return f"{float(text):.2f}"


def _vms(page: Page, element: Element, defaults: Element | None) -> None:
    page.head("VMS USAGE & QUOTAS")
    page.blank()
    record = _shown_record(element)
    if record is None:
        return
    columns = [
        Column("VMS", "", 17),
        *(Column(name, "", 20) for name in ("MEMORY", "CPU", "SYSTEM_DISK_SIZE")),
    ]
    cells = (
        ("VMS", "%7s / %7s", _whole),
        ("MEMORY", "%8s / %8s", _memory),
        ("CPU", "%8s / %8s", _decimal),
        ("SYSTEM_DISK_SIZE", "%8s / %8s", _memory),
    )
    page.table(
        columns, [[_cell(record, what, _vm_record(defaults), form, text) for what, form, text in cells]]
    )
    page.blank()


def _running(page: Page, element: Element, defaults: Element | None) -> None:
    page.head("VMS USAGE & QUOTAS - RUNNING")
    page.blank()
    record = _shown_record(element)
    if record is None:
        return
    columns = [Column("RUNNING VMS", "", 17), Column("RUNNING MEMORY", "", 20), Column("RUNNING CPU", "", 20)]
    cells = (
        ("RUNNING_VMS", "%7s / %7s", _whole),
        ("RUNNING_MEMORY", "%8s / %8s", _memory),
        ("RUNNING_CPU", "%8s / %8s", _decimal),
    )
    page.table(
        columns, [[_cell(record, what, _vm_record(defaults), form, text) for what, form, text in cells]]
    )
    page.blank()


def _others(page: Page, element: Element, defaults: Element | None) -> None:
    kinds = (
        ("DATASTORE", (("IMAGES", "IMAGES", _whole, 20), ("SIZE", "SIZE", _memory, 19))),
        ("NETWORK", (("LEASES", "LEASES", _whole, 20),)),
        ("IMAGE", (("RUNNING VMS", "RVMS", _whole, 20),)),
    )
    for kind, cells in kinds:
        page.head(f"{kind} USAGE & QUOTAS")
        page.blank()
        records = element.findall(f"{kind}_QUOTA/{kind}")
        if not records:
            continue
        columns = [Column("ID", "", 12), *(Column(name, "", size) for name, _, _, size in cells)]
        rows = []
        for record in records:
            own = _default_record(defaults, kind, text_of(record, "ID"))
            rows.append(
                [
                    text_of(record, "ID"),
                    *(_cell(record, what, own, "%8s / %8s", text) for _, what, text, _ in cells),
                ]
            )
        page.table(columns, rows)
        if kind != "IMAGE":  # the last one
            page.blank()


def _default_record(defaults: Element | None, kind: str, oid: str) -> Element | None:
    found = defaults.findall(f"{kind}_QUOTA/{kind}") if defaults is not None else []
    return next((record for record in found if text_of(record, "ID") == oid), None)
