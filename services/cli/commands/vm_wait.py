"""``onevm wait``: until machines are in a state."""

from __future__ import annotations

import time
from typing import Any

from services.cli import documents
from services.cli.errors import EXIT_FAILURE, CliError, closest
from services.cli.progress import Progress
from services.cli.views import vm_states

_POLL_FIRST_S, _POLL_MOST_S = 0.1, 1.0


def wait(inv: Any) -> int:
    """Wait for each machine; 255 when one cannot get there or time is over."""
    wanted = {word.upper() for word in inv.opts.state or ("RUNNING",)}
    known = {*vm_states.STATES, *vm_states.LCM_STATES}
    for word in sorted(wanted - known):
        best = closest(word, known)
        raise CliError(f"There is no VM state {word}." + (f" Did you mean {best}?" if best else ""))
    limit_s, started = inv.opts.timeout, time.monotonic()
    with Progress() as progress:
        codes = [_wait_for(inv, oid, wanted, limit_s, started, progress) for oid in inv.args["vmid_list"]]
    return max(codes, default=0)


def _wait_for(
    inv: Any, oid: int, wanted: set[str], limit_s: float | None, started: float, progress: Progress
) -> int:
    pause_s = _POLL_FIRST_S
    goal = " or ".join(sorted(wanted))
    while True:
        vm = documents.parse(inv.call("vm.info", oid, False))
        state, lcm_state = vm_states.state_name(vm), vm_states.lcm_state_name(vm)
        shown = lcm_state if state == "ACTIVE" else state
        if wanted & {state, shown}:
            progress.clear()
            inv.out(f"VM {oid}: {shown}")
            return 0
        if state == "DONE" or shown.endswith("_FAILURE"):
            progress.clear()
            inv.warn(f"VM {oid}: is {shown} and will not become {goal}.")
            return EXIT_FAILURE
        waited_s = time.monotonic() - started
        if limit_s is not None and waited_s >= limit_s:
            progress.clear()
            inv.warn(f"VM {oid}: still {shown} after {limit_s:g} s, expected {goal}.")
            return EXIT_FAILURE
        progress.show(f"VM {oid}: {shown}, waiting for {goal}")
        time.sleep(pause_s if limit_s is None else min(pause_s, max(limit_s - waited_s, 0.01)))
        pause_s = min(pause_s * 1.5, _POLL_MOST_S)
