"""Documents of every kind: they can be read, and the columns beside them say the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from services.common import xmldoc
from services.oned.fsck import columns
from services.oned.fsck.finding import Finding
from services.oned.fsck.zone import Zone
from services.oned.model.base import PoolObject
from services.oned.model.cluster import Cluster
from services.oned.model.datastore import Datastore
from services.oned.model.document import Document
from services.oned.model.group import Group
from services.oned.model.hook import Hook
from services.oned.model.host import Host
from services.oned.model.image import Image
from services.oned.model.marketplace import Marketplace
from services.oned.model.marketplaceapp import MarketplaceApp
from services.oned.model.secgroup import SecurityGroup
from services.oned.model.user import User
from services.oned.model.vdc import Vdc
from services.oned.model.vm import VM
from services.oned.model.vmgroup import VmGroup
from services.oned.model.vmtemplate import VMTemplate
from services.oned.model.vnet import VirtualNetwork
from services.oned.model.vntemplate import NetworkTemplate
from services.oned.model.vrouter import VirtualRouter
from services.oned.model.zone import Zone as ZoneObject
from services.oned.store import consistency

SHARED: tuple[type[PoolObject], ...] = (User, Group, Vdc, ZoneObject, Marketplace, MarketplaceApp)
LOCAL: tuple[type[PoolObject], ...] = (
    *(
        Cluster,
        Host,
        Datastore,
        Image,
        VirtualNetwork,
        NetworkTemplate,
        SecurityGroup,
        VMTemplate,
        VM,
        VmGroup,
    ),
    *(VirtualRouter, Document, Hook),
)
MODELS: tuple[type[PoolObject], ...] = (*SHARED, *LOCAL)


def unreadable(zone: Zone) -> list[Finding]:
    """The documents that cannot be read. Whoever counts without them would take away what they use."""
    for model in MODELS:
        zone.all(model)
    return [Finding(text) for text in zone.unreadable]


def check_shared(zone: Zone) -> Iterator[Finding]:
    """Columns of users, groups and what else a federation shares."""
    yield from _different(zone, SHARED)


def check_local(zone: Zone) -> Iterator[Finding]:
    """Columns of everything else, of virtual machines that have ended too."""
    yield from _different(zone, LOCAL)
    yield from _ended(zone)


def _different(zone: Zone, models: tuple[type[PoolObject], ...]) -> Iterator[Finding]:
    for model in models:
        zone.all(model)
    for found in zone.differences:
        if found.model in models:
            yield Finding(str(found), partial(columns.fix, model=found.model, oid=found.oid))


def _ended(zone: Zone) -> Iterator[Finding]:
    # There may be very many of them, and nothing else is to be known of them.
    names = columns.names(VM)
    for oid, body, *values in consistency.rows(zone.tx, VM.TABLE, names, "state = 6"):
        try:
            given = columns.fields(xmldoc.parse(body or "", VM.KIND))
            different = columns.differences(VM, oid, dict(zip(names, values, strict=True)), given)
        except ValueError as error:
            yield Finding(f"{VM.LABEL} {oid}: its document cannot be read: {error}")
            continue
        for found in different:
            yield Finding(str(found), partial(columns.fix, model=VM, oid=oid))
