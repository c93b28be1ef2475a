"""The quota documents of users, groups and the zone's defaults: limits and usage by kind of resource.

Each entry is a vector whose parts are kept by name, as texts, in the order the entries were made. Limits: -1
takes the default quota (not in the defaults themselves), -2 is no limit.

Source: quota XSDs and documents of release 6.0.
"""

from __future__ import annotations

import re
from typing import Self

from services.common import xmldoc
from services.common.template import Template, Vector
from services.oned.errors import ActionError

# kind of entry: its metrics, in the order in which limits are checked
METRICS: dict[str, tuple[str, ...]] = {
    "DATASTORE": ("SIZE", "IMAGES"),
    "NETWORK": ("LEASES",),
    "VM": ("VMS", "RUNNING_VMS", "CPU", "RUNNING_CPU", "MEMORY", "RUNNING_MEMORY", "SYSTEM_DISK_SIZE"),
    "IMAGE": ("RVMS",),
}
# The order in which new limits are taken; the document has VM before IMAGE.
_SETTING_ORDER = ("DATASTORE", "NETWORK", "IMAGE", "VM")
DEFAULT_LIMIT, UNLIMITED = -1.0, -2.0
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LARGEST = 3.4e38  # what OpenNebula can read
_WHOLE = re.compile(r"\s*[+-]?\d+")


def number_text(value: float) -> str:
    """A number as quota documents write it: whole, or with two decimals."""
    if value == int(value):
        return str(int(value))
    return f"{value:.2f}"


def _number(text: str) -> float | None:
    number = float(text) if _NUMBER.fullmatch(text) else None
    return None if number is None or abs(number) > _LARGEST else number


class QuotaDocument:
    """Entries of one user or group (``is_default`` False) or the zone's default limits."""

    def __init__(self, *, is_default: bool = False) -> None:
        self._is_default = is_default
        self._entries: dict[str, list[Vector]] = {kind: [] for kind in METRICS}

    @classmethod
    def parse(cls, document: str, *, is_default: bool = False) -> Self:
        """The quotas of a document, whatever its root element is."""
        quotas = cls(is_default=is_default)
        root = xmldoc.parse(document, "quotas")
        for kind, entries in quotas._entries.items():
            for element in root.findall(f"{kind}_QUOTA/{kind}"):
                entries.append({str(part.tag): part.text or "" for part in element})
        return quotas

    def inner_xml(self) -> str:
        """The four elements, without a root."""
        return "".join(
            Template([(kind, entry) for entry in entries]).to_xml(f"{kind}_QUOTA")
            for kind, entries in self._entries.items()
        )

    # -- usage ---------------------------------------------------------------------------------------
    def used(self, kind: str, oid: str, metric: str) -> float:
        """How much is in use; 0 without an entry. oid: empty for VM."""
        entry = self._find(kind, oid)
        return 0.0 if entry is None else _number(entry.get(f"{metric}_USED", "")) or 0.0

    def limit(self, kind: str, oid: str, metric: str) -> float:
        """The limit as it is written: -1 (default) without an entry, -2 in the default quotas."""
        entry = self._find(kind, oid)
        number = None if entry is None else _number(entry.get(metric, ""))
        return self._implicit_limit if number is None else number

    def add(self, kind: str, oid: str, amounts: dict[str, float]) -> None:
        """Count amounts (negative: give back); makes the entry for what is taken, drops it with the last."""
        entry = self._find(kind, oid)
        if entry is None:
            if all(amount <= 0 for amount in amounts.values()):
                return
            entry = self._new(kind, oid)
        for metric, amount in amounts.items():
            used = _number(entry.get(f"{metric}_USED", "")) or 0.0
            entry[f"{metric}_USED"] = number_text(round(used + amount, 2))
        if any(amount < 0 for amount in amounts.values()):
            self._drop_if_empty(kind, entry)

    def usage(self) -> dict[tuple[str, str], dict[str, float]]:
        """What is in use, by kind and id (empty for VM); entries that use nothing are left out."""
        found = {}
        for kind, entries in self._entries.items():
            for entry in entries:
                oid = "" if kind == "VM" else entry.get("ID", "")
                amounts = {name: _number(entry.get(f"{name}_USED", "")) or 0.0 for name in METRICS[kind]}
                if any(amounts.values()):
                    found[kind, oid] = amounts
        return found

    # -- limits --------------------------------------------------------------------------------------
    def set_limits(self, wanted: Template) -> None:
        """Take the limits of a quota template; metrics that an entry leaves out get the default limit.

        Entries are taken one by one. Raises ActionError at the first that has a negative limit or no usable
        id; those before it are taken.
        """
        for kind in _SETTING_ORDER:
            for given in wanted.vectors(kind):
                self._set(kind, given)

    def _set(self, kind: str, given: Vector) -> None:
        oid = "" if kind == "VM" else given.get("ID", "")
        limits = {metric: self._limit_of(given, metric) for metric in METRICS[kind]}
        allowed = (UNLIMITED,) if self._is_default else (UNLIMITED, DEFAULT_LIMIT)
        wrong = any(limit < 0 and limit not in allowed for limit in limits.values())
        if wrong or (kind != "VM" and not _WHOLE.fullmatch(oid)):
            parts = ",".join(f"{name}={given[name]}" for name in sorted(given))
            expected = "-2 or a positive number" if self._is_default else "-1, -2 or a positive number"
            raise ActionError(
                f"Negative limits or bad format in quota {kind} = [ {parts} ]; "
                f"each limit must be {expected}{'' if kind == 'VM' else ', and ID a number'}."
            )
        entry = self._find(kind, oid)
        if entry is None:
            entry = self._new(kind, given.get("ID", ""))
        entry.update({metric: number_text(limit) for metric, limit in limits.items()})
        self._drop_if_empty(kind, entry)

    def _limit_of(self, given: Vector, metric: str) -> float:
        # As OpenNebula: a text that is no number counts as left out.
        number = _number(given.get(metric, ""))
        return self._implicit_limit if number is None else number

    @property
    def _implicit_limit(self) -> float:
        return UNLIMITED if self._is_default else DEFAULT_LIMIT

    # -- entries -------------------------------------------------------------------------------------
    def _find(self, kind: str, oid: str) -> Vector | None:
        if kind == "VM":
            return self._entries[kind][0] if self._entries[kind] else None
        return next((entry for entry in self._entries[kind] if entry.get("ID") == oid), None)

    def _new(self, kind: str, oid: str) -> Vector:
        entry = {"ID": oid} if oid else {}
        for metric in METRICS[kind]:
            entry[metric] = number_text(self._implicit_limit)
            entry[f"{metric}_USED"] = "0"
        self._entries[kind].append(entry)
        return entry

    def _drop_if_empty(self, kind: str, entry: Vector) -> None:
        for metric in METRICS[kind]:
            if (
                _number(entry.get(f"{metric}_USED", ""))
                or self._limit_in(entry, metric) != self._implicit_limit
            ):
                return
        self._entries[kind] = [kept for kept in self._entries[kind] if kept is not entry]

    def _limit_in(self, entry: Vector, metric: str) -> float:
        number = _number(entry.get(metric, ""))
        return self._implicit_limit if number is None else number
