"""The clients of a storm: each asks for one thing after the other, whatever becomes of the front-end."""

from __future__ import annotations

import threading
import time
from random import Random
from typing import Any

from services.common.oca import Client, EndpointError, OneError
from services.oned.errors import Code
from tests.support.chaos import deeds, others
from tests.support.chaos.ledger import ACKNOWLEDGED, REFUSED, UNANSWERED, Ledger
from tests.support.chaos.world import World

_PAUSE_S = 0.06
_AWAY_S = 0.1


class Clients:
    """``start``, then ``stop``. vms: about how many live at a time."""

    def __init__(self, world: World, ledger: Ledger, seed: int, vms: int) -> None:
        self._stopping = threading.Event()
        self._threads = [
            _One(number, session, world, ledger, Random(f"{seed}/{number}"), vms, self._stopping)
            for number, session in enumerate(world.sessions)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; raises what went wrong in a client itself."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        for thread in self._threads:
            if thread.error is not None:
                raise thread.error


class _One(threading.Thread):
    def __init__(
        self,
        number: int,
        session: str,
        world: World,
        ledger: Ledger,
        rng: Random,
        vms: int,
        stopping: threading.Event,
    ) -> None:
        super().__init__(name=f"client-{number}")
        self.error: BaseException | None = None
        self._number, self._session = number, session
        self._world, self._ledger, self._rng = world, ledger, rng
        self._vms_wanted, self._stopping = vms, stopping
        self._client: Client = world.frontend.client(session)
        self._count = 0

    def run(self) -> None:
        """Ask until stopped."""
        try:
            while not self._stopping.is_set():
                self._turn()
                self._stopping.wait(self._rng.uniform(0, _PAUSE_S))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that stops the clients
            self.error = error

    def _turn(self) -> None:
        rng, world = self._rng, self._world
        dice = rng.random()
        if dice < 0.72:
            if len(world.vms) < self._vms_wanted and rng.random() < max(
                0.15, 1 - len(world.vms) / self._vms_wanted
            ):
                self._create_vm()
            else:
                self._use_vm()
        elif dice < 0.84:
            self._image()
        elif dice < 0.95:
            self._net()
        elif dice < 0.995:
            method, args = others.wrong_call(world, rng)
            outcome, _ = self._ask("wrong", method, *args)
            if outcome == ACKNOWLEDGED:
                self._ledger.fault(f"one.{method}{args} was not refused")
        else:
            world.upset_host(rng)

    # -- calls -------------------------------------------------------------------------------------------
    def _ask(self, deed: str, method: str, *args: Any) -> tuple[str, Any]:
        try:
            outcome, value = ACKNOWLEDGED, self._client.call(method, *args)
        except (EndpointError, OSError):
            self._client.close()
            self._client = self._world.frontend.client(self._session)
            time.sleep(_AWAY_S)
            outcome, value = UNANSWERED, None
        except OneError as error:
            # The database was lost: at the commit nobody knows whether it still counted.
            outcome, value = (UNANSWERED if error.code == Code.INTERNAL else REFUSED), None
        self._ledger.count(deed, outcome)
        return outcome, value

    def _new_name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._number}-{self._count}"

    def _make(self, kind: str, name: str, method: str, *args: Any) -> int | None:
        outcome, oid = self._ask(method, method, *args)
        if outcome != REFUSED:
            self._ledger.created(kind, name, oid)
        return oid if outcome == ACKNOWLEDGED else None

    def _note(self, kind: str, method: str, oid: int) -> None:
        """Write a note that nobody else writes; its name tells it from those that a copy brings along."""
        self._count += 1
        note, value = f"NOTE_{self._number}_{oid}", f"v{self._count}"
        outcome, _ = self._ask("note", method, oid, f'{note}="{value}"', 1)
        self._ledger.noted(kind, oid, note, value, outcome)

    # -- VMs ---------------------------------------------------------------------------------------------
    def _create_vm(self) -> None:
        rng, world = self._rng, self._world
        name = self._new_name("vm")
        mood = world.mood(rng)
        parts = [f'NAME="{name}" CPU=0.0{rng.randint(1, 5)} MEMORY={rng.randint(1, 8)}']
        if rng.random() < 0.7:
            parts.append(f"DISK=[IMAGE_ID={world.os}]")
        if rng.random() < 0.3:
            parts.append(f"DISK=[IMAGE_ID={world.any_of(rng, world.images)}]")
        if rng.random() < 0.4:
            parts.append("DISK=[TYPE=fs,SIZE=5,FORMAT=raw]")
        if rng.random() < 0.7:
            parts.append(f"NIC=[NETWORK_ID={world.lan}]")
        if rng.random() < 0.2:
            parts.append(f"NIC=[NETWORK_ID={world.any_of(rng, world.nets)}]")
        if rng.random() < 0.5:
            parts.append("GRAPHICS=[TYPE=VNC,LISTEN=0.0.0.0]")
        if rng.random() < 0.5:
            parts.append("CONTEXT=[NETWORK=YES]")
        if rng.random() < 0.3:
            # What is in the document wins, and is all that network drivers hear of.
            parts.append(f"DUMMY=[{mood}]")
        vm_id = self._make("VM", name, "vm.allocate", " ".join(parts), rng.random() < 0.2)
        if vm_id is not None:
            world.set_mood(vm_id, mood)
            world.add(world.vms, vm_id)

    def _use_vm(self) -> None:
        rng, world = self._rng, self._world
        vm_id = world.any_of(rng, world.vms)
        outcome, body = self._ask("vm.info", "vm.info", vm_id, False)
        if outcome != ACKNOWLEDGED:
            return
        view = deeds.View.of(body)
        if view.condition == "DONE":
            world.drop(world.vms, vm_id)
            return
        dice = rng.random()
        if dice < 0.10:
            self._note("VM", "vm.update", vm_id)
        elif dice < 0.14:
            world.set_mood(vm_id, world.mood(rng))
        elif dice < 0.17:
            action = rng.choice(("poweroff", "resume", "suspend", "terminate-hard"))
            self._ask("plan", "vm.update", vm_id, f'SCHED_ACTION=[ACTION="{action}",TIME="+2"]', 1)
        else:
            self._do(deeds.choose(rng, view), view)

    def _do(self, deed: deeds.Deed, view: deeds.View) -> None:
        args = deed.arguments(self._world, self._rng, view)
        if deed.method == "vm.recover":
            self._ledger.recovered.add(view.id)
        if deed.method == "vm.action":
            outcome, _ = self._ask(deed.name, deed.method, *args, view.id)
        else:
            outcome, _ = self._ask(deed.name, deed.method, view.id, *args)
        if outcome == ACKNOWLEDGED:
            self._ledger.done(view.id, deed.name)

    # -- images and networks -----------------------------------------------------------------------------
    def _image(self) -> None:
        rng, world = self._rng, self._world
        dice = rng.random()
        made: int | None = None
        if dice < 0.35:
            name = self._new_name("image")
            text = others.image_template(world, rng, name)
            made = self._make("IMAGE", name, "image.allocate", text, world.store, False)
        elif dice < 0.45:
            name = self._new_name("copy")
            made = self._make("IMAGE", name, "image.clone", world.any_of(rng, world.images), name, -1)
        elif dice < 0.60:
            image = world.any_of(rng, world.images)
            outcome, _ = self._ask("image.delete", "image.delete", image)
            self._ledger.deleted("IMAGE", image, outcome)
            if outcome == ACKNOWLEDGED:
                world.drop(world.images, image)
        elif dice < 0.75:
            self._note("IMAGE", "image.update", world.any_of(rng, world.images))
        else:
            method, args = others.image_call(world, rng)
            self._ask(method, method, *args)
        if made is not None:
            world.add(world.images, made)

    def _net(self) -> None:
        rng, world = self._rng, self._world
        dice = rng.random()
        made: int | None = None
        if dice < 0.30:
            name = self._new_name("net")
            made = self._make("VNET", name, "vn.allocate", others.net_template(rng, name), -1)
        elif dice < 0.40:
            name = self._new_name("mine")
            reservation = f'NAME="{name}" SIZE={rng.randint(1, 6)}'
            net = rng.choice([world.lan, *world.nets])
            made = self._make("VNET", name, "vn.reserve", net, reservation)
        elif dice < 0.55:
            net = world.any_of(rng, world.nets)
            outcome, _ = self._ask("vn.delete", "vn.delete", net)
            self._ledger.deleted("VNET", net, outcome)
            if outcome == ACKNOWLEDGED:
                world.drop(world.nets, net)
        elif dice < 0.68:
            self._note("VNET", "vn.update", world.any_of(rng, world.nets))
        else:
            method, args = others.net_call(world, rng)
            self._ask(method, method, *args)
        if made is not None:
            world.add(world.nets, made)
