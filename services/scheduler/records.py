"""What the scheduler knows about the cloud at one moment: plain records, made by snapshot.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.scheduler.attributes import Attributes
from services.scheduler.groups import VMGroup

if TYPE_CHECKING:
    from lxml import etree

    from services.scheduler.devices import Needs

#: HOST/STATE of a host that takes VMs (INIT, ERROR, DISABLED, OFFLINE ... do not).
MONITORED = 2


@dataclass(frozen=True, slots=True)
class Reach:
    """The hosts (all, or some by id and by cluster), datastores and networks (by id) that an owner's VMs may
    have."""

    all_hosts: bool
    host_ids: frozenset[int]
    cluster_ids: frozenset[int]
    datastore_ids: frozenset[int]
    network_ids: frozenset[int] = frozenset()

    def has_host(self, host: Host) -> bool:
        """Whether the VMs may go to a host."""
        return self.all_hosts or host.id in self.host_ids or host.cluster_id in self.cluster_ids


@dataclass(frozen=True, slots=True)
class AutoNic:
    """An interface whose network the scheduler chooses; all requirements must hold."""

    id: int
    requirements: tuple[str, ...] = ()
    rank: str = ""


@dataclass(slots=True)
class VM:
    """A VM that waits for a place, or that runs and is to be moved (resched).

    cpu: percent of one processor. disk_mb: room it needs in its system datastore. image_mb: (datastore id,
    MB) for disks that are copied inside their image datastore. requirements and ds_requirements: expressions
    that must all hold. host_id: where it runs now, for one that is to be moved. message: its SCHED_MESSAGE.
    error: why this VM cannot be judged at all, empty when it can. reach: where its owner may have it; None is
    anywhere. in_vmgroup: it names a VM group. needs: devices and pinned CPUs. nics: its automatic interfaces.
    has_disks: they lie on a system datastore already, so that a shared one needs no more room; ds_id: the
    datastore that it has to keep. is_cloud: it says how to run in a public cloud.
    """

    id: int
    uid: int
    gid: int
    cpu: int
    memory_kb: int
    disk_mb: int = 0
    image_mb: tuple[tuple[int, int], ...] = ()
    requirements: tuple[str, ...] = ()
    rank: str = ""
    ds_requirements: tuple[str, ...] = ()
    ds_rank: str = ""
    priority: int = 0
    stime: int = 0
    resched: bool = False
    host_id: int | None = None
    message: str = ""
    error: str = ""
    reach: Reach | None = None
    in_vmgroup: bool = False
    needs: Needs | None = None
    nics: tuple[AutoNic, ...] = ()
    has_disks: bool = False
    ds_id: int | None = None
    is_cloud: bool = False


@dataclass(slots=True)
class Host:
    """A host with what it has and what its VMs were promised.

    cpu in percent, memory in KB. store_free_mb: free space of the datastores that lie on the host itself, by
    datastore id; free_disk_mb: the same for datastores that it does not list. None means not reported.
    is_cloud: it stands for a public cloud, which needs no datastore. share: its HOST_SHARE, of which devices
    and NUMA nodes are read when a VM needs some; promised: VMs under way to it with such needs.
    """

    id: int
    name: str
    state: int
    cluster_id: int
    max_cpu: int
    cpu_usage: int
    max_memory_kb: int
    memory_usage_kb: int
    running_vms: int
    vm_ids: tuple[int, ...]
    attributes: Attributes
    store_free_mb: dict[int, int] = field(default_factory=dict)
    free_disk_mb: int | None = None
    is_cloud: bool = False
    share: etree._Element | None = None
    promised: tuple[tuple[int, Needs], ...] = ()


@dataclass(slots=True)
class Datastore:
    """A datastore. type: 0 image, 1 system, 2 files; state: 0 ready, 1 disabled.

    free_mb: None when its size is not monitored; is_shared: all hosts see the same space. use_bits: whether
    owner, group and others may use it.
    """

    id: int
    name: str
    type: int
    state: int
    is_shared: bool
    cluster_ids: frozenset[int]
    free_mb: int | None
    attributes: Attributes
    uid: int = 0
    gid: int = 0
    use_bits: tuple[bool, bool, bool] = (True, False, False)


@dataclass(slots=True)
class Network:
    """A virtual network. use_bits: as of a datastore."""

    id: int
    name: str
    cluster_ids: frozenset[int]
    free_leases: int
    attributes: Attributes
    uid: int = 0
    gid: int = 0
    use_bits: tuple[bool, bool, bool] = (True, False, False)


@dataclass(slots=True)
class Snapshot:
    """Everything that a plan depends on."""

    vms: list[VM]
    hosts: list[Host]
    datastores: list[Datastore]
    vmgroups: list[VMGroup] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
