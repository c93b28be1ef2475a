"""The sorts of objects that commands name: how each is called in messages, calls and documents."""

from __future__ import annotations

from typing import Any


class Kind:
    """One sort of object.

    name: in messages ("VM named x not found"); title: in the head of ``show``; rpc: prefix of its methods;
    element: its element in documents; pool_args: arguments that make the pool call return everything;
    streams: the pool can be large and is read piece by piece.
    """

    __slots__ = ("name", "title", "rpc", "element", "pool_args", "streams", "arg")

    def __init__(
        self,
        name: str,
        title: str,
        rpc: str,
        element: str,
        pool_args: tuple[Any, ...] = (),
        streams: bool = False,
        arg: str = "",
    ) -> None:
        self.name = name
        self.title = title
        self.rpc = rpc
        self.element = element
        self.pool_args = pool_args
        self.streams = streams
        self.arg = arg or rpc + "id"

    @property
    def pool_method(self) -> str:
        """The call that returns the whole pool."""
        return f"{self.rpc}pool.info"

    @property
    def pool_element(self) -> str:
        """The root of the pool's document."""
        return f"{self.element}_POOL"


ALL, MINE, MINE_AND_GROUPS, PRIMARY_GROUP = -2, -3, -1, -4  # filter flags of the pool calls

VM = Kind("VM", "VIRTUAL MACHINE", "vm", "VM", (ALL, -1, -1, -1), streams=True)
HOST = Kind("HOST", "HOST", "host", "HOST")
TEMPLATE = Kind("VMTEMPLATE", "TEMPLATE", "template", "VMTEMPLATE", (ALL, -1, -1), streams=True)
USER = Kind("USER", "USER", "user", "USER")
GROUP = Kind("GROUP", "GROUP", "group", "GROUP")
DATASTORE = Kind("DATASTORE", "DATASTORE", "datastore", "DATASTORE")
CLUSTER = Kind("CLUSTER", "CLUSTER", "cluster", "CLUSTER")
VNET = Kind("VNET", "VIRTUAL NETWORK", "vn", "VNET", (ALL, -1, -1), arg="vnetid")

BY_ARG = {kind.arg: kind for kind in (VM, HOST, TEMPLATE, USER, GROUP, DATASTORE, CLUSTER, VNET)}
