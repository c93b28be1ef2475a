"""What onevm does beyond a single call."""

from __future__ import annotations

import time
from typing import Any

from services.cli import documents, template_text, vm_options
from services.cli.errors import EXIT_FAILURE, CliError, closest
from services.cli.views import vm_states

_RECOVERIES = ("success", "failure", "retry", "delete", "recreate", "delete-db")
_POLL_FIRST_S, _POLL_MOST_S = 0.1, 1.0


def create(inv: Any) -> int:
    """Create one machine, or --multiple; prints an id a line."""
    described = vm_options.template(inv.opts, with_name=False)
    text = template_text.read(inv.args.get("file")) if inv.args.get("file") or not described else ""
    for index in range(inv.opts.multiple or 1):
        name = vm_options.numbered(inv.opts.name, index)
        head = "\n".join(filter(None, (f"NAME={template_text.quote(name)}" if name else "", described)))
        template = vm_options.merge(head, text)
        if inv.opts.dry:
            inv.out(template)
            return 0
        inv.out(f"ID: {inv.call('vm.allocate', template, bool(inv.opts.hold))}")
    return 0


def deploy(inv: Any) -> int:
    """Place machines on a host."""
    extra = template_text.read(inv.opts.file) if inv.opts.file else ""
    datastore = inv.args.get("datastoreid", -1)

    def place(oid: int) -> None:
        inv.call("vm.deploy", oid, inv.args["hostid"], bool(inv.opts.enforce), datastore, extra)

    return int(inv.each(inv.args["vmid_list"], place))


def recover(inv: Any) -> int:
    """Check that one operation is asked for, then do it."""
    given = [name for name in _RECOVERIES if getattr(inv.opts, name.replace("-", "_"))]
    if len(given) != 1:
        found = " and ".join(f"--{name}" for name in given) or "none"
        raise CliError(
            f"onevm recover: expected one of {', '.join('--' + name for name in _RECOVERIES)}, found {found}."
        )
    return int(inv.perform())


def wait(inv: Any) -> int:
    """Wait until a machine is in one of the states; 255 when it cannot get there or time is over."""
    oid = inv.args["vmid"]
    wanted = {word.upper() for word in inv.opts.state or ("RUNNING",)}
    known = {*vm_states.STATES, *vm_states.LCM_STATES}
    for word in sorted(wanted - known):
        best = closest(word, known)
        raise CliError(f"There is no VM state {word}." + (f" Did you mean {best}?" if best else ""))
    limit_s = inv.opts.timeout
    started, pause_s = time.monotonic(), _POLL_FIRST_S
    while True:
        vm = documents.parse(inv.call("vm.info", oid, False))
        state, lcm_state = vm_states.state_name(vm), vm_states.lcm_state_name(vm)
        shown = lcm_state if state == "ACTIVE" else state
        if wanted & {state, shown}:
            inv.out(f"VM {oid}: {shown}")
            return 0
        if state == "DONE" or shown.endswith("_FAILURE"):
            inv.warn(f"VM {oid}: is {shown} and will not become {' or '.join(sorted(wanted))}.")
            return EXIT_FAILURE
        waited_s = time.monotonic() - started
        if limit_s is not None and waited_s >= limit_s:
            inv.warn(f"VM {oid}: still {shown} after {limit_s:g} s, expected {' or '.join(sorted(wanted))}.")
            return EXIT_FAILURE
        time.sleep(pause_s if limit_s is None else min(pause_s, max(limit_s - waited_s, 0.01)))
        pause_s = min(pause_s * 1.5, _POLL_MOST_S)
