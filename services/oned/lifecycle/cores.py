"""Virtual CPUs of a VM that is resized, spread over the cores of its topology."""

from __future__ import annotations

from services.common.template import Template
from services.oned.errors import AllocateError
from services.oned.lifecycle import topology
from services.oned.lifecycle.numbers import whole


def spread(template: Template, vcpu: int) -> None:
    """Fit CORES of a TOPOLOGY to so many virtual CPUs, and complete it; nothing without one.

    Raises AllocateError when they are no multiple of its threads.
    """
    shape = template.get_vector("TOPOLOGY")
    if shape is None:
        return
    sockets, cores, threads = (whole(shape.get(name)) or 0 for name in ("SOCKETS", "CORES", "THREADS"))
    if sockets and cores and threads and sockets * cores * threads != vcpu:
        if vcpu % (sockets * threads):
            raise AllocateError(
                f"new VCPU {vcpu} is not multiple of the total number of threads {sockets * threads}"
            )
        shape["CORES"] = str(vcpu // (sockets * threads))
    template.remove("NUMA_NODE")
    topology.settle(template)
