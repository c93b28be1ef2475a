"""VMs that go to one host at once or not at all.

A host is tried by placing one VM after the other on it, each by its own expressions, rights and datastores,
and taking all of them back: what the plan then does is exactly what was tried.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from services.scheduler.candidates import VMClass
from services.scheduler.placing import Placing, Step
from services.scheduler.records import VM


class Together(VMClass):
    """The VMs of a company that has no host yet; parts: a class for each, in the order of the plan."""

    def __init__(self, parts: Sequence[VMClass], placing: Placing) -> None:
        leader = parts[0]
        error = next((_of(part, part.error) for part in parts if part.error), "")
        avoid = frozenset().union(*(part.avoid for part in parts))
        super().__init__(None if error else leader.candidates, error, avoid, leader.bond)
        self.vms.extend(part.vm for part in parts)
        self._parts = list(parts)
        self._placing = placing
        self._total = _total([part.vm for part in parts])

    @property
    def vm(self) -> VM:
        """A VM that needs what all of them need, disks aside: those may lie on several datastores."""
        return self._total

    @property
    def parts(self) -> list[VMClass]:
        return self._parts

    def find(self, round_number: int) -> int | None:
        found = self.candidates.search(self._total, self.avoid, round_number)
        return next((index for index in found if self.fits(index)), None)

    def fits(self, index: int) -> bool:
        done: list[Step] = []
        for part in self._parts:
            if not part.candidates.fits(index, part.vm, self.avoid, part.bond):
                break
            step = self._placing.place(part.candidates, part.vm, index)
            if step is None:
                break
            done.append(step)
        for step in reversed(done):
            self._placing.take_back(step)
        return len(done) == len(self._parts)


def _of(part: VMClass, error: str) -> str:
    return f"VM {part.vm.id}, which must share its host: {error}"


def _total(vms: Sequence[VM]) -> VM:
    images: dict[int, int] = {}
    for vm in vms:
        for datastore_id, size_mb in vm.image_mb:
            images[datastore_id] = images.get(datastore_id, 0) + size_mb
    return dataclasses.replace(
        vms[0],
        cpu=sum(vm.cpu for vm in vms),
        memory_kb=sum(vm.memory_kb for vm in vms),
        disk_mb=max(vm.disk_mb for vm in vms),
        image_mb=tuple(sorted(images.items())),
        nics=(),  # these are found for one VM after the other
        needs=None,
    )
