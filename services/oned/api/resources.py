"""Imports every resource module, so that its methods are registered."""

from importlib import import_module

MODULES = (
    "system",
    "user",
    "group",
    "acl",
    "zone",
    "readonly",
    "cluster",
    "host",
    "datastore",
    "template",
    "vm",
    "vmpool",
)


def load_all() -> None:
    """Register every method of the interface."""
    for name in MODULES:
        import_module(f"services.oned.api.{name}")
