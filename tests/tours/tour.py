"""What every part of the tour uses: clients of users, refusals, waiting, what the zone holds."""

# ruff: noqa: SIM300 - fields of pyone's objects have capital letters, as constants have.
from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import pyone
from pyone.acl import OneAcl

PASSWORD = "a-good-one"
VISIBLE, ALL = -2, (-2, -1, -1)
_POOLS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("user", "group", "vdc", "cluster", "host", "datastore", "zone", "market"), ()),
    **dict.fromkeys(("image", "template", "vn", "secgroup", "vmgroup", "vntemplate", "vrouter"), ALL),
    "vm": (*ALL, -1),
    "document": (*ALL, 100),
}
_ENTRIES = {
    "vn": "VNET",
    "template": "VMTEMPLATE",
    "secgroup": "SECURITY_GROUP",
    "vmgroup": "VM_GROUP",
    "market": "MARKETPLACE",
}


class User:
    """A user of the zone: ``one`` is pyone with its password, ``uid`` its id."""

    def __init__(self, tour: Tour, name: str, uid: int) -> None:
        self.name, self.uid, self._tour = name, uid, tour
        self.one = self.by(PASSWORD)

    def by(self, secret: str) -> Any:
        """pyone with another secret of the user."""
        return self._tour.server(f"{self.name}:{secret}")


class Tour:
    """A front-end, seen as oneadmin (``one``) and as users that are made on the way."""

    def __init__(self, endpoint: str, session: str) -> None:
        self._endpoint = endpoint
        self._numbers = itertools.count(1)
        self._acl = OneAcl()
        self.one: Any = self.server(session)

    def server(self, session: str) -> Any:
        """pyone with any session string."""
        return pyone.OneServer(self._endpoint, session=session)

    # -- people --------------------------------------------------------------------------------------
    def name(self, what: str) -> str:
        """A name that nothing in the zone has."""
        return f"{what}-{os.getpid()}-{next(self._numbers)}"

    def group(self, what: str, *, in_default_vdc: bool = True) -> int:
        """A new group whose members may create what ``onegroup create`` lets them."""
        gid: int = self.one.group.allocate(self.name(what))
        self.allow(f"@{gid}", "VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+VROUTER+VMGROUP/*", "CREATE")
        if not in_default_vdc:
            self.one.vdc.delgroup(0, gid)
        return gid

    def user(self, what: str, *groups: int) -> User:
        """A new user of the core driver."""
        name = self.name(what)
        return User(self, name, self.one.user.allocate(name, PASSWORD, "core", list(groups)))

    def remove(self, users: Iterable[User] = (), groups: Iterable[int] = ()) -> None:
        """Delete users, then groups."""
        for user in users:
            self.one.user.delete(user.uid)
        for gid in groups:
            self.one.group.delete(gid)

    def allow(self, subject: str, resource: str, rights: str, zone: str = "") -> int:
        """Add a rule by its texts, as ``oneacl create`` does; without a zone in this one."""
        parts = [
            self._acl.parse_users(subject),
            self._acl.parse_resources(resource),
            self._acl.parse_rights(rights),
        ]
        rule: int = self.one.acl.addrule(*parts, *([self._acl.parse_zone(zone)] if zone else []))
        return rule

    # -- expectations --------------------------------------------------------------------------------
    def until(self, done: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
        """Return when ``done``; fail with what was waited for."""
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
            time.sleep(0.05)

    def vm_in(self, vm_id: int, state: str) -> None:
        """Wait until a VM is in a state: RUNNING, or a name of pyone.VM_STATE."""

        def there() -> bool:
            vm = self.one.vm.info(vm_id)
            if state == "RUNNING":
                return bool(vm.STATE == pyone.VM_STATE.ACTIVE and vm.LCM_STATE == pyone.LCM_STATE.RUNNING)
            return bool(vm.STATE == pyone.VM_STATE[state])

        self.until(there, f"VM {vm_id} in {state}")

    def end(self, *vm_ids: int) -> None:
        """Delete VMs and wait for their end."""
        for vm_id in vm_ids:
            self.one.vm.recover(vm_id, 3)
        for vm_id in vm_ids:
            self.vm_in(vm_id, "DONE")

    # -- the whole zone ------------------------------------------------------------------------------
    def contents(self) -> dict[str, list[Any]]:
        """What there is, by kind: (id, name) of every object, the rules, the default quotas."""
        found: dict[str, list[Any]] = {}
        for kind, args in _POOLS.items():
            pool = getattr(self.one, f"{kind}pool").info(*args)
            found[kind] = sorted((entry.ID, entry.NAME) for entry in getattr(pool, entry_name(kind)))
        found["acl"] = sorted(rule.STRING for rule in self.one.acl.info().ACL)
        # pyone reads default quotas as part of a user or group only.
        defaults = {
            "user quotas": self.one.user.info(0).DEFAULT_USER_QUOTAS,
            "group quotas": self.one.group.info(0).DEFAULT_GROUP_QUOTAS,
        }
        for name, quotas in defaults.items():
            found[name] = sorted(limits(quotas).items())
        return found


def entry_name(kind: str) -> str:
    """The element of a kind's pool that stands for one object."""
    return _ENTRIES.get(kind, kind.upper())


def ids(pool: Any, kind: str) -> list[int]:
    """The ids in a pool document, ascending."""
    return sorted(entry.ID for entry in getattr(pool, entry_name(kind)))


def limits(quotas: Any) -> dict[str, float]:
    """The limits that quotas set, by kind, id and metric (``DATASTORE 1 SIZE``); -1 and -2 set none."""
    return {name: value for name, value in _amounts(quotas) if not name.endswith("_USED") and value >= 0}


def used(quotas: Any) -> dict[str, float]:
    """What quotas count, by kind, id and metric (``VM CPU``), without what is 0."""
    return {name.removesuffix("_USED"): value for name, value in _amounts(quotas) if _counts(name, value)}


def _counts(name: str, value: float) -> bool:
    return name.endswith("_USED") and value != 0


def _amounts(quotas: Any) -> Iterator[tuple[str, float]]:
    for kind in ("VM", "DATASTORE", "NETWORK", "IMAGE"):
        document = getattr(quotas, f"{kind}_QUOTA")
        entries = getattr(document, kind) if document is not None else None
        for entry in entries if isinstance(entries, list) else [entries] if entries is not None else []:
            which = f"{kind} {entry.ID}" if hasattr(entry, "ID") else kind
            for name, value in vars(entry).items():
                if name.isupper() and name != "ID" and isinstance(value, int | float | str | Decimal):
                    yield f"{which} {name}", float(value)


def refused(expected: type[Exception], method: Callable[..., object], *args: object) -> str:
    """The text of a refusal, which must be of that class."""
    try:
        value = method(*args)
    except pyone.OneException as error:
        assert type(error) is expected, f"expected {expected.__name__}, found {error!r}"
        return str(error)
    raise AssertionError(f"expected {expected.__name__}, the call answered {value!r}")


def accepted_empty(method: Callable[..., object], *args: object) -> None:
    """A call whose answer is an empty text, which pyone accepts but cannot read."""
    try:
        method(*args)
    except IndexError:
        return
    raise AssertionError("the call did not answer an empty text")
