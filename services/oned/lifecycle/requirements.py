"""What the scheduler must keep to, whatever the user writes: clusters, datastores and drivers that fit.

A VM can only go to clusters that have every datastore and network it uses, and to system datastores that fit
the datastores of its images. Source: automatic requirements of the VM template reference of release 6.0;
documents of real databases.
"""

from __future__ import annotations

from services.common.template import Template, Vector
from services.oned.errors import RequestError
from services.oned.lifecycle import clouds
from services.oned.lifecycle.numbers import ids, is_yes, joined, whole
from services.oned.lifecycle.topology import is_pinned
from services.oned.lifecycle.variables import substitute
from services.oned.model.datastore import Datastore
from services.oned.model.vm import VM
from services.oned.store import Tx, clusters, pools

AUTOMATIC = ("AUTOMATIC_REQUIREMENTS", "AUTOMATIC_DS_REQUIREMENTS", "AUTOMATIC_NIC_REQUIREMENTS")


def settle_scheduling(tx: Tx, vm: VM) -> None:
    """Replace the variables of SCHED_REQUIREMENTS (or its old name REQUIREMENTS). Raises RequestError."""
    user = vm.user_template
    given = user.get_all("SCHED_REQUIREMENTS") or user.get_all("REQUIREMENTS")
    if not given:
        return
    if len(given) > 1:
        raise RequestError(f"Only one SCHED_REQUIREMENTS attribute can be defined, found {len(given)}.")
    if not isinstance(given[0], str):
        raise RequestError("Wrong format for SCHED_REQUIREMENTS attribute, expected text, found a vector.")
    parsed = substitute(tx, vm, given[0])
    user.remove("REQUIREMENTS")
    user.set("SCHED_REQUIREMENTS", parsed)


def settle(tx: Tx, vm: VM) -> set[int]:
    """Write the AUTOMATIC_… attributes from what the VM uses now; the clusters it may go to, empty for any.

    Raises RequestError when what it uses is in no common cluster, or its images' datastores have no common
    system datastore.
    """
    template = vm.template
    for name in AUTOMATIC:
        template.remove(name)
    in_clusters = _clusters(tx, template)
    datastores, shareable = _datastores(tx, template)
    template.add("AUTOMATIC_REQUIREMENTS", _for_hosts(vm, in_clusters))
    in_any = " | ".join(f'"CLUSTERS/ID" @> {cluster}' for cluster in sorted(in_clusters))
    if in_any:
        template.add("AUTOMATIC_NIC_REQUIREMENTS", f"({in_any})")
    required = [f"({in_any})"] if in_any else []
    if datastores:
        required.append("({})".format(" | ".join(f'"ID" @> {store}' for store in sorted(datastores))))
    tm_mad = template.get("TM_MAD_SYSTEM")
    if required and tm_mad is not None:
        required.append(f'(TM_MAD = "{tm_mad.strip()}")')
    if shareable:
        required.append('(SHARED = "YES")')
    if required:
        template.add("AUTOMATIC_DS_REQUIREMENTS", " & ".join(required))
    return in_clusters


def _for_hosts(vm: VM, in_clusters: set[int]) -> str:
    parts = ["(" + " | ".join(f"CLUSTER_ID = {cluster}" for cluster in sorted(in_clusters)) + ")"]
    parts = parts if in_clusters else []
    parts.append("!(PUBLIC_CLOUD = YES)")
    parts.append("(PIN_POLICY = PINNED)" if is_pinned(vm.template) else "!(PIN_POLICY = PINNED)")
    private = " & ".join(parts)
    words = clouds.hypervisors(vm.user_template)
    if not words:
        return private
    return f"{private} | (PUBLIC_CLOUD = YES & ({' | '.join(f'HYPERVISOR = {word}' for word in words)}))"


# -- clusters ----------------------------------------------------------------------------------------------
def _clusters(tx: Tx, template: Template) -> set[int]:
    """The clusters that have everything; CLUSTER_ID of every disk and interface is brought up to date."""
    common: set[int] = set()
    machine = template.get_vector("OS") or {}
    for name in ("KERNEL", "INITRD"):
        key = f"{name}_DS_CLUSTER_ID"
        _refresh(tx, "DATASTORE", machine, f"{name}_DS_DSID", key)
        _narrow(common, machine, key, f"{name} datastore", "")
    for number, disk in enumerate(template.vectors("DISK")):
        _refresh(tx, "DATASTORE", disk, "DATASTORE_ID", "CLUSTER_ID")
        _narrow(common, disk, "CLUSTER_ID", f"Datastore for DISK {number}", "DISK")
    for number, nic in enumerate(template.vectors("NIC")):
        _refresh(tx, "NET", nic, "NETWORK_ID", "CLUSTER_ID")
        _narrow(common, nic, "CLUSTER_ID", f"Network for NIC {number}", "NIC")
    for number, device in enumerate(template.vectors("PCI")):
        if device.get("TYPE") == "NIC":
            _refresh(tx, "NET", device, "NETWORK_ID", "CLUSTER_ID")
            _narrow(common, device, "CLUSTER_ID", f"Network for PCI {number}", "PCI (TYPE=NIC)")
    return common


def _refresh(tx: Tx, kind: str, vector: Vector, id_name: str, target: str) -> None:
    oid = whole(vector.get(id_name))
    if oid is not None:
        vector[target] = joined(clusters.of(tx, kind, oid))


def _narrow(common: set[int], vector: Vector, name: str, what: str, kind: str) -> None:
    """Keep the clusters that a vector lists, too. Raises RequestError when none is left."""
    if name not in vector:
        return  # nothing of the front-end's: a path, or a bridge by name
    listed = set(ids(vector[name]))
    if not listed:
        raise RequestError(f"Missing clusters. {what} is not in any cluster")
    if not common:
        common |= listed
    elif common & listed:
        common &= listed
    else:
        where = f"Incompatible clusters in {kind}. " if kind else "Incompatible cluster. "
        raise RequestError(
            f"{where}{what} is not in the same cluster as the one used by other VM elements "
            f"(cluster {joined(common)}), but in {joined(listed)}"
        )


# -- system datastores -------------------------------------------------------------------------------------
def _datastores(tx: Tx, template: Template) -> tuple[set[int], bool]:
    """The system datastores that fit every image (empty: any), and whether a disk is shared between VMs."""
    common: set[int] = set()
    shareable = False
    for number, disk in enumerate(template.vectors("DISK")):
        shareable = shareable or is_yes(disk.get("SHAREABLE"))
        store_id = whole(disk.get("DATASTORE_ID"))
        body = None if store_id is None else pools.body(tx, Datastore.TABLE, store_id)
        fitting = set(ids(Datastore.from_xml(body).template.get("COMPATIBLE_SYS_DS"))) if body else set()
        if not fitting:
            continue
        if common and not common & fitting:
            raise RequestError(
                f"Incompatible system datastore in DISK. Images Datastore for DISK {number} has not the same "
                f"compatible system datastore (system datastores {joined(common)}), but {joined(fitting)}"
            )
        common = common & fitting if common else fitting
    return common, shareable
