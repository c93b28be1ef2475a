"""What servers and zones say to each other in OpenNebula's consensus protocol, as a server alone answers it.

High availability comes from the database here, so this server never follows another one: messages that would
make it do so are refused. Source: zone handlers of release 6.0.0.3.
"""

from __future__ import annotations

from services.oned.api.call import Call
from services.oned.api.registry import method
from services.oned.auth.rights import Right
from services.oned.errors import ActionError, AuthorizationError, ReplicationError, RequestError
from services.oned.model.zone import Zone
from services.oned.store import raft

_SOLO = 0
_SERVER_ID = -1
_UNAVAILABLE = "following another server is not available in this version"


def _require_oneadmin(call: Call, object_id: int = -1) -> None:
    if call.caller.uid != 0:
        text = f"User [{call.caller.uid}] : not authorized to perform action on zone."
        raise AuthorizationError(text, object_id)


@method("one.zone.raftstatus", "", writes=False)
def raft_status(call: Call) -> str:
    """The state of this server in its zone: alone, without a replicated log."""
    call.authorize(Zone, Right.ADMIN, call.conf.zone_id)
    term, voted_for = raft.state(call.tx)
    return (
        f"<RAFT><SERVER_ID>{_SERVER_ID}</SERVER_ID><STATE>{_SOLO}</STATE><TERM>{term}</TERM>"
        f"<VOTEDFOR>{voted_for}</VOTEDFOR><COMMIT>0</COMMIT><LOG_INDEX>-1</LOG_INDEX><LOG_TERM>-1</LOG_TERM>"
        "<FEDLOG_INDEX>-1</FEDLOG_INDEX></RAFT>"
    )


@method(
    "one.zone.voterequest",
    "candidate_term:i candidate_id:i candidate_log_index:6 candidate_log_term:i",
    later="taking part in another server's election",
)
def vote_request(call: Call, candidate_term: int, candidate_id: int, log_index: int, log_term: int) -> int:
    """Vote for a candidate of this server's own term, once; the term."""
    term, voted_for = raft.state(call.tx)
    if candidate_id < 0:
        raise RequestError(f"Candidate {candidate_id} is no server.", term)
    _require_oneadmin(call, term)
    if 0 <= candidate_term < term:
        raise ActionError(f"Candidate's term {candidate_term} is outdated, it is {term}.", term)
    if candidate_term != term:
        raise ActionError(f"Term {candidate_term} of candidate {candidate_id}: {_UNAVAILABLE}.", term)
    if voted_for not in (raft.NOBODY, candidate_id):
        raise ActionError(f"Already voted for another candidate, {voted_for}.", term)
    raft.vote(call.tx, term, candidate_id)
    return term


@method(
    "one.zone.replicate",
    "leader_id:i leader_commit:6 leader_term:i log_index:6 log_term:i prev_index:6 prev_term:i fed_index:6 "
    "sql:s",
    later="following another server",
)
def replicate(
    call: Call,
    leader_id: int,
    leader_commit: int,
    leader_term: int,
    log_index: int,
    log_term: int,
    prev_index: int,
    prev_term: int,
    fed_index: int,
    sql: str,
) -> int:
    """Answer a leader's sign of life with this server's term; records of its log are refused."""
    term, _ = raft.state(call.tx)
    _require_oneadmin(call, term)
    if 0 <= leader_term < term:
        raise ActionError(f"Leader term ({leader_term}) is outdated ({term})", term)
    if leader_term != term:
        raise ActionError(f"Term {leader_term} of leader {leader_id}: {_UNAVAILABLE}.", term)
    if (log_index, log_term, prev_index, prev_term, sql) == (0, 0, 0, 0, ""):
        return term
    if not sql:
        raise ActionError("Empty SQL command in log record", term)
    if (log_index, log_term) == (0, 0):
        return term  # the record that opens every log
    raise ActionError(f"Log record {log_index} of leader {leader_id}: {_UNAVAILABLE}.", term)


@method("one.zone.fedreplicate", "log_index:6 prev_index:6 sql:s", later="following a federation's master")
def fed_replicate(call: Call, log_index: int, prev_index: int, sql: str) -> int:
    """Take a record of the master zone's log; only a slave of a federation would."""
    _require_oneadmin(call)
    if not sql:
        raise ReplicationError(f"Received an empty SQL command at index {log_index}")
    raise ReplicationError("Cannot replicate federate log records on federation master")
