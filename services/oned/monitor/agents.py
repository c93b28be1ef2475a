"""Starting and stopping the agents that report from the nodes: as jobs, which the engine runs.

Hosts of polled drivers have no agent; the engine asks them.
"""

from __future__ import annotations

from services.oned.drivers.im_plan import MONITOR, START, STOP
from services.oned.drivers.table import POLLED_IM_DRIVERS
from services.oned.model.host import Host
from services.oned.store import Tx, jobs


def is_polled(host: Host) -> bool:
    """Whether the engine asks the host, so that nothing has to run on the node."""
    return host.im_mad in POLLED_IM_DRIVERS


def start(tx: Tx, host: Host) -> bool:
    """Start a host's agent (anew), or ask the host, soon; False when that is due already."""
    operation = MONITOR if is_polled(host) else START
    if operation in jobs.operations(tx, "HOST", host.oid):
        return False
    jobs.add(tx, kind="HOST", oid=host.oid, operation=operation, driver=host.im_mad, host=host.name)
    return True


def stop(tx: Tx, host: Host, node: str = "") -> None:
    """Drop what is waiting for a host and end its agent; node: where that runs, if not at the host's name."""
    jobs.cancel(tx, "HOST", host.oid)
    if not is_polled(host):
        jobs.add(tx, kind="HOST", oid=host.oid, operation=STOP, driver=host.im_mad, host=node or host.name)
