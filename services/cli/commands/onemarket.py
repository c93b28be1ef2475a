"""onemarket: marketplaces."""

from __future__ import annotations

from services.cli.decl import Command
from services.cli.kinds import MARKET
from services.cli.subs import (
    chown_subs,
    create_sub,
    delete_sub,
    list_sub,
    rename_sub,
    show_sub,
    top_sub,
    update_sub,
)

_LIST = "services.cli.views.market:LIST"

COMMAND = Command(
    "onemarket",
    MARKET,
    "manages marketplaces",
    [
        create_sub(MARKET, "add a marketplace from a template in a file or on standard input"),
        list_sub(_LIST),
        top_sub(_LIST),
        show_sub(MARKET, "services.cli.views.market:show", options=()),
        delete_sub(MARKET),
        rename_sub(MARKET),
        update_sub(MARKET),
        *chown_subs(MARKET),
    ],
)
