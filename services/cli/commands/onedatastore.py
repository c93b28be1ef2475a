"""onedatastore: datastores."""

from __future__ import annotations

from services.cli.decl import ID, Command, Opt, Sub
from services.cli.kinds import DATASTORE
from services.cli.subs import chown_subs, delete_sub, list_sub, rename_sub, show_sub, top_sub, update_sub

_LIST = "services.cli.views.datastore:LIST"

COMMAND = Command(
    "onedatastore",
    DATASTORE,
    "manages datastores",
    [
        Sub(
            "create",
            "[file]",
            "add a datastore from a template in a file or on standard input",
            options=(Opt("cluster", "cluster that can use it", "id|name", "c", "clusterid"),),
            run="services.cli.commands.datastore_handlers:create",
        ),
        list_sub(_LIST),
        top_sub(_LIST),
        show_sub(DATASTORE, "services.cli.views.datastore:show"),
        delete_sub(DATASTORE),
        Sub(
            "enable",
            "datastoreid_list",
            "let the scheduler use them",
            call=("datastore.enable", ID, True),
            done="enabled",
        ),
        Sub(
            "disable",
            "datastoreid_list",
            "keep the scheduler from using them",
            call=("datastore.enable", ID, False),
            done="disabled",
        ),
        rename_sub(DATASTORE),
        update_sub(DATASTORE),
        *chown_subs(DATASTORE),
    ],
)
