"""History records: one for each stay of a VM on a host. The newest lives in the VM's document too.

Source: HISTORY element of the VM XSD and the bodies of the history table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from services.common import xmldoc
from services.oned.model.base import number
from services.oned.store import Tx

_VM_COPY = re.compile(r"<VM><ID>.*</VM></HISTORY>\Z", re.DOTALL)


@dataclass(slots=True)
class HistoryRecord:
    """One record; times are epoch seconds, 0 while open (p: prolog, r: running, e: epilog).

    vm_xml: a copy of the VM to store with the record, None to leave the copy that is stored.
    """

    oid: int
    seq: int
    hostname: str
    hid: int
    cid: int
    vm_mad: str
    tm_mad: str
    ds_id: int
    stime: int = 0
    etime: int = 0
    pstime: int = 0
    petime: int = 0
    rstime: int = 0
    retime: int = 0
    estime: int = 0
    eetime: int = 0
    action: int = 0
    uid: int = -1
    gid: int = -1
    request_id: int = -1
    vm_xml: str | None = field(default=None, repr=False, compare=False)
    _stored: str = field(default="", repr=False, compare=False)

    def to_xml(self, vm_xml: str = "") -> str:
        """The element; accounting wants a copy of the VM inside."""
        return (
            f"<HISTORY><OID>{self.oid}</OID><SEQ>{self.seq}</SEQ>"
            f"<HOSTNAME>{xmldoc.escape(self.hostname)}</HOSTNAME><HID>{self.hid}</HID><CID>{self.cid}</CID>"
            f"<STIME>{self.stime}</STIME><ETIME>{self.etime}</ETIME>"
            f"<VM_MAD>{xmldoc.cdata(self.vm_mad)}</VM_MAD><TM_MAD>{xmldoc.cdata(self.tm_mad)}</TM_MAD>"
            f"<DS_ID>{self.ds_id}</DS_ID><PSTIME>{self.pstime}</PSTIME><PETIME>{self.petime}</PETIME>"
            f"<RSTIME>{self.rstime}</RSTIME><RETIME>{self.retime}</RETIME>"
            f"<ESTIME>{self.estime}</ESTIME><EETIME>{self.eetime}</EETIME>"
            f"<ACTION>{self.action}</ACTION><UID>{self.uid}</UID><GID>{self.gid}</GID>"
            f"<REQUEST_ID>{self.request_id}</REQUEST_ID>{vm_xml}</HISTORY>"
        )

    def to_xml_short(self) -> str:
        """The form that pool lists carry."""
        return (
            f"<HISTORY><OID>{self.oid}</OID><SEQ>{self.seq}</SEQ>"
            f"<HOSTNAME>{xmldoc.cdata(self.hostname)}</HOSTNAME><HID>{self.hid}</HID><CID>{self.cid}</CID>"
            f"<DS_ID>{self.ds_id}</DS_ID><ACTION>{xmldoc.cdata(str(self.action))}</ACTION></HISTORY>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> HistoryRecord:
        """The record of a HISTORY element."""
        text = {name: element.findtext(name) or "" for name in ("HOSTNAME", "VM_MAD", "TM_MAD")}
        record = cls(
            number(element, "OID"),
            number(element, "SEQ"),
            text["HOSTNAME"],
            number(element, "HID"),
            number(element, "CID"),
            text["VM_MAD"],
            text["TM_MAD"],
            number(element, "DS_ID"),
        )
        for name in ("stime", "etime", "pstime", "petime", "rstime", "retime", "estime", "eetime", "action"):
            setattr(record, name, number(element, name.upper()))
        for name in ("uid", "gid", "request_id"):
            setattr(record, name, number(element, name.upper(), -1))
        record._stored = record.to_xml()
        return record

    def follow(self, now_s: int) -> HistoryRecord:
        """The next record, on the same host, begun now."""
        return HistoryRecord(
            self.oid,
            self.seq + 1,
            self.hostname,
            self.hid,
            self.cid,
            self.vm_mad,
            self.tm_mad,
            self.ds_id,
            stime=now_s,
        )

    def store(self, tx: Tx) -> None:
        """Write the record's row; nothing when it is as it was loaded."""
        bare = self.to_xml()
        if bare == self._stored and self.vm_xml is None:
            return
        copy = self.vm_xml
        if copy is None:
            row = tx.one("SELECT body FROM history WHERE vid = ? AND seq = ?", self.oid, self.seq)
            copy = vm_copy(row[0]) if row else ""
        body = self.to_xml(copy)
        changed = tx.run(
            "UPDATE history SET body = ?, stime = ?, etime = ? WHERE vid = ? AND seq = ?",
            body,
            self.stime,
            self.etime,
            self.oid,
            self.seq,
        )
        if not changed:
            tx.run(
                "INSERT INTO history (vid, seq, body, stime, etime) VALUES (?, ?, ?, ?, ?)",
                self.oid,
                self.seq,
                body,
                self.stime,
                self.etime,
            )
        self._stored, self.vm_xml = bare, None


def load(tx: Tx, vm_id: int, seq: int) -> HistoryRecord | None:
    """One record of a VM, or None."""
    row = tx.one("SELECT body FROM history WHERE vid = ? AND seq = ?", vm_id, seq)
    return HistoryRecord.from_element(xmldoc.parse(row[0])) if row else None


def before(tx: Tx, record: HistoryRecord) -> HistoryRecord | None:
    """The record before one, or None."""
    return load(tx, record.oid, record.seq - 1) if record.seq > 0 else None


def vm_copy(body: str) -> str:
    """The copy of the VM that a row holds; empty without one."""
    start = body.find("<VM><ID>")
    return body[start : -len("</HISTORY>")] if start >= 0 else ""


def bodies(tx: Tx, vm_id: int) -> list[str]:
    """Every record of a VM, oldest first, without the copies of the VM."""
    rows = tx.all("SELECT body FROM history WHERE vid = ? ORDER BY seq", vm_id)
    return [_VM_COPY.sub("</HISTORY>", row[0]) for row in rows]
