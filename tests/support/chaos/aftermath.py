"""After a storm: the front-end comes to rest by itself, and then everything is as it must be.

Each function answers what is wrong, one line each.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from random import Random
from xml.etree import ElementTree

from services.common.oca import Client, OneError
from services.oned import config
from services.oned.lifecycle.states import state_name
from services.oned.lifecycle.transitions import STABLE, TABLE
from services.oned.store import Store, Tx, clusters, jobs
from services.oned.store.vlans import VlanMap
from tests.support.chaos.deeds import DEEDS
from tests.support.chaos.ledger import Ledger
from tests.support.chaos.world import World, wait

_TIMED = "('HOST', 'DATASTORE', 'MARKETPLACE')"  # asked again all the time
_IMAGE_AT_REST = {"1", "2", "3", "5", "8"}  # READY, USED, DISABLED, ERROR, USED_PERS
_BAD_LINES = ("No driver works on", "is stuck, and cannot")
_SUMMARY = ("Total errors", "A copy of this output")
_RETRY, _DELETE = 2, 3
_WAIT_S = 150.0


class Aftermath:
    """Looks at a front-end whose programs run and of which nobody asks anything any more."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world, self._ledger = world, ledger
        self._client: Client = world.frontend.client()
        conf = config.load(world.frontend.folder / "etc/oned.conf")
        self._store = Store.open(replace(conf.db, path=world.frontend.folder / "var/one.db"))

    # -- coming to rest ----------------------------------------------------------------------------------
    def settle(self) -> list[str]:
        """Wait until no VM and no image is under way, and no job is left."""
        world = self._world
        world.frontend.wait_ready(60)
        unrest: list[str] = []

        def is_quiet() -> bool:
            unrest[:] = [*self._under_way(), *self._work()]
            return not unrest

        try:
            wait(is_quiet, "at rest", _WAIT_S)
            wait(lambda: not any(self._store.read_value(jobs.counts).values()), "no job", 60, step_s=0.02)
        except AssertionError as error:
            return [f"{error}: {'; '.join(unrest[:20])}"]
        return []

    def conditions(self) -> dict[int, str]:
        """The condition of every VM there ever was."""
        rows = self._rows("SELECT oid, state, lcm_state FROM vm_pool ORDER BY oid")
        return {int(oid): state_name(int(state), int(lcm)) for oid, state, lcm in rows}

    def _under_way(self) -> list[str]:
        found = [
            f"vm {vm_id} {condition}"
            for vm_id, condition in self.conditions().items()
            if condition not in STABLE and not condition.endswith("_FAILURE")
        ]
        for (body,) in self._rows("SELECT body FROM image_pool"):
            image = ElementTree.fromstring(body)
            if image.findtext("STATE") not in _IMAGE_AT_REST:
                found.append(f"image {image.findtext('ID')} in state {image.findtext('STATE')}")
        return found

    def _work(self) -> list[str]:
        rows = self._rows(f"SELECT kind, oid, operation, state FROM onebox_job WHERE kind NOT IN {_TIMED}")
        return [f"job {kind} {oid} {operation} state {state}" for kind, oid, operation, state in rows]

    def _rows(self, sql: str) -> list[tuple[str, ...]]:
        return self._store.read_value(lambda tx: tx.all(sql))

    # -- nothing lost ------------------------------------------------------------------------------------
    def lost(self) -> list[str]:
        """Acknowledged calls of which nothing is to be seen, and objects that were made twice."""
        return [*self._lost_objects(), *self._lost_notes(), *self._lost_events()]

    def _lost_objects(self) -> list[str]:
        ledger, found = self._ledger, []
        for kind, table in (("VM", "vm_pool"), ("IMAGE", "image_pool"), ("VNET", "network_pool")):
            rows = self._rows(f"SELECT oid, name FROM {table}")
            names = Counter(name for _, name in rows)
            there = {int(oid): name for oid, name in rows}
            for (made_kind, name), oid in ledger.made.items():
                if made_kind != kind:
                    continue
                if names[name] > 1:
                    found.append(f"{kind} {name} was made {names[name]} times")
                is_deleted = (kind, oid) in ledger.gone or (kind, oid) in ledger.maybe_gone
                if oid is not None and not is_deleted and there.get(oid) != name:
                    found.append(f"{kind} {oid} ({name}) was acknowledged, but is not there")
            if kind == "VNET":
                found += [
                    f"VNET {oid} is there, though its deletion was acknowledged"
                    for gone_kind, oid in ledger.gone
                    if gone_kind == kind and oid in there
                ]
        return found

    def _lost_notes(self) -> list[str]:
        tables = {"VM": "vm_pool", "IMAGE": "image_pool", "VNET": "network_pool"}
        bodies = {
            (kind, int(oid)): body
            for kind, table in tables.items()
            for oid, body in self._rows(f"SELECT oid, body FROM {table}")
        }
        found = []
        for (kind, oid, note), values in self._ledger.notes.items():
            body = bodies.get((kind, oid))
            if body is None:
                continue  # deleted; whether that was asked for is looked at elsewhere
            template = "USER_TEMPLATE" if kind == "VM" else "TEMPLATE"
            value = ElementTree.fromstring(body).findtext(f"{template}/{note}") or ""
            if value not in values:
                found.append(f"{kind} {oid}: {note} is {value!r}, expected one of {values}")
        return found

    def _lost_events(self) -> list[str]:
        """Acknowledged actions after which the VM never came to the state that they lead to."""
        entered, found = self._entered(), []
        for deed in DEEDS:
            targets = {
                row.target for (_, event), row in TABLE.items() if event.partition("/")[0] in deed.events
            }
            if "=" in targets:
                continue
            for vm_id, done in self._ledger.did.items():
                times = sum(entered[vm_id, target] for target in targets)
                if times < done[deed.name]:
                    text = f"vm {vm_id}: {deed.name} was acknowledged {done[deed.name]} times"
                    found.append(f"{text}, but the VM was {times} times in one of {sorted(targets)}")
        return found

    def _entered(self) -> Counter[tuple[int, str]]:
        """How often each VM came to each condition."""
        entered: Counter[tuple[int, str]] = Counter()
        for oid, text in self._rows("SELECT oid, payload FROM onebox_event WHERE object = 'VM'"):
            payload = json.loads(text)
            if "lcm_state" in payload:
                entered[int(oid), state_name(payload["state"], payload["lcm_state"])] += 1
        return entered

    # -- no contradiction --------------------------------------------------------------------------------
    def contradictions(self, when: str) -> list[str]:
        """What ``onedb fsck`` finds."""
        run = self._world.frontend.run("onedb", "fsck", "--dry-run")
        if run.returncode == 0 and run.stdout.startswith("Total errors found: 0\n"):
            return []
        told = (run.stdout + run.stderr).splitlines()
        return [f"onedb fsck {when}: {line}" for line in told if line and not line.startswith(_SUMMARY)][:20]

    def wrong_machines(self) -> list[str]:
        """VMs whose machine is not where their document says.

        Left out are those of which somebody has said how a driver's work ended, and those that were moved
        away from a host that could not be reached, where their machine may have gone on.
        """
        machines, folders, entered = self._world.machines(), self._world.folders(), self._entered()
        found = []
        for vm_id, condition in self.conditions().items():
            if vm_id in self._ledger.recovered or entered[vm_id, "PROLOG_MIGRATE_UNKNOWN"]:
                continue
            where = sorted(machines.get(vm_id, []))
            if condition == "RUNNING":
                host = ElementTree.fromstring(self._client.call("vm.info", vm_id, False)).findall(
                    "HISTORY_RECORDS/HISTORY/HOSTNAME"
                )[-1]
                if where != [host.text]:
                    found.append(f"vm {vm_id} is RUNNING on {host.text}, its machine is on {where}")
            elif vm_id in self._world.troubled or condition not in STABLE:
                continue
            elif condition != "UNKNOWN" and where:
                found.append(f"vm {vm_id} is {condition}, but its machine is on {where}")
            if condition == "DONE" and folders.get(vm_id) and vm_id not in self._world.troubled:
                found.append(f"vm {vm_id} is DONE, but has left {[str(one) for one in folders[vm_id]]}")
        return found

    def bad_log_lines(self) -> list[str]:
        """Faults that only the logs tell of."""
        folder = self._world.frontend.folder
        found: Counter[str] = Counter()
        for path in [*folder.glob("var/*.log"), *folder.glob("*.out")]:
            if path.name.removesuffix(".log").isdigit():
                continue
            lines = iter(path.read_text(errors="replace").splitlines())
            for line in lines:
                if "Traceback (most recent call last)" in line:
                    ends = [next(lines, "")]
                    while ends[-1].startswith(" "):
                        ends.append(next(lines, ""))
                    found[f"{path.name}: {' / '.join(one.strip() for one in ends[-5:])}"] += 1
                found.update(f"{path.name}: {bad}" for bad in _BAD_LINES if bad in line)
        return [f"{line} ({count} times)" for line, count in found.items()]

    # -- a way out of every failure ----------------------------------------------------------------------
    def recover(self, rng: Random) -> tuple[Counter[str], list[str]]:
        """Recover every VM that has failed, now that drivers are well; which states were left, and faults."""
        world = self._world
        world.calm()
        wait(
            lambda: self._client.call("hostpool.info").count("<STATE>2</STATE>") == len(world.hosts),
            "hosts monitored again",
        )
        failed = self._failed()
        found = []
        for vm_id in failed:
            # What the document says of the drivers wins over everything.
            self._client.call("vm.update", vm_id, 'DUMMY=[FAIL="nothing"]', 1)
            found += self._recover(vm_id, rng.choice((_RETRY, _RETRY, _DELETE)))
        found += self.settle()
        for vm_id in self._failed():
            found += self._recover(vm_id, _DELETE)
        found += self.settle()
        found += [
            f"vm {vm_id} is {state} even when it was deleted" for vm_id, state in self._failed().items()
        ]
        return Counter(failed.values()), found

    def _failed(self) -> dict[int, str]:
        return {vm_id: state for vm_id, state in self.conditions().items() if state.endswith("_FAILURE")}

    def _recover(self, vm_id: int, operation: int) -> list[str]:
        try:
            self._client.call("vm.recover", vm_id, operation)
        except OneError as error:
            if operation == _DELETE:
                return [f"vm {vm_id} cannot be recovered: {error}"]
            return self._recover(vm_id, _DELETE)
        return []

    # -- nothing leaked ----------------------------------------------------------------------------------
    def leaked(self) -> list[str]:
        """End every VM and delete every network; what is still taken, without asking the check."""
        for vm_id, condition in self.conditions().items():
            if condition != "DONE":
                self._client.call("vm.recover", vm_id, _DELETE)
        found = self.settle()
        found += [
            f"vm {vm_id} is {condition} after it was deleted"
            for vm_id, condition in self.conditions().items()
            if condition != "DONE"
        ]
        found += self._end_networks()
        found += self._store.read_value(_still_taken)
        for body in (body for (body,) in self._rows("SELECT body FROM host_pool")):
            share = ElementTree.fromstring(body).find("HOST_SHARE")
            for name in ("CPU_USAGE", "MEM_USAGE", "DISK_USAGE", "RUNNING_VMS"):
                if share is not None and share.findtext(name) not in ("0", None):
                    found.append(f"a host's {name} is {share.findtext(name)} without any VM")
        for body in (body for (body,) in self._rows("SELECT body FROM image_pool")):
            image = ElementTree.fromstring(body)
            if image.findtext("RUNNING_VMS") != "0":
                found.append(f"image {image.findtext('ID')}: RUNNING_VMS without any VM")
        return found

    def _end_networks(self) -> list[str]:
        found = []
        nets = [ElementTree.fromstring(body) for (body,) in self._rows("SELECT body FROM network_pool")]
        # Reservations give their leases back to the network that they are from.
        for net in sorted(nets, key=lambda one: -int(one.findtext("ID") or 0)):
            oid = int(net.findtext("ID") or -1)
            now = ElementTree.fromstring(self._client.call("vn.info", oid, False))
            for lease in now.findall("AR_POOL/AR/LEASES/LEASE"):
                if lease.findtext("VM") == "-1" and lease.findtext("VNET") is None:
                    self._client.call("vn.release", oid, f"LEASES=[IP={lease.findtext('IP')}]")
            try:
                self._client.call("vn.delete", oid)
            except OneError as error:
                found.append(f"network {oid} holds leases without any VM: {error}")
        return found

    def close(self) -> None:
        """Let the database go."""
        self._store.close()


def _still_taken(tx: Tx) -> list[str]:
    found = [
        f"VLAN ids {taken} are taken without any network" for taken in [VlanMap.read(tx).taken()] if taken
    ]
    for cluster_id, ports in clusters.all_ports(tx).items():
        if ports:
            numbers = [port for port in range(ports.bit_length()) if ports >> port & 1]
            found.append(f"cluster {cluster_id}: VNC ports {numbers} are taken without any VM")
    return found
