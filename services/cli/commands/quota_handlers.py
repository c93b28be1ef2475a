"""quota, batchquota and defaultquota of users and groups."""

from __future__ import annotations

from typing import Any

from services.cli import documents, quota_text


def quota(inv: Any) -> int:
    """Set the limits of one user or group."""
    oid = next(iter(inv.args.values()))
    text = quota_text.obtain(inv.args.get("file"), documents.parse(inv.info(oid)))
    if text is None:
        inv.warn("Nothing was changed.")
        return 0
    inv.call(f"{inv.kind.rpc}.quota", oid, text)
    inv.tell(oid)
    return 0


def batch(inv: Any) -> int:
    """Set limits of several users or groups; those that are not named stay."""
    ids = next(iter(inv.args.values()))
    text = quota_text.obtain(inv.args.get("file"), None)
    if text is None:
        inv.warn("Nothing was changed.")
        return 0

    def change(oid: int) -> None:
        # Later vectors replace earlier ones with the same id, so that the present limits can go first.
        present = quota_text.present(documents.parse(inv.info(oid)))
        inv.call(f"{inv.kind.rpc}.quota", oid, f"{present}\n{text}")

    return int(inv.each(ids, change))


def default(inv: Any) -> int:
    """Set the limits of users or groups that have none of their own."""
    method = f"{inv.kind.rpc}quota"
    text = quota_text.obtain(
        inv.args.get("file"), documents.parse(inv.call(f"{method}.info")), is_default=True
    )
    if text is None:
        inv.warn("Nothing was changed.")
        return 0
    inv.call(f"{method}.update", text)
    return 0
