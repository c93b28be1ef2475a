"""Zones, and the replication state of this one."""

from __future__ import annotations

from services.oned.api import common
from services.oned.api.call import Call
from services.oned.api.registry import Check, method
from services.oned.auth.rights import Right
from services.oned.model.plain import Zone

_SOLO = 0


@method("one.zone.info", "zone_id:i decrypt:b=0", Check(Zone, Right.USE, "zone_id"), writes=False)
def info(call: Call, zone_id: int, decrypt: bool) -> str:
    """The zone's document."""
    return call.body(Zone, zone_id)


@method("one.zonepool.info", "", writes=False)
def pool_info(call: Call) -> str:
    """The zones that the caller may use."""
    return common.pool_info(call, Zone)


@method("one.zone.raftstatus", "", writes=False)
def raft_status(call: Call) -> str:
    """The state of this server in its zone: alone, without a replicated log."""
    call.authorize(Zone, Right.ADMIN, call.conf.zone_id)
    return (
        f"<RAFT><SERVER_ID>-1</SERVER_ID><STATE>{_SOLO}</STATE><TERM>0</TERM><VOTEDFOR>-1</VOTEDFOR>"
        "<COMMIT>0</COMMIT><LOG_INDEX>-1</LOG_INDEX><LOG_TERM>-1</LOG_TERM><FEDLOG_INDEX>-1</FEDLOG_INDEX></RAFT>"
    )
