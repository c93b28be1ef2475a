"""onevnet: virtual networks."""

from __future__ import annotations

from services.cli import vnet_options
from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import VNET
from services.cli.listing import EXTENDED, KILOBYTES
from services.cli.subs import (
    APPEND,
    DECRYPT,
    chown_subs,
    delete_sub,
    list_sub,
    lock_subs,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.vnet:LIST"
_HANDLERS = "services.cli.commands.vnet_handlers"
_AR = Opt("address_range", "id of the address range", "ar_id", "a", "integer")
_BY_NAME = {option.name: option for option in vnet_options.RANGE}


def _lease(inv: object) -> str:
    return vnet_options.lease(inv.args["ip"], inv.opts.address_range)  # type: ignore[attr-defined]


COMMAND = Command(
    "onevnet",
    VNET,
    "manages virtual networks",
    [
        Sub(
            "create",
            "[file]",
            "add a network from a template in a file or on standard input",
            options=(Opt("cluster", "cluster that can use it", "id|name", "c", "clusterid"),),
            run=f"{_HANDLERS}:create",
        ),
        list_sub(_LIST, "[filterflag:text]", (EXTENDED, KILOBYTES)),
        top_sub(_LIST, "[filterflag:text]", (EXTENDED, KILOBYTES)),
        show_sub(
            VNET,
            "services.cli.views.vnet:show",
            options=(DECRYPT, Opt("show-ar", "with the attributes of each address range")),
        ),
        delete_sub(VNET),
        Sub(
            "addar",
            "vnetid [file]",
            "add an address range, from a file or options",
            options=vnet_options.RANGE,
            run=f"{_HANDLERS}:addar",
            done="lease added",
        ),
        Sub(
            "rmar",
            "vnetid ar_id:integer",
            "remove an address range",
            options=(Opt("force", "also when addresses of it are in use"),),
            call=("vn.rm_ar", ID, Arg("ar_id"), lambda inv: bool(inv.opts.force)),
            done="address range removed",
        ),
        Sub(
            "updatear",
            "vnetid ar_id:integer [file]",
            "change attributes of an address range; without a file an editor is opened",
            options=(APPEND,),
            run=f"{_HANDLERS}:updatear",
            done="AR updated",
        ),
        Sub(
            "addleases",
            "vnetid ip:text [mac:text]",
            "add one address (old form of addar)",
            run=f"{_HANDLERS}:addleases",
            done="lease added",
        ),
        Sub(
            "rmleases",
            "vnetid ip:text",
            "remove one address that was added as a range of its own (old form of rmar)",
            run=f"{_HANDLERS}:rmleases",
            done="lease removed",
        ),
        Sub(
            "hold",
            "vnetid ip:text",
            "keep an address from being leased",
            options=(_AR,),
            call=("vn.hold", ID, _lease),
            done="lease on hold",
        ),
        Sub(
            "release",
            "vnetid ip:text",
            "let an address that is on hold be leased again",
            options=(_AR,),
            call=("vn.release", ID, _lease),
            done="lease released",
        ),
        Sub(
            "reserve",
            "vnetid [reservation:vnetid]",
            "take addresses into a network of their own, or into a reservation that exists",
            options=(
                Opt("name", "name of the new network", "reservation name", "n"),
                _BY_NAME["size"],
                _AR,
                *(_BY_NAME[name] for name in ("mac", "ip", "ip6")),
            ),
            run=f"{_HANDLERS}:reserve",
            done="reservation made",
        ),
        Sub(
            "free",
            "vnetid ar_id:integer",
            "give an address range of a reservation back",
            call=("vn.free_ar", ID, Arg("ar_id")),
            done="address range freed",
        ),
        Sub("orphans", "", "ids of networks that no VM template names", run=f"{_HANDLERS}:orphans"),
        rename_sub(VNET),
        update_sub(VNET),
        *chown_subs(VNET),
        *lock_subs(VNET),
    ],
)
