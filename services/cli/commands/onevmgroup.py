"""onevmgroup: VM groups."""

from __future__ import annotations

from services.cli.decl import Command
from services.cli.kinds import VMGROUP
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

_LIST = "services.cli.views.vmgroup:LIST"

COMMAND = Command(
    "onevmgroup",
    VMGROUP,
    "manages VM groups: roles of machines that belong together or apart",
    [
        create_sub(VMGROUP, "add a VM group from a template in a file or on standard input"),
        list_sub(_LIST, "[filterflag:text]"),
        top_sub(_LIST, "[filterflag:text]"),
        show_sub(VMGROUP, "services.cli.views.vmgroup:show", options=()),
        delete_sub(VMGROUP),
        rename_sub(VMGROUP),
        update_sub(VMGROUP),
        *chown_subs(VMGROUP),
        *lock_subs(VMGROUP),
    ],
)
