"""onevm explain: why machines wait, where they go, and what the scheduler would do now.

Planning is the scheduler's own code, imported only here; it needs nothing but the standard library.
"""

from __future__ import annotations

from typing import Any

from services.cli.errors import EXIT_FAILURE, CliError
from services.common.oca import OneError
from services.common.xmldoc import XmlError
from services.scheduler import config, whatif, whatif_text


def explain(inv: Any) -> int:
    """Explain some machines, or with --plan all that wait."""
    opts, ids = inv.opts, inv.args.get("vmid_list") or []
    if opts.plan and (ids or opts.cpu is not None or opts.memory is not None):
        raise CliError(
            "onevm explain: --plan is about all machines that wait; leave ids, --cpu and --memory out."
        )
    if not ids and not opts.plan:
        raise CliError("onevm explain: name machines, or ask for the whole plan with --plan.")
    change = change_of(opts)
    conf = settings()
    try:
        if opts.plan:
            return _plan(inv, conf, change)
        return _machines(inv, conf, change, ids)
    except XmlError as error:
        raise CliError(f"The front-end's answer cannot be read: {error}") from None


def settings() -> config.SchedConf:
    """The scheduler's settings where this machine has them, else the stock ones."""
    from services.common import paths

    file = paths.etc() / "sched.conf"
    try:
        return config.load(file) if file.exists() else config.SchedConf()
    except (OSError, config.ConfigError):
        return config.SchedConf()  # the scheduler says itself what is wrong with them


def change_of(opts: Any) -> whatif.Change:
    """What --cpu, --memory and --host-down say."""
    return whatif.Change(
        cpu_percent=None if opts.cpu is None else round(float(opts.cpu) * 100),
        memory_kb=None if opts.memory is None else opts.memory * 1024,
        hosts_down=frozenset(opts.host_down or ()),
    )


def _machines(inv: Any, conf: config.SchedConf, change: whatif.Change, ids: list[int]) -> int:
    code, answers = 0, []
    for oid in ids:
        try:
            snapshot, notes = whatif.read(inv.client, conf, [oid], change.hosts_down)
        except OneError as error:
            inv.warn(str(error))
            code = EXIT_FAILURE
            continue
        if not snapshot.hosts:
            vm = next(vm for vm in snapshot.vms if vm.id == oid)
            notes.append(vm.message or "The scheduler has said nothing about this machine yet")
            inv.out("\n".join([f"VM {oid}", *notes]))
            continue
        whatif.apply(snapshot, change, oid)
        answers.append(whatif.explain_vm(snapshot, conf, oid))
        if not inv.opts.json:
            shown = len(snapshot.hosts) if inv.opts.all else whatif_text.HOSTS_SHOWN
            inv.out("\n".join([*whatif_text.vm_lines(answers[-1], shown), *notes]))
    if inv.opts.json:
        print_json(inv, [whatif.as_json(answer) for answer in answers])
    return code


def _plan(inv: Any, conf: config.SchedConf, change: whatif.Change) -> int:
    snapshot, notes = whatif.read(inv.client, conf, (), change.hosts_down)
    whatif.apply(snapshot, change)
    made = whatif.make_plan(snapshot, conf)
    if inv.opts.json:
        print_json(inv, whatif.plan_as_json(made))
    else:
        inv.out("\n".join([*whatif_text.plan_lines(snapshot, made), *notes]))
    return 0


def print_json(inv: Any, value: object) -> None:
    """Print plain values as JSON."""
    import json

    inv.out(json.dumps(value, indent=2, ensure_ascii=False))
