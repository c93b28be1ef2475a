"""The map of VLAN ids that networks were given, one character an id, as OpenNebula keeps it."""

from __future__ import annotations

import base64
import zlib

from services.oned.store.db import Tx

COUNT = 4096


class VlanMap:
    """Which ids are taken. Read it, change it, save it; the row is locked until the transaction ends."""

    def __init__(self, bits: str) -> None:
        # The last character is id 0: the text is a number in binary.
        self._bits = list(bits.rjust(COUNT, "0"))

    @classmethod
    def read(cls, tx: Tx) -> VlanMap:
        """The map as last committed, to look at."""
        row = tx.one("SELECT map FROM network_vlan_bitmap WHERE id = 0")
        return cls(zlib.decompress(base64.b64decode(row[0])).decode() if row else "")

    @classmethod
    def load(cls, tx: Tx) -> VlanMap:
        """The map; an empty one is made where a database has none."""
        row = tx.one(f"SELECT map FROM network_vlan_bitmap WHERE id = 0{tx.for_update()}")
        if row is None:
            made = cls("")
            tx.run("INSERT INTO network_vlan_bitmap (id, map) VALUES (0, ?)", made._packed())
            return made
        return cls(zlib.decompress(base64.b64decode(row[0])).decode())

    def save(self, tx: Tx) -> None:
        """Store what changed."""
        tx.run("UPDATE network_vlan_bitmap SET map = ? WHERE id = 0", self._packed())

    def is_taken(self, vlan_id: int) -> bool:
        """Whether a network was given the id."""
        return self._bits[COUNT - 1 - vlan_id] == "1"

    def mark(self, vlan_id: int, taken: bool) -> None:
        """Take or free an id; numbers that are no VLAN id are passed over."""
        if 0 <= vlan_id < COUNT:
            self._bits[COUNT - 1 - vlan_id] = "1" if taken else "0"

    def taken(self) -> list[int]:
        """Every id that is taken."""
        return [vlan_id for vlan_id in range(COUNT) if self.is_taken(vlan_id)]

    def _packed(self) -> str:
        return base64.b64encode(zlib.compress("".join(self._bits).encode())).decode()
