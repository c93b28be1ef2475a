"""onesecgroup: security groups."""

from __future__ import annotations

from services.cli.decl import ID, Command, Opt, Sub
from services.cli.kinds import SECGROUP
from services.cli.subs import (
    chown_subs,
    clone_sub,
    create_sub,
    delete_sub,
    list_sub,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.secgroup:LIST"

COMMAND = Command(
    "onesecgroup",
    SECGROUP,
    "manages security groups: which traffic machines may send and receive",
    [
        create_sub(SECGROUP, "add a security group from a template in a file or on standard input"),
        clone_sub(SECGROUP),
        list_sub(_LIST, "[filterflag:text]"),
        top_sub(_LIST, "[filterflag:text]"),
        show_sub(SECGROUP, "services.cli.views.secgroup:show", options=()),
        delete_sub(SECGROUP),
        rename_sub(SECGROUP),
        update_sub(SECGROUP),
        Sub(
            "commit",
            "secgroupid",
            "give changed rules to the machines that use them",
            options=(
                Opt("recover", "only to machines whose rules are outdated or could not be set", short="r"),
            ),
            call=("secgroup.commit", ID, lambda inv: bool(inv.opts.recover)),
            done="commit",
        ),
        *chown_subs(SECGROUP),
    ],
)
