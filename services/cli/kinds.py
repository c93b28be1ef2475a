"""The sorts of objects that commands name: how each is called in messages, calls and documents."""

from __future__ import annotations

from typing import Any


class Kind:
    """One sort of object.

    name: in messages ("VM named x not found"); title: in the head of ``show``; rpc: prefix of its methods;
    element: its element in documents; pool_args: arguments that make the pool call return everything;
    streams: the pool can be large and is read piece by piece; arg: its type as an argument, in every
    command; word: what manual and usage call that argument, when it is not ``arg``;
    pool_method: the call that returns the whole pool.
    """

    __slots__ = ("name", "title", "rpc", "element", "pool_args", "streams", "arg", "word", "pool_method")

    def __init__(
        self,
        name: str,
        title: str,
        rpc: str,
        element: str,
        pool_args: tuple[Any, ...] = (),
        streams: bool = False,
        arg: str = "",
        word: str = "",
        pool_method: str = "",
    ) -> None:
        self.name = name
        self.title = title
        self.rpc = rpc
        self.element = element
        self.pool_args = pool_args
        self.streams = streams
        self.arg = arg or rpc + "id"
        self.word = word or self.arg
        self.pool_method = pool_method or f"{rpc}pool.info"

    @property
    def id_spec(self) -> str:
        """How a declaration writes one object as an argument: ``vmid``."""
        return self.arg if self.word == self.arg else f"{self.word}:{self.arg}"

    @property
    def ids_spec(self) -> str:
        """How a declaration writes a list of objects as an argument: ``vmid_list``."""
        return f"{self.arg}_list" if self.word == self.arg else f"{self.word}_list:{self.arg}_list"

    @property
    def pool_element(self) -> str:
        """The root of the pool's document."""
        return f"{self.element}_POOL"


ALL, MINE, MINE_AND_GROUPS, PRIMARY_GROUP = -2, -3, -1, -4  # filter flags of the pool calls

_ALL_OF_THEM = (ALL, -1, -1)  # whose, and the first and last id

VM = Kind("VM", "VIRTUAL MACHINE", "vm", "VM", (ALL, -1, -1, -1), streams=True)
HOST = Kind("HOST", "HOST", "host", "HOST")
TEMPLATE = Kind("VMTEMPLATE", "TEMPLATE", "template", "VMTEMPLATE", _ALL_OF_THEM, streams=True)
IMAGE = Kind("IMAGE", "IMAGE", "image", "IMAGE", _ALL_OF_THEM, streams=True)
USER = Kind("USER", "USER", "user", "USER")
GROUP = Kind("GROUP", "GROUP", "group", "GROUP")
DATASTORE = Kind("DATASTORE", "DATASTORE", "datastore", "DATASTORE")
CLUSTER = Kind("CLUSTER", "CLUSTER", "cluster", "CLUSTER")
VNET = Kind("VNET", "VIRTUAL NETWORK", "vn", "VNET", _ALL_OF_THEM, arg="vnetid")
VNTEMPLATE = Kind("VNTEMPLATE", "TEMPLATE", "vntemplate", "VNTEMPLATE", _ALL_OF_THEM, word="templateid")
VROUTER = Kind("VROUTER", "VIRTUAL ROUTER", "vrouter", "VROUTER", _ALL_OF_THEM)
SECGROUP = Kind("SECURITY_GROUP", "SECURITY GROUP", "secgroup", "SECURITY_GROUP", _ALL_OF_THEM)
VMGROUP = Kind("VM_GROUP", "VM GROUP", "vmgroup", "VM_GROUP", _ALL_OF_THEM)
VDC = Kind("VDC", "VDC", "vdc", "VDC")
ZONE = Kind("ZONE", "ZONE", "zone", "ZONE")
HOOK = Kind("HOOK", "HOOK", "hook", "HOOK", _ALL_OF_THEM)
MARKET = Kind("MARKETPLACE", "MARKETPLACE", "market", "MARKETPLACE", arg="marketplaceid")
APP = Kind("MARKETPLACEAPP", "MARKETPLACE APP", "marketapp", "MARKETPLACEAPP", _ALL_OF_THEM, arg="appid")
ACL = Kind("ACL", "ACL", "acl", "ACL", pool_method="acl.info")

BY_ARG = {
    kind.arg: kind
    for kind in (
        VM, HOST, TEMPLATE, USER, GROUP, DATASTORE, CLUSTER, VNET, VNTEMPLATE, VROUTER, SECGROUP, VMGROUP,
        VDC, ZONE, HOOK, MARKET, APP, IMAGE, ACL,
    )
}  # fmt: skip
