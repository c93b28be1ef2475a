"""Imports every resource module, so that its methods are registered."""

from importlib import import_module

MODULES = (
    "system",
    "user",
    "group",
    "acl",
    "zone",
    "cluster",
    "host",
    "datastore",
    "template",
    "vm",
    "vm_place",
    "vm_disk",
    "vm_nic",
    "vm_snapshot",
    "vm_conf",
    "vm_waiting",
    "vmpool",
    "image",
    "market",
    "marketapp",
    "quota",
    "accounting",
    "monitoring",
    "vmgroup",
    "document",
    "hook",
    "vnet",
    "vnet_leases",
    "vnet_reserve",
    "vntemplate",
    "secgroup",
    "vdc",
    "raft",
    "vrouter",
    "vrouter_nic",
)


def load_all() -> None:
    """Register every method of the interface."""
    for name in MODULES:
        import_module(f"services.oned.api.{name}")
