"""Reading the front-end's pools into a Snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from services.common import xmldoc
from services.common.oca import OneError
from services.common.template import Vector, is_yes
from services.scheduler import groups
from services.scheduler.attributes import DATASTORE_PLACES, HOST_PLACES, NETWORK_PLACES, Attributes
from services.scheduler.devices import needs
from services.scheduler.expression import number
from services.scheduler.records import VM, AutoNic, Datastore, Host, Network, Snapshot

if TYPE_CHECKING:
    from lxml import etree

_ALL_OWNERS = -2
_WHOLE_POOL = -1
_PENDING, _ACTIVE = 1, 3
# LCM states in which a VM can be moved: RUNNING, UNKNOWN.
_MOVABLE = (3, 16)
# Vectors that say how a VM runs in a public cloud.
_CLOUDS = ("PUBLIC_CLOUD", "EC2")
# ACTION of the last record of a VM that waits with its disks and interfaces: UNDEPLOY, UNDEPLOY_HARD, STOP.
_LEFT_HOST = (5, 6, 9)


class Caller(Protocol):
    """What is needed of an XML-RPC client."""

    def call(self, method: str, *args: object) -> object:
        """The value that the method returns."""


def read_vms(client: Caller, memory_scale: int) -> list[VM]:
    """The VMs in state PENDING, and those that are to be moved (RESCHED), in order of their id.

    Raises what the client raises, and XmlError.
    """
    whole = ("vmpool.infoextended", _ALL_OWNERS, _WHOLE_POOL, _WHOLE_POOL)
    waiting = parse_vms(str(client.call(*whole, _PENDING)), memory_scale)
    try:
        found = client.call(*whole, _ACTIVE, "RESCHED=1")
    except OneError:
        found = client.call(*whole, _ACTIVE)  # OpenNebula does not search in an SQLite database
    marked = parse_vms(str(found), memory_scale)
    moving = (vm for vm in marked if vm.resched)  # the search may find a VM that merely speaks of it
    return sorted((*waiting, *moving), key=lambda vm: vm.id)


def read_resources(client: Caller, vms: list[VM]) -> Snapshot:
    """These VMs with all hosts and datastores.

    Call it after read_vms: a VM that somebody deploys in between is then counted on its host, at worst twice,
    never not at all.
    """
    clusters = str(client.call("clusterpool.info"))
    datastores = str(client.call("datastorepool.info"))
    hosts = str(client.call("hostpool.info"))
    vmgroups = groups.read(client) if any(vm.in_vmgroup for vm in vms) else []
    networks = []
    if any(vm.nics for vm in vms):
        pool = client.call("vnpool.info", _ALL_OWNERS, _WHOLE_POOL, _WHOLE_POOL)
        networks = parse_networks(str(pool))
    return Snapshot(vms, parse_hosts(hosts, clusters), parse_datastores(datastores), vmgroups, networks)


def parse_vms(pool: str, memory_scale: int) -> list[VM]:
    """The VMs of a VM_POOL document.

    memory_scale: MEMORY_SYSTEM_DS_SCALE, how many times its memory a VM needs on its system datastore.
    """
    root = xmldoc.parse(pool, "vmpool")
    return sorted((_vm(element, memory_scale) for element in root.iterfind("VM")), key=lambda vm: vm.id)


def parse_hosts(pool: str, clusters: str) -> list[Host]:
    """The hosts of a HOST_POOL document, each with its cluster's attributes of a CLUSTER_POOL document."""
    by_id = {_int(one, "ID", -1): one for one in xmldoc.parse(clusters, "clusterpool").iterfind("CLUSTER")}
    root = xmldoc.parse(pool, "hostpool")
    return [_host(element, by_id.get(_int(element, "CLUSTER_ID", -1))) for element in root.iterfind("HOST")]


def parse_datastores(pool: str) -> list[Datastore]:
    """The datastores of a DATASTORE_POOL document."""
    return [_datastore(element) for element in xmldoc.parse(pool, "datastorepool").iterfind("DATASTORE")]


def parse_networks(pool: str) -> list[Network]:
    """The networks of a VNET_POOL document."""
    return [_network(element) for element in xmldoc.parse(pool, "vnpool").iterfind("VNET")]


# -- VMs ---------------------------------------------------------------------------------------------
def _vm(element: etree._Element, memory_scale: int) -> VM:
    template = element.find("TEMPLATE")
    user = element.find("USER_TEMPLATE")
    history = element.findall("HISTORY_RECORDS/HISTORY")
    last = history[-1] if history else None
    resched = _int(element, "RESCHED") == 1 and _int(element, "LCM_STATE") in _MOVABLE
    vm = VM(
        id=_int(element, "ID", -1),
        uid=_int(element, "UID", -1),
        gid=_int(element, "GID", -1),
        cpu=0,
        memory_kb=0,
        requirements=_both(
            _text(template, "AUTOMATIC_REQUIREMENTS"),
            _text(user, "SCHED_REQUIREMENTS") or _text(template, "SCHED_REQUIREMENTS"),
        ),
        rank=_text(user, "SCHED_RANK") or _text(template, "SCHED_RANK"),
        ds_requirements=_both(
            _text(template, "AUTOMATIC_DS_REQUIREMENTS"),
            _text(user, "SCHED_DS_REQUIREMENTS") or _text(template, "SCHED_DS_REQUIREMENTS"),
        ),
        ds_rank=_text(user, "SCHED_DS_RANK") or _text(template, "SCHED_DS_RANK"),
        priority=_int(user, "USER_PRIORITY"),
        stime=_int(element, "STIME"),
        resched=resched,
        host_id=_int(last, "HID", -1) if resched else None,
        message=_text(user, "SCHED_MESSAGE"),
        in_vmgroup=template is not None and template.find("VMGROUP") is not None,
        has_disks=resched or _int(last, "ACTION", -1) in _LEFT_HOST,
        ds_id=_int(last, "DS_ID", -1) if resched else None,
        is_cloud=user is not None and any(user.find(name) is not None for name in _CLOUDS),
    )
    _read_needs(vm, template, memory_scale)
    return vm


def _read_needs(vm: VM, template: etree._Element | None, memory_scale: int) -> None:
    cpu, memory_mb = number(_text(template, "CPU")), number(_text(template, "MEMORY"))
    if cpu is None or cpu < 0:
        vm.error = f"CPU must be a number from 0, found {_text(template, 'CPU')[:40]!r}"
        return
    if memory_mb is None or memory_mb < 0:
        vm.error = f"MEMORY must be a number from 0 (MB), found {_text(template, 'MEMORY')[:40]!r}"
        return
    vm.cpu = round(cpu * 100)  # the front-end counts a host's use in the same way
    vm.memory_kb = round(memory_mb * 1024)
    images: dict[int, int] = {}
    if template is not None:
        for disk in template.iterfind("DISK"):
            size_mb, datastore_id = _disk_needs(disk)
            if datastore_id is None:
                vm.disk_mb += size_mb
            elif size_mb:
                images[datastore_id] = images.get(datastore_id, 0) + size_mb
        devices, nodes = (list(map(_vector, template.iterfind(name))) for name in ("PCI", "NUMA_NODE"))
        topology = template.find("TOPOLOGY")
        vm.needs = needs(devices, _vector(topology) if topology is not None else {}, nodes)
        if not vm.has_disks:
            vm.nics = tuple(_auto_nics(template))
    if not vm.has_disks:
        vm.image_mb = tuple(sorted(images.items()))
    if memory_scale > 0:
        vm.disk_mb += round(memory_mb * memory_scale)


def _vector(element: etree._Element) -> Vector:
    return {str(part.tag): part.text or "" for part in element}


def _auto_nics(template: etree._Element) -> Iterator[AutoNic]:
    automatic = _text(template, "AUTOMATIC_NIC_REQUIREMENTS")
    for nic in template.iterfind("NIC"):
        if _text(nic, "NETWORK_MODE").upper() == "AUTO" and not _text(nic, "NETWORK_ID"):
            requirements = _both(automatic, _text(nic, "SCHED_REQUIREMENTS"))
            yield AutoNic(_int(nic, "NIC_ID", -1), requirements, _text(nic, "SCHED_RANK"))


def _disk_needs(disk: etree._Element) -> tuple[int, int | None]:
    """(MB, None) in the system datastore, or (MB, id) in an image datastore; (0, None) for no new space.

    Source: transfer manager attributes CLONE_TARGET and LN_TARGET (NONE, SELF, SYSTEM), storage drivers page.
    """
    size_mb = _int(disk, "SIZE") + _int(disk, "DISK_SNAPSHOT_TOTAL_SIZE")
    if disk.find("IMAGE_ID") is None and disk.find("IMAGE") is None:
        return size_mb, None  # volatile: made on the system datastore
    is_clone = is_yes(_text(disk, "CLONE") or "YES")
    target = _text(disk, "CLONE_TARGET" if is_clone else "LN_TARGET").upper()
    if target == "SYSTEM":
        return size_mb, None
    if target == "SELF":
        return size_mb, _int(disk, "DATASTORE_ID", -1)
    return 0, None


# -- hosts and datastores -------------------------------------------------------------------------------
def _host(element: etree._Element, cluster: etree._Element | None) -> Host:
    share = element.find("HOST_SHARE")
    stores = share.find("DATASTORES") if share is not None else None
    local = {
        _int(one, "ID", -1): _int(one, "FREE_MB")
        for one in (stores.iterfind("DS") if stores is not None else ())
    }
    return Host(
        id=_int(element, "ID", -1),
        name=_text(element, "NAME"),
        state=_int(element, "STATE", -1),
        cluster_id=_int(element, "CLUSTER_ID", -1),
        max_cpu=_int(share, "MAX_CPU"),
        cpu_usage=_int(share, "CPU_USAGE"),
        max_memory_kb=_int(share, "MAX_MEM"),
        memory_usage_kb=_int(share, "MEM_USAGE"),
        running_vms=_int(share, "RUNNING_VMS"),
        vm_ids=tuple(int(one.text or -1) for one in element.iterfind("VMS/ID")),
        attributes=Attributes(element, HOST_PLACES, cluster),
        store_free_mb=local,
        free_disk_mb=_int(stores, "FREE_DISK") if _int(stores, "MAX_DISK") > 0 else None,
        is_cloud=_text(element.find("TEMPLATE"), "PUBLIC_CLOUD").upper() == "YES",
        share=share,
    )


def _datastore(element: etree._Element) -> Datastore:
    shared = _text(element.find("TEMPLATE"), "SHARED")
    return Datastore(
        id=_int(element, "ID", -1),
        name=_text(element, "NAME"),
        type=_int(element, "TYPE", -1),
        state=_int(element, "STATE"),
        is_shared=is_yes(shared or "YES"),
        cluster_ids=frozenset(int(one.text or -1) for one in element.iterfind("CLUSTERS/ID")),
        # A size of 0 means that no monitoring has come yet, or never will: then nothing is known to be full.
        free_mb=_limited_free_mb(element) if _int(element, "TOTAL_MB") > 0 else None,
        attributes=Attributes(element, DATASTORE_PLACES),
        uid=_int(element, "UID", -1),
        gid=_int(element, "GID", -1),
        use_bits=(_may(element, "OWNER_U"), _may(element, "GROUP_U"), _may(element, "OTHER_U")),
    )


def _network(element: etree._Element) -> Network:
    size = sum(_int(one, "SIZE") for one in element.iterfind("AR_POOL/AR"))
    return Network(
        id=_int(element, "ID", -1),
        name=_text(element, "NAME"),
        cluster_ids=frozenset(int(one.text or -1) for one in element.iterfind("CLUSTERS/ID")),
        free_leases=max(0, size - _int(element, "USED_LEASES")),
        attributes=Attributes(element, NETWORK_PLACES),
        uid=_int(element, "UID", -1),
        gid=_int(element, "GID", -1),
        use_bits=(_may(element, "OWNER_U"), _may(element, "GROUP_U"), _may(element, "OTHER_U")),
    )


def _may(element: etree._Element, bit: str) -> bool:
    return _text(element, f"PERMISSIONS/{bit}") == "1"


def read_zone_id(client: Caller) -> int:
    """The id of the front-end's zone."""
    settings = xmldoc.parse(str(client.call("system.config")), "system")
    return _int(settings, "FEDERATION/ZONE_ID")


def _limited_free_mb(element: etree._Element) -> int:
    """Free space, less when LIMIT_MB leaves less. Source: datastore attributes, LIMIT_MB."""
    free_mb = _int(element, "FREE_MB")
    limit_mb = _int(element.find("TEMPLATE"), "LIMIT_MB")
    return min(free_mb, limit_mb - _int(element, "USED_MB")) if limit_mb > 0 else free_mb


# -- texts and numbers -------------------------------------------------------------------------------
def _text(element: etree._Element | None, name: str) -> str:
    return (element.findtext(name) or "").strip() if element is not None else ""


def _int(element: etree._Element | None, name: str, default: int = 0) -> int:
    """A whole number; one that is missing or unreadable counts as the default: a host that reports nonsense
    is then too small for any VM, and disturbs no other."""
    value = number(_text(element, name))
    return default if value is None else int(value)


def _both(*expressions: str) -> tuple[str, ...]:
    return tuple(one for one in expressions if one)
