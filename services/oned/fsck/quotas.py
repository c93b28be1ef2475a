"""What the quotas of users and groups count against the objects that they own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.base import PoolObject
from services.oned.model.quota import Usage
from services.oned.model.quota_document import QuotaDocument, number_text
from services.oned.store import Tx, quotas

_NOBODY = 0  # oneadmin and its group are not counted
# (kind of quota, id or empty)
_Resource = tuple[str, str]
_Amounts = dict[str, float]
_Counts = dict[_Resource, _Amounts]


def check(zone: Zone) -> Iterator[Finding]:
    """The usage of each user and group is the sum of what their objects count for."""
    owned = _Sums()
    for owner, usage in _counted(zone):
        owned.add("USER", owner.uid, usage)
        owned.add("GROUP", owner.gid, usage)
    for kind, label in (("USER", "user"), ("GROUP", "group")):
        for oid, document in quotas.documents(zone.tx, kind):
            if oid == _NOBODY:
                continue
            expected, actual = owned.of(kind, oid), QuotaDocument.parse(document).usage()
            fix = partial(_set, kind=kind, oid=oid, expected=expected)
            for what in sorted({*expected, *actual}):
                for text in _differences(what, actual.get(what, {}), expected.get(what, {})):
                    yield Finding(f"{label} {oid}: {text}", fix)


class _Sums:
    """Amounts by owner. Adding to one of them must not cost more the more it has."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], _Counts] = defaultdict(dict)

    def add(self, kind: str, oid: int, usage: Usage) -> None:
        counts = self._counts[kind, oid]
        for resource, resource_id, amounts in usage.parts():
            sums = counts.setdefault((resource, resource_id), {})
            for metric, amount in amounts.items():
                sums[metric] = round(sums.get(metric, 0.0) + amount, 2)

    def of(self, kind: str, oid: int) -> _Counts:
        """What is in use, without resources of which nothing is."""
        return {what: amounts for what, amounts in self._counts[kind, oid].items() if any(amounts.values())}


def _counted(zone: Zone) -> Iterator[tuple[PoolObject, Usage]]:
    for owner in (*zone.images, *zone.networks, *zone.vrouters):
        yield owner, owner.quota_usage()
    images = {image.oid: image for image in zone.images}
    for vm in zone.vms:
        yield vm, vm.counted.usage
        for (_, image_id, datastore_id), size_mb in vm.counted.image_disks.items():
            image = images.get(image_id)
            if image is not None:
                # What the VM's disk has grown by is stored in the image when the VM gives it back.
                grown_mb = size_mb - image.size_mb - image.snapshots.total_size_mb
                yield image, Usage(datastore={datastore_id: {"SIZE": grown_mb, "IMAGES": 0}})


def _differences(what: _Resource, actual: _Amounts, expected: _Amounts) -> Iterator[str]:
    where = " ".join(part for part in what if part)
    for metric in sorted({*actual, *expected}):
        found, right = actual.get(metric, 0.0), expected.get(metric, 0.0)
        if round(found - right, 2):
            yield f"quota {where} {metric}_USED is {number_text(found)}, the objects say {number_text(right)}"


def _set(tx: Tx, kind: str, oid: int, expected: _Counts) -> None:
    """Count what is missing and give back what is too much; limits stay."""
    row = quotas.locked(tx, kind, oid)
    if row is None:
        return
    document = QuotaDocument.parse(row)
    actual = document.usage()
    for what in {**expected, **actual}:
        found, right = actual.get(what, {}), expected.get(what, {})
        delta = {name: right.get(name, 0.0) - found.get(name, 0.0) for name in {**right, **found}}
        if any(round(amount, 2) for amount in delta.values()):
            document.add(*what, delta)
    quotas.save(tx, kind, oid, document.inner_xml())
