"""The row in which OpenNebula keeps a server's term and vote; a server without others keeps it too."""

from __future__ import annotations

from services.common import xmldoc
from services.common.template import Template
from services.oned.store.db import Tx

_NAME = "RAFT_STATE"
NOBODY = -1


def state(tx: Tx) -> tuple[int, int]:
    """The term, and the server that got this one's vote in it (-1: none)."""
    row = tx.one(f"SELECT body FROM system_attributes WHERE name = ?{tx.for_update()}", _NAME)
    if row is None:
        return 0, NOBODY
    found = Template.from_element(xmldoc.parse(str(row[0]), _NAME))
    return int(found.get("TERM") or 0), int(found.get("VOTEDFOR") or NOBODY)


def vote(tx: Tx, term: int, server_id: int) -> None:
    """Record the vote for a server in a term."""
    body = Template([("TERM", str(term)), ("VOTEDFOR", str(server_id))]).to_xml()
    if not tx.run("UPDATE system_attributes SET body = ? WHERE name = ?", body, _NAME):
        tx.run("INSERT INTO system_attributes (name, body) VALUES (?, ?)", _NAME, body)
