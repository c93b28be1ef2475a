"""The documents that several checks read, each parsed once."""

from __future__ import annotations

from functools import cached_property
from typing import TypeVar, cast

from services.common import xmldoc
from services.oned.fsck import columns
from services.oned.fsck.columns import Difference
from services.oned.fsck.vm_reader import read_vm
from services.oned.model.base import PoolObject
from services.oned.model.datastore import Datastore
from services.oned.model.host import Host
from services.oned.model.image import Image
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import MarketplaceApp
from services.oned.model.vm import VM
from services.oned.model.vnet import VirtualNetwork
from services.oned.model.vrouter import VirtualRouter
from services.oned.store import Tx, consistency, schema

_P = TypeVar("_P", bound=PoolObject)


class Zone:
    """The zone's objects as one transaction sees them, to look at: what checks do not read may be missing.

    ``differences`` and ``unreadable`` are about the objects that were read so far.
    """

    def __init__(self, tx: Tx, zone_id: int = 0) -> None:
        self.tx = tx
        self.zone_id = zone_id
        self.differences: list[Difference] = []
        self.unreadable: list[str] = []
        self._objects: dict[type[PoolObject], list[PoolObject]] = {}

    def all(self, model: type[_P]) -> list[_P]:
        """Every object of a kind, by id; of virtual machines those that have not ended."""
        if model not in self._objects:
            self._objects[model] = self._read(model)
        return cast(list[_P], self._objects[model])

    def _read(self, model: type[PoolObject]) -> list[PoolObject]:
        found: list[PoolObject] = []
        names = columns.names(model)
        where = "state <> 6" if model is VM else ""
        for oid, body, *values in consistency.rows(self.tx, model.TABLE, names, where):
            try:
                given = columns.fields(xmldoc.parse(body or "", model.KIND))
                read = read_vm(given) if model is VM else model.from_xml(body)
                different = columns.differences(model, oid, dict(zip(names, values, strict=True)), given)
            except (ValueError, KeyError) as error:
                self.unreadable.append(f"{model.LABEL} {oid}: its document cannot be read: {error}")
                continue
            if read.oid != oid:
                self.unreadable.append(f"{model.LABEL} {oid}: its document is that of {read.oid}")
                continue
            found.append(read)
            self.differences += different
        return found

    @cached_property
    def is_slave(self) -> bool:
        """Whether the shared tables are copies of a master zone's."""
        return consistency.is_slave(self.tx)

    @cached_property
    def is_ours(self) -> bool:
        """Whether Onebox has used the database; else nothing is known of what drivers work on."""
        return schema.exists(self.tx, "onebox_job")

    def working(self, kind: str) -> set[int]:
        """The objects of a kind that driver work is waiting or under way for."""
        return consistency.working(self.tx, kind) if self.is_ours else set()

    # -- kinds that many checks need -----------------------------------------------------------------
    @property
    def vms(self) -> list[VM]:
        """The virtual machines that have not ended."""
        return self.all(VM)

    @property
    def hosts(self) -> list[Host]:
        """The hosts."""
        return self.all(Host)

    @property
    def datastores(self) -> list[Datastore]:
        """The datastores."""
        return self.all(Datastore)

    @property
    def images(self) -> list[Image]:
        """The images."""
        return self.all(Image)

    @property
    def marketplaces(self) -> list[Marketplace]:
        """The marketplaces."""
        return self.all(Marketplace)

    @property
    def marketplaceapps(self) -> list[MarketplaceApp]:
        """The appliances of the marketplaces."""
        return self.all(MarketplaceApp)

    @property
    def networks(self) -> list[VirtualNetwork]:
        """The virtual networks, reservations among them."""
        return self.all(VirtualNetwork)

    @property
    def vrouters(self) -> list[VirtualRouter]:
        """The virtual routers."""
        return self.all(VirtualRouter)
