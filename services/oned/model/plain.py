"""Kinds of objects that are only read so far: what tells them apart, without their own elements.

A kind moves into a module of its own when something can change its objects.
"""

from __future__ import annotations

from services.oned.model.base import PoolObject


class Zone(PoolObject):
    """A zone: one front-end of a federation."""

    KIND, LABEL, TABLE, ROOT, FIRST_USER_ID = "ZONE", "zone", "zone_pool", "ZONE", 100


class Image(PoolObject):
    """A disk image, kernel or file."""

    KIND, LABEL, TABLE, ROOT, UNIQUE_PER_OWNER = "IMAGE", "image", "image_pool", "IMAGE", True


class VirtualNetwork(PoolObject):
    """A virtual network."""

    KIND, LABEL, TABLE, ROOT, UNIQUE_PER_OWNER = "NET", "virtual network", "network_pool", "VNET", True


class SecurityGroup(PoolObject):
    """A security group: the firewall rules of network cards."""

    KIND, LABEL, TABLE, ROOT = "SECGROUP", "security group", "secgroup_pool", "SECURITY_GROUP"
    UNIQUE_PER_OWNER = True
    FIRST_USER_ID = 100


class VmGroup(PoolObject):
    """A VM group: placement rules between the roles of an application."""

    KIND, LABEL, TABLE, ROOT, UNIQUE_PER_OWNER = "VMGROUP", "vm group", "vmgroup_pool", "VM_GROUP", True


class VirtualRouter(PoolObject):
    """A virtual router."""

    KIND, LABEL, TABLE, ROOT = "VROUTER", "virtual router", "vrouter_pool", "VROUTER"


class NetworkTemplate(PoolObject):
    """A virtual network template."""

    KIND, LABEL, TABLE, ROOT = "VNTEMPLATE", "virtual network template", "vn_template_pool", "VNTEMPLATE"


class Hook(PoolObject):
    """A hook: a command that is run after a state change or an API call."""

    KIND, LABEL, TABLE, ROOT = "HOOK", "hook", "hook_pool", "HOOK"


class Document(PoolObject):
    """A document: what services such as OneFlow keep."""

    KIND, LABEL, TABLE, ROOT = "DOCUMENT", "document", "document_pool", "DOCUMENT"


class Marketplace(PoolObject):
    """A marketplace: a source of appliances."""

    KIND, LABEL, TABLE, ROOT = "MARKETPLACE", "marketplace", "marketplace_pool", "MARKETPLACE"
    FIRST_USER_ID = 100


class MarketplaceApp(PoolObject):
    """An appliance of a marketplace."""

    KIND, LABEL, TABLE, ROOT = "MARKETPLACEAPP", "marketplaceapp", "marketplaceapp_pool", "MARKETPLACEAPP"
    UNIQUE_PER_OWNER = True
