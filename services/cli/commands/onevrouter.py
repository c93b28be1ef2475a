"""onevrouter: virtual routers."""

from __future__ import annotations

from services.cli import vm_options
from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import VROUTER
from services.cli.subs import (
    chown_subs,
    create_sub,
    delete_sub,
    list_sub,
    lock_subs,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.vrouter:LIST"
_HANDLERS = "services.cli.commands.vrouter_handlers"

COMMAND = Command(
    "onevrouter",
    VROUTER,
    "manages virtual routers",
    [
        create_sub(VROUTER, "add a virtual router from a template in a file or on standard input"),
        Sub(
            "instantiate",
            "vrouterid templateid [file]",
            "create its machines from a VM template; a file or options add to the template",
            options=(*vm_options.OPTIONS, vm_options.HOLD, vm_options.MULTIPLE),
            run=f"{_HANDLERS}:instantiate",
            done="instantiated",
        ),
        list_sub(_LIST, "[filterflag:text]"),
        top_sub(_LIST, "[filterflag:text]"),
        show_sub(
            VROUTER,
            "services.cli.views.vrouter:show",
            options=(Opt("all", "with its network cards in the template"),),
        ),
        Sub(
            "nic-attach",
            "vrouterid",
            "add a network card to the router and its machines",
            options=(
                Opt("network", "network of the card", "id|name", "n", "vnetid"),
                Opt("ip", "address to ask for", "ip", "i"),
                Opt("float", "the address belongs to the router, not to a machine"),
                Opt("file", "file with the template of one card", "file", "f", "file"),
            ),
            run=f"{_HANDLERS}:nic_attach",
            done="Attach NIC",
        ),
        Sub(
            "nic-detach",
            "vrouterid nicid:integer",
            "take a network card from the router and its machines",
            call=("vrouter.detachnic", ID, Arg("nicid")),
            done="Detach NIC",
        ),
        delete_sub(VROUTER),
        rename_sub(VROUTER),
        update_sub(VROUTER),
        *chown_subs(VROUTER),
        *lock_subs(VROUTER),
    ],
)
