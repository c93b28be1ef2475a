"""onevntemplate: templates of virtual networks."""

from __future__ import annotations

from services.cli import vnet_options
from services.cli.decl import Command, Opt, Sub
from services.cli.kinds import VNTEMPLATE
from services.cli.subs import (
    DRY,
    chown_subs,
    clone_sub,
    create_sub,
    delete_sub,
    list_sub,
    lock_subs,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.vntemplate:LIST"

COMMAND = Command(
    "onevntemplate",
    VNTEMPLATE,
    "manages templates of virtual networks",
    [
        create_sub(VNTEMPLATE, "add a template from a file or standard input", (DRY,)),
        list_sub(_LIST, "[filterflag:text]"),
        top_sub(_LIST, "[filterflag:text]"),
        show_sub(
            VNTEMPLATE,
            "services.cli.views.vntemplate:show",
            options=(Opt("extended", "with all that the front-end knows of it"),),
        ),
        Sub(
            "instantiate",
            "templateid:vntemplateid [file]",
            "create networks; a file or options add to the template",
            options=(
                Opt("name", "name of the network; %i becomes its number", "name"),
                Opt("multiple", "create that many", "x", type="count"),
                Opt("extended", "with all that the front-end knows of it"),
                Opt("as_uid", "id of the user that shall own them", "uid", type="integer"),
                Opt("as_gid", "id of the group that shall own them", "gid", type="integer"),
                *vnet_options.RANGE,
            ),
            run="services.cli.commands.vntemplate_handlers:instantiate",
        ),
        clone_sub(VNTEMPLATE),
        delete_sub(VNTEMPLATE),
        rename_sub(VNTEMPLATE),
        update_sub(VNTEMPLATE),
        *chown_subs(VNTEMPLATE),
        *lock_subs(VNTEMPLATE),
    ],
)
