"""Answers of whatif.py as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from services.scheduler.plan import Plan
from services.scheduler.records import Snapshot
from services.scheduler.whatif import HostAnswer, VMAnswer

#: Hosts that an answer about a VM lists.
HOSTS_SHOWN = 20


def vm_lines(answer: VMAnswer, hosts_shown: int = HOSTS_SHOWN) -> list[str]:
    """Why a VM waits, or where it goes, and a table of hosts."""
    if answer.host_id is not None:
        rank = (answer.rank or 0.0) + 0.0
        lines = [
            f"VM {answer.vm_id} gets host {answer.host_name} ({answer.host_id}), datastore {answer.ds_id}, "
            f"rank {rank:g}"
        ]
    else:
        lines = [f"VM {answer.vm_id} waits", *answer.reason.split(". ")]
    if not answer.hosts:
        return lines
    rows = [("HOST", "NAME", "RANK", "IN THE WAY")]
    for one in answer.hosts[:hosts_shown]:
        rank_text = "-" if one.rank is None else f"{one.rank + 0.0:g}"
        rows.append((str(one.host_id), one.name, rank_text, "; ".join(one.obstacles) or "nothing, it fits"))
    left = len(answer.hosts) - hosts_shown
    more = [f"and {left} more hosts with as much in the way, or more"] if left > 0 else []
    return [*lines, "", *_table(rows), *more]


def host_lines(answer: HostAnswer) -> list[str]:
    """What a host gets of the VMs that wait."""
    lines = [
        f"Host {answer.name} ({answer.host_id}): {answer.free_cpu_percent}% CPU and "
        f"{answer.free_memory_mb} MB memory free",
    ]
    if answer.state:
        lines.append(f"It gets no VMs: the host is {answer.state}")
    waiting = len(answer.coming) + len(answer.elsewhere) + sum(len(vms) for _, vms in answer.blocked)
    if not waiting:
        return [*lines, "No VM waits for a place"]
    lines.append(f"{waiting} VMs wait for a place")
    rows = [("VMS", "IDS", "WHAT BECOMES OF THEM")]
    if answer.coming:
        rows.append((str(len(answer.coming)), _ids(answer.coming), "come to this host"))
    if answer.elsewhere:
        rows.append((str(len(answer.elsewhere)), _ids(list(answer.elsewhere)), "get another host"))
    for text, vm_ids in answer.blocked:
        rows.append((str(len(vm_ids)), _ids(vm_ids), f"wait; here: {text}"))
    return [*lines, "", *_table(rows)]


def plan_lines(snapshot: Snapshot, made: Plan) -> list[str]:
    """A plan: each VM with its place, then those that wait, with the reason."""
    names = {host.id: host.name for host in snapshot.hosts}
    rows = [("VM", "HOST", "NAME", "DATASTORE", "RANK", "ROUND")]
    for one in made.dispatches:
        place = (str(one.host_id), names[one.host_id], str(one.ds_id), f"{one.rank + 0.0:g}", str(one.round))
        rows.append((str(one.vm_id), *place))
    lines = [f"{len(made.dispatches)} VMs get a place, {len(made.refusals)} wait"]
    if made.dispatches:
        lines += ["", *_table(rows)]
    if made.refusals:
        lines += ["", *(f"VM {vm_id}: {made.refusals[vm_id].text()}" for vm_id in sorted(made.refusals))]
    return lines


def _ids(vm_ids: Sequence[int]) -> str:
    shown = ",".join(map(str, sorted(vm_ids)[:8]))
    return shown if len(vm_ids) <= 8 else f"{shown},..."


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
