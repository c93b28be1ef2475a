"""Consistency of the database: recompute what is counted from the documents, compare, and repair.

Each module checks one subject: a function that takes the documents of the zone and gives a Finding for each
contradiction, with the repair where there is one. After any crash nothing may be found. SUBJECTS lists them
in the order in which they are repaired: what others are counted from comes first.
"""

from __future__ import annotations

from services.oned.fsck import (
    access,
    accounts,
    clusters,
    documents,
    due_actions,
    history,
    hosts,
    images,
    jobs,
    markets,
    members,
    networks,
    numbering,
    orphans,
    places,
    quotas,
    secgroups,
    vlans,
    vnc_ports,
)
from services.oned.fsck.finding import Finding, Subject
from services.oned.fsck.zone import Zone
from services.oned.store import Tx

SUBJECTS: tuple[Subject, ...] = (
    Subject("shared documents", documents.check_shared, is_shared=True),
    Subject("documents", documents.check_local),
    Subject("shared counters", numbering.check_shared, ("pool_control",), is_shared=True),
    Subject("counters", numbering.check_local, ("pool_control",)),
    Subject("accounts", accounts.check, ("user_pool", "group_pool"), is_shared=True),
    Subject("quota documents", accounts.check_quota_rows, ("user_pool", "group_pool")),
    Subject("orphans", orphans.check),
    Subject(
        "places", places.check, ("cluster_pool", "host_pool", "datastore_pool", "network_pool", "image_pool")
    ),
    Subject("clusters", clusters.check, ("cluster_pool", "host_pool", "datastore_pool", "network_pool")),
    # A VM's row is what holds its records.
    Subject("history", history.check, ("vm_pool",)),
    Subject("driver work", jobs.check, is_own=True),
    Subject("scheduled actions", due_actions.check, is_own=True),
    Subject("VNC ports", vnc_ports.check, ("cluster_vnc_bitmap",)),
    Subject("hosts", hosts.check, ("host_pool",)),
    Subject("marketplaces", markets.check, ("marketplace_pool", "marketplaceapp_pool"), is_shared=True),
    Subject("images", images.check, ("marketplaceapp_pool", "image_pool", "datastore_pool")),
    Subject("networks", networks.check, ("vrouter_pool", "network_pool")),
    Subject("VLAN ids", vlans.check, ("network_vlan_bitmap",)),
    Subject("security groups", secgroups.check, ("secgroup_pool",)),
    Subject("VM groups and virtual routers", members.check, ("vmgroup_pool", "vrouter_pool")),
    Subject("access", access.check, is_shared=True),
    Subject("quotas", quotas.check, ("user_quotas", "group_quotas")),
)


def check(tx: Tx) -> list[str]:
    """One line for each contradiction; empty when there is none."""
    return [str(finding) for _, finding in findings(Zone(tx))]


def findings(zone: Zone) -> list[tuple[Subject, Finding]]:
    """Every contradiction with its subject; only what cannot be read when there is such a thing."""
    unreadable = documents.unreadable(zone)
    if unreadable:
        return [(SUBJECTS[0], finding) for finding in unreadable]
    return [(subject, finding) for subject in SUBJECTS for finding in of_subject(zone, subject)]


def of_subject(zone: Zone, subject: Subject) -> list[Finding]:
    """The contradictions of one subject; on a federation's slave without repairs of what is shared."""
    if subject.is_own and not zone.is_ours:
        return []
    found = list(subject.check(zone))
    if subject.is_shared and zone.is_slave:
        return [Finding(f"{finding} (to be repaired in the master zone)") for finding in found]
    return found
