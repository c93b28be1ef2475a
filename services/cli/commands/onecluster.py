"""onecluster: clusters."""

from __future__ import annotations

from services.cli.decl import Arg, Command, Sub
from services.cli.kinds import CLUSTER, DATASTORE, HOST, VNET
from services.cli.subs import delete_sub, list_sub, member_subs, rename_sub, show_sub, top_sub, update_sub

_LIST = "services.cli.views.cluster:LIST"

COMMAND = Command(
    "onecluster",
    CLUSTER,
    "manages clusters",
    [
        Sub("create", "name", "add a cluster", call=("cluster.allocate", Arg("name")), result="ID"),
        list_sub(_LIST),
        top_sub(_LIST),
        show_sub(CLUSTER, "services.cli.views.cluster:show"),
        delete_sub(CLUSTER),
        *member_subs(CLUSTER, HOST, "addhost", "delhost", "a host"),
        *member_subs(CLUSTER, DATASTORE, "adddatastore", "deldatastore", "a datastore"),
        *member_subs(CLUSTER, VNET, "addvnet", "delvnet", "a network"),
        rename_sub(CLUSTER),
        update_sub(CLUSTER),
    ],
)
