"""History records: one for each stay of a VM on a host. The newest lives in the VM's document too.

Source: HISTORY element of the VM XSD and the bodies of the history table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.common import xmldoc
from services.oned.model.base import number
from services.oned.store import Tx

_VM_COPY = re.compile(r"<VM><ID>.*</VM></HISTORY>\Z", re.DOTALL)


@dataclass(slots=True)
class HistoryRecord:
    """One record; times are epoch seconds, 0 while open (p: prolog, r: running, e: epilog)."""

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
        return record

    def store(self, tx: Tx, vm_xml: str) -> None:
        """Write the record's row."""
        body = self.to_xml(vm_xml)
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


def bodies(tx: Tx, vm_id: int) -> list[str]:
    """Every record of a VM, oldest first, without the copies of the VM."""
    rows = tx.all("SELECT body FROM history WHERE vid = ? ORDER BY seq", vm_id)
    return [_VM_COPY.sub("</HISTORY>", row[0]) for row in rows]
