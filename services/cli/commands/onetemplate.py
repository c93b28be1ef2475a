"""onetemplate: VM templates."""

from __future__ import annotations

from services.cli import vm_options
from services.cli.decl import ID, Arg, Command, Opt, Sub
from services.cli.kinds import TEMPLATE
from services.cli.subs import (
    chown_subs,
    list_sub,
    lock_subs,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.template:LIST"
_RECURSIVE = Opt("recursive", "do the same with the images of its disks")


def _recursive(inv: object) -> bool:
    return bool(inv.opts.recursive)  # type: ignore[attr-defined]


_CHOWN, _CHGRP, _CHMOD = chown_subs(TEMPLATE)
_CHMOD.options = (_RECURSIVE,)
_CHMOD.call = ("template.chmod", ID, Arg("octet"), _recursive)

COMMAND = Command(
    "onetemplate",
    TEMPLATE,
    "manages VM templates",
    [
        Sub(
            "create",
            "[file]",
            "create a template from a file, standard input or options",
            options=(*vm_options.OPTIONS, vm_options.DRY),
            run="services.cli.commands.template_handlers:create",
        ),
        list_sub(_LIST, "[filterflag:text]"),
        top_sub(_LIST, "[filterflag:text]"),
        show_sub(
            TEMPLATE,
            "services.cli.views.template:show",
            options=(Opt("extended", "with the data of its images"),),
        ),
        Sub(
            "instantiate",
            "templateid [file]",
            "create machines; a file or options add to the template",
            options=(
                *vm_options.OPTIONS,
                vm_options.HOLD,
                vm_options.MULTIPLE,
                Opt("persistent", "copy template and images, and keep the copies"),
                Opt("userdata", "text for the USERDATA of the template's EC2 section", "userdata"),
            ),
            run="services.cli.commands.template_handlers:instantiate",
        ),
        Sub(
            "clone",
            "templateid name",
            "copy",
            options=(_RECURSIVE,),
            call=("template.clone", ID, Arg("name"), _recursive),
            result="ID",
        ),
        Sub(
            "delete",
            "templateid_list",
            "delete",
            options=(_RECURSIVE,),
            call=("template.delete", ID, _recursive),
            done="deleted",
        ),
        rename_sub(TEMPLATE),
        update_sub(TEMPLATE),
        _CHOWN,
        _CHGRP,
        _CHMOD,
        *lock_subs(TEMPLATE),
    ],
)
