"""onehost explain: what a host gets of the machines that wait, and what keeps the others away from it."""

from __future__ import annotations

from typing import Any

from services.cli.commands.vm_explain import change_of, print_json, settings
from services.cli.errors import CliError
from services.common.xmldoc import XmlError
from services.scheduler import whatif, whatif_text


def explain(inv: Any) -> int:
    """Explain some hosts."""
    change, conf = change_of(inv.opts), settings()
    try:
        snapshot, notes = whatif.read(inv.client, conf, (), change.hosts_down)
    except XmlError as error:
        raise CliError(f"The front-end's answer cannot be read: {error}") from None
    whatif.apply(snapshot, change)
    answers = []
    for oid in inv.args["hostid_list"]:
        try:
            answer = whatif.explain_host(snapshot, conf, oid)
        except KeyError:
            raise CliError(f"onehost explain: you can see no host {oid}.") from None
        found = whatif.as_json(answer)
        lines = [*whatif_text.host_lines(answer), *notes]
        if change.cpu_percent is not None or change.memory_kb is not None:
            obstacles = [one.words for one in whatif.sized(snapshot, conf, oid, change)]
            found["sized"] = {"fits": not obstacles, "obstacles": obstacles}
            lines += [
                "",
                f"A VM of that size {'fits' if not obstacles else 'does not fit: ' + '; '.join(obstacles)}",
            ]
        answers.append(found)
        if not inv.opts.json:
            inv.out("\n".join(lines))
    if inv.opts.json:
        print_json(inv, answers)
    return 0
