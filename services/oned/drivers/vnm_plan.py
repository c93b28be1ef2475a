"""Steps of network drivers: each of the VM's interfaces' drivers, one after the other.

Source: sequence and argument order of the virtual machine driver of release 6.0.0.3.
"""

from __future__ import annotations

from functools import cached_property

from services.oned.drivers.step import Argument, Step
from services.oned.drivers.vm_context import Place, VmContext
from services.oned.drivers.vmm_data import network_xml


class Networks:
    """The network actions of one operation; all get the same document.

    is_clear: with the VM's secrets in clear, as the operation's hypervisor actions. only: the one driver that
    takes part, when it is one of the VM's; all of them without it.
    """

    def __init__(self, context: VmContext, *, is_clear: bool = False, only: str = "") -> None:
        self._context = context
        self._is_clear = is_clear
        self._only = only

    @cached_property
    def _document(self) -> str:
        return network_xml(self._context, is_clear=self._is_clear)

    def pre(self, place: Place, undo: tuple[Step, ...] = ()) -> list[Step]:
        """Before a machine starts or gets an interface."""
        return self._steps(place, "pre", (), undo)

    def post(self, place: Place, deploy_id: Argument, undo: tuple[Step, ...] = ()) -> list[Step]:
        """After it has started."""
        return self._steps(place, "post", (deploy_id, place.host), undo)

    def clean(self, place: Place) -> list[Step]:
        """After it has stopped."""
        return self._steps(place, "clean", (place.host,))

    def update_sg(self, place: Place, deploy_id: Argument) -> list[Step]:
        """The rules of its security groups have changed."""
        return self._steps(place, "update_sg", (deploy_id,))

    def _steps(
        self, place: Place, action: str, args: tuple[Argument, ...], undo: tuple[Step, ...] = ()
    ) -> list[Step]:
        context = self._context
        drivers, vmm = context.drivers, context.vmm
        steps = []
        for name in context.network_drivers():
            if self._only not in ("", name):
                continue
            is_local = vmm.is_local or action in vmm.options.local
            is_local |= f"{name}-{action}" in drivers.local_network_actions
            steps.append(
                Step(
                    "vnm",
                    name,
                    vmm.options.local.get(action, action),
                    args,
                    drivers.timeout_s("vnm", action),
                    host="" if is_local else place.host,
                    remote_folder=drivers.remote_folder,
                    stdin=self._document,
                    undo=undo,
                )
            )
        return steps
