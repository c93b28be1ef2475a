"""Counting what users and groups use against their quotas, in the transaction that causes it.

User 0 and group 0 are neither counted nor limited. The quota rows are locked until the commit, so that calls
that race cannot pass a limit together: count late, after the objects of the call are locked.

Source: quota guide of release 6.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from services.oned.errors import AuthorizationError, NotFoundError
from services.oned.model.quota_document import DEFAULT_LIMIT, METRICS, UNLIMITED, QuotaDocument, number_text
from services.oned.store import Tx, quotas

Amounts = dict[str, float]

_NOBODY = (0, -1)
# The order in which limits are checked, as far as it shows in which one a refusal names.
_CHECK_ORDER = ("NETWORK", "VM", "IMAGE", "DATASTORE")
_WORDS = {"USER": "user", "GROUP": "group"}


@dataclass(frozen=True)
class Usage:
    """What objects count for: amounts by metric, as quota documents name them, MB for sizes.

    ``vm`` has VMS CPU MEMORY SYSTEM_DISK_SIZE RUNNING_VMS RUNNING_CPU RUNNING_MEMORY; the others, by id,
    datastore IMAGES SIZE, network LEASES, image RVMS. A metric with 0 is still checked against its limit.
    True when anything is not 0.
    """

    vm: Amounts = field(default_factory=dict)
    datastore: dict[int, Amounts] = field(default_factory=dict)
    network: dict[int, Amounts] = field(default_factory=dict)
    image: dict[int, Amounts] = field(default_factory=dict)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.vm, other.vm, 1),
            _sum_by_id(self.datastore, other.datastore, 1),
            _sum_by_id(self.network, other.network, 1),
            _sum_by_id(self.image, other.image, 1),
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.vm, other.vm, -1),
            _sum_by_id(self.datastore, other.datastore, -1),
            _sum_by_id(self.network, other.network, -1),
            _sum_by_id(self.image, other.image, -1),
        )

    def __neg__(self) -> Usage:
        return Usage() - self

    def __bool__(self) -> bool:
        return any(any(amounts.values()) for _, _, amounts in self.parts())

    def parts(self) -> Iterator[tuple[str, str, Amounts]]:
        """(kind of quota, id or empty, amounts), in the order in which limits are checked."""
        by_id = {"NETWORK": self.network, "IMAGE": self.image, "DATASTORE": self.datastore}
        for kind in _CHECK_ORDER:
            if kind != "VM":
                yield from ((kind, str(oid), amounts) for oid, amounts in by_id[kind].items())
            elif self.vm:
                yield kind, "", self.vm


def change(
    tx: Tx, uid: int, gid: int, delta: Usage, *, check: bool = True, refuse_less: frozenset[str] = frozenset()
) -> None:
    """Count a change for a user and a group; negative amounts give back. -1 leaves out the user or the group.

    check: refuse what would pass a limit. Amounts that are given back are never refused, except for the VM
    metrics in ``refuse_less``, which OpenNebula refuses while the usage stays above the limit.
    Raises AuthorizationError naming who, the limit and the usage; nothing is counted then.
    """
    for kind, oid in (("USER", uid), ("GROUP", gid)):
        if oid in _NOBODY:
            continue
        row = quotas.locked(tx, kind, oid)
        if row is None:  # the user or group is gone: there is nobody to count for
            continue
        document = QuotaDocument.parse(row)
        if check:
            _require(tx, kind, oid, document, delta, refuse_less)
        if not delta:
            continue
        for resource, resource_id, amounts in delta.parts():
            document.add(resource, resource_id, amounts)
        quotas.save(tx, kind, oid, document.inner_xml())


def move(tx: Tx, usage: Usage, old: tuple[int, int], new: tuple[int, int], object_id: int = -1) -> None:
    """Count what an object uses for its new (user, group) instead of the old one, as chown does.

    -1 in ``new`` leaves that one. As in OpenNebula, the new owner needs room for it before the old one gives
    it back, even if both are the same, and a refusal has the code of a missing object: raises NotFoundError.
    """
    (old_uid, old_gid), (uid, gid) = old, new
    try:
        change(tx, uid, gid, usage)
    except AuthorizationError as error:
        raise NotFoundError(error.message, object_id) from None
    change(tx, -1 if uid == -1 else old_uid, -1 if gid == -1 else old_gid, -usage, check=False)


@lru_cache(maxsize=16)
def _defaults(text: str) -> QuotaDocument:
    """Default quotas, to look at only: they change seldom, and every user without own limits needs them."""
    return QuotaDocument.parse(text, is_default=True)


def _require(
    tx: Tx, kind: str, oid: int, document: QuotaDocument, delta: Usage, refuse_less: frozenset[str]
) -> None:
    """Raise AuthorizationError for the first limit that the delta would pass."""
    defaults: QuotaDocument | None = None
    for resource, resource_id, amounts in delta.parts():
        for metric in METRICS[resource]:
            amount = amounts.get(metric)
            if amount is None or (amount < 0 and metric not in refuse_less):
                continue
            limit = document.limit(resource, resource_id, metric)
            if limit == DEFAULT_LIMIT:
                defaults = defaults or _defaults(quotas.defaults(tx, kind))
                limit = defaults.limit(resource, resource_id, metric)
            used = document.used(resource, resource_id, metric)
            if limit != UNLIMITED and round(used + amount, 2) > limit:
                where = f" with ID: {resource_id}" if resource_id else ""
                raise AuthorizationError(
                    f"{_WORDS[kind]} [{oid}] limit of {number_text(limit)} reached for {metric} quota in "
                    f"{resource}{where}: {number_text(used)} in use, {number_text(amount)} more needed"
                )


def _sum(left: Amounts, right: Amounts, sign: int) -> Amounts:
    # Zeros stay: that a metric is concerned is part of what is asked.
    return {
        name: round(left.get(name, 0.0) + sign * right.get(name, 0.0), 2)
        for name in (*left, *(name for name in right if name not in left))
    }


def _sum_by_id(left: Mapping[int, Amounts], right: Mapping[int, Amounts], sign: int) -> dict[int, Amounts]:
    # In the order in which they came: documents keep their entries so.
    sums = {oid: _sum(left.get(oid, {}), right.get(oid, {}), sign) for oid in {**left, **right}}
    return {oid: amounts for oid, amounts in sums.items() if any(amounts.values())}
