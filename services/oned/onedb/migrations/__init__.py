"""Steps from the tables of one release to those of the next, for the shared and for the local tables.

A step has two parts. ``alter`` changes tables; MySQL cannot take that back, so it may run again after an
interruption. ``rewrite`` changes documents, in one transaction with the record that the step was taken. The
list grows at its end only. Source: the differences between the databases of releases 5.10, 5.12 and 6.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.oned.onedb.migrations import from_5_10, from_5_12
from services.oned.store import Tx

Part = Callable[[Tx], None]


@dataclass(frozen=True)
class Step:
    """From one version to the next."""

    origin: str
    target: str
    alter: tuple[Part, ...] = ()
    rewrite: tuple[Part, ...] = ()


SHARED = (
    Step("5.10.0", "5.12.0", (from_5_10.rename_acl_user,), (from_5_10.add_dockerhub,)),
    Step("5.12.0", "6.0.0"),
)
LOCAL = (
    Step(
        "5.10.0",
        "5.12.0",
        (from_5_10.drop_times,),
        (
            from_5_10.rename_service_networks,
            from_5_10.rewrite_hosts,
            from_5_10.rewrite_vms,
            from_5_10.rewrite_samples,
        ),
    ),
    Step("5.12.0", "6.0.0", (), (from_5_12.rewrite_images, from_5_12.rewrite_owners)),
)


def path(steps: tuple[Step, ...], version: str, target: str) -> list[Step] | None:
    """The steps from a version to another one, or None when there is no way."""
    found: list[Step] = []
    while version != target:
        step = next((step for step in steps if step.origin == version), None)
        if step is None:
            return None
        found.append(step)
        version = step.target
    return found


def origins() -> list[str]:
    """The versions that can be upgraded."""
    return [step.origin for step in LOCAL]
