"""Asking a user's driver, and what follows: groups kept up to date, users made at their first login.

All of this runs outside of the transaction of the call that caused it (see outside.py): a directory server
that takes its time holds no connection and no lock, and only some of the threads.
Source: user authentication of release 6.0.0.3.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

from services.oned.auth import accounts, drivers, password
from services.oned.auth.drivers import Answer, Context, Login, Refusal
from services.oned.config import OnedConf
from services.oned.errors import AuthenticationError, RequestError
from services.oned.model.group import USERS_ID, Group
from services.oned.model.user import CORE, User
from services.oned.store import Store, Tx, pools

_log = logging.getLogger("AuM")
_UNKNOWN_PASSWORD = "-"  # what drivers get for a user that is not known, as in OpenNebula
_DRIVER_WAIT_S = 2.0
PASSWORD_WAIT_S = 10.0  # proofs are short: a crowd of first logins gets through in that time
_GROUP = re.compile(r"(\*?)(\d+)")
_lock = threading.Lock()
_turns: dict[int, threading.BoundedSemaphore] = {}


@dataclass(slots=True)
class _Line:
    """A driver's line: ``<driver> <user name> <password> [[*]<group id> ...]``."""

    driver: str = ""
    name: str = ""
    password: str = field(default="", repr=False)
    gids: list[int] = field(default_factory=list)
    admin_of: set[int] = field(default_factory=set)


def known_user(store: Store, conf: OnedConf, uid: int, driver: str, login: Login) -> Answer:
    """What a user's driver answers; the groups are set first, where it manages them.

    Raises AuthenticationError.
    """
    answer = _ask(store, conf, driver, login)
    if not accounts.driver_allows(conf, driver, "DRIVER_MANAGED_GROUPS"):
        return answer
    try:
        line = _parsed(answer.message)
        if line.gids and _is_new(store, conf, uid, driver, line):
            store.run(lambda tx: _set_groups(tx, conf, uid, driver, line))
    except RequestError as error:
        _refuse(login.name, f"the answer of driver {driver}: {error.message}")
    return answer


def stranger(store: Store, conf: OnedConf, name: str, secret: str) -> int:
    """The id of a user that is made because DEFAULT_AUTH accepts a name that nobody has.

    Raises AuthenticationError.
    """
    driver = default_driver(conf)
    answer = _ask(store, conf, driver, Login(name, _UNKNOWN_PASSWORD, secret))
    try:
        line = _parsed(answer.message)
        stored = password.hashed(line.password) if line.driver == CORE and line.password else line.password
        gids = line.gids or [USERS_ID]
        admin_of = line.admin_of if _manages_admins(conf, line.driver) else set()

        def create(tx: Tx) -> int:
            made = _made_meanwhile(tx, name, line)
            if made is not None:
                return made
            accounts.check_new(tx, line.name, line.password)
            return accounts.create(tx, line.name, stored, line.driver, gids, admin_of).oid

        uid = store.run(create)
    except RequestError as error:
        _refuse(name, f"driver {driver} accepts, but the user cannot be created: {error.message}")
    _log.info("User %d, %r, was created at the first login with driver %s.", uid, line.name, line.driver)
    return uid


def _made_meanwhile(tx: Tx, name: str, line: _Line) -> int | None:
    """The user of that very name, whom another call of the same stranger has just made."""
    body = pools.body_by_name(tx, User.TABLE, name) if line.name == name else None
    if body is None:
        return None
    user = User.from_xml(body)
    return user.oid if user.enabled and user.auth_driver == line.driver else None


def default_driver(conf: OnedConf) -> str:
    """The driver that is asked for names that nobody has."""
    return conf.default_auth or "default"


# -- the driver --------------------------------------------------------------------------------------------
def _ask(store: Store, conf: OnedConf, driver: str, login: Login) -> Answer:
    context = Context(conf, lambda attribute: _group_ids(store, attribute))
    try:
        with turn(conf):
            return drivers.ask(conf, driver, login, context)
    except Refusal as refusal:
        _refuse(login.name, f"driver {driver}: {refusal}")


@contextmanager
def turn(conf: OnedConf, wait_s: float = _DRIVER_WAIT_S) -> Iterator[None]:
    """Leave some of the API's threads to callers who need nothing slow. Raises Refusal when none is free."""
    most = max(1, conf.api_threads - 2)
    with _lock:
        turns = _turns.setdefault(most, threading.BoundedSemaphore(most))
    if not turns.acquire(timeout=wait_s):
        raise Refusal("too many logins wait for an answer, try again")
    try:
        yield
    finally:
        turns.release()


def _refuse(name: str, reason: str) -> NoReturn:
    _log.info("User %.40r refused: %s.", name, reason)
    raise AuthenticationError


def _parsed(message: str) -> _Line:
    words = message.split()
    driver, name, secret = [*words[:3], "", "", ""][:3]
    line = _Line(driver, name, secret)
    for word in words[3:]:
        found = _GROUP.fullmatch(word)
        if found is None:
            raise RequestError("One or more group IDs are malformed")
        gid = int(found[2])
        if gid not in line.gids:
            line.gids.append(gid)
        if found[1]:
            line.admin_of.add(gid)
    return line


# -- what follows ------------------------------------------------------------------------------------------
def _is_new(store: Store, conf: OnedConf, uid: int, driver: str, line: _Line) -> bool:
    """Whether the line differs from the database; most logins change nothing, and need no lock."""
    with store.read() as tx:
        body = pools.body(tx, User.TABLE, uid)
        if body is None:
            return False
        user = User.from_xml(body)
        if set(user.groups) != set(line.gids):
            return True
        return _manages_admins(conf, driver) and _administered(tx, user) != line.admin_of


def _set_groups(tx: Tx, conf: OnedConf, uid: int, driver: str, line: _Line) -> None:
    user = User.find(tx, uid)
    if user is not None and user.auth_driver == driver:
        admin_of = line.admin_of if _manages_admins(conf, driver) else None
        accounts.set_groups(tx, user, line.gids, admin_of)


def _manages_admins(conf: OnedConf, driver: str) -> bool:
    return accounts.driver_allows(conf, driver, "DRIVER_MANAGED_GROUP_ADMIN")


def _administered(tx: Tx, user: User) -> set[int]:
    found = set()
    for gid in user.groups:
        body = pools.body(tx, Group.TABLE, gid)
        if body is not None and user.oid in Group.from_xml(body).admins:
            found.add(gid)
    return found


def _group_ids(store: Store, attribute: str) -> dict[str, int]:
    """A template attribute of groups to the ids of the groups that have it."""
    bodies = store.read_value(lambda tx: pools.bodies(tx, Group.TABLE, pools.Where()))
    groups = [Group.from_xml(body) for body in bodies if f"<{attribute}>" in body]
    return {value: group.oid for group in groups if (value := group.template.get(attribute))}
