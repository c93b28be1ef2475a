"""Who calls: from the session string, the first argument of every call, to a known and enabled user.

The user's row is read in every call, so a change holds at once; only its *parsed* form is kept, and used
again while the text is the same. With it goes what drivers have accepted, for SESSION_EXPIRATION_TIME: any
change of the user (password, driver, enabled, groups) ends that. Slow work is left to outside.py.
Source: user authentication of release 6.0.0.3.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field, replace
from typing import NoReturn

from services.common.template import Template
from services.oned.auth import drivers, login, outside, password
from services.oned.auth.drivers import Answer, Login, Refusal
from services.oned.config import OnedConf
from services.oned.errors import AuthenticationError, RequestError
from services.oned.model.base import check_name
from services.oned.model.group import Group
from services.oned.model.user import CORE, LoginToken, User
from services.oned.store import DatabaseError, Store, Tx, pools

_log = logging.getLogger("AuM")
_KNOWN_MAX, _PROOFS_MAX = 4096, 64
_OCTAL = re.compile("[0-7]{1,4}")
_INTEGER = re.compile(r"\s*([+-]?\d{1,9})")
_PUBLIC = "public"
_SERVER = "server"  # drivers whose names begin so let a service act for other users


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user. ``groups`` has the primary one, too; ``umask`` is a number, ``zone_id`` ours."""

    uid: int
    gid: int
    name: str
    gname: str
    groups: frozenset[int]
    umask: int
    template: Template = field(default_factory=Template, compare=False, repr=False)
    zone_id: int = 0

    @property
    def is_admin(self) -> bool:
        """Whether permissions do not bind the user: oneadmin and every member of the oneadmin group."""
        return self.uid == 0 or 0 in self.groups

    @property
    def is_oneadmin(self) -> bool:
        """Whether this is the user oneadmin itself."""
        return self.uid == 0

    @property
    def is_in_oneadmin_group(self) -> bool:
        """Whether the oneadmin group is the primary one, which a few methods ask for."""
        return self.gid == 0


@dataclass(frozen=True, slots=True)
class _Known:
    """A user document that was parsed, what it was parsed with, and what its driver has accepted since."""

    body: str
    settings: tuple[int, int]
    caller: Caller
    enabled: bool
    driver: str
    password: str = field(repr=False)
    tokens: tuple[LoginToken, ...] = field(repr=False)
    proofs: dict[bytes, float] = field(default_factory=dict, repr=False)  # to when, in epoch seconds


_known: dict[str, _Known] = {}


def caller(store: Store, session: str, conf: OnedConf) -> Caller:
    """The user that a session proves, apart from any call. Raises AuthenticationError."""
    return outside.complete(store, lambda: store.read_value(lambda tx: authenticate(tx, session, conf)))


def oneadmin(tx: Tx, conf: OnedConf) -> Caller:
    """The first user, in whose name the front-end does what it was asked to do later."""
    body = pools.body(tx, User.TABLE, 0)
    if body is None:
        raise DatabaseError("user 0 (oneadmin) is missing")
    return _learn(body, conf).caller


def authenticate(tx: Tx, session: str, conf: OnedConf) -> Caller:
    """The user that ``name:secret`` proves; the secret is a password, a login token or what a driver takes.

    Raises AuthenticationError, the same for every reason (the log says which), and outside.Pending.
    """
    name, colon, secret = session.partition(":")
    if not colon:
        _log.info("Session refused: it is not of the form name:secret.")
        raise AuthenticationError
    body = pools.body_by_name(tx, User.TABLE, name)
    if body is None:
        return _stranger(tx, name, secret, conf)
    known = _recall(name, body, conf)
    if not known.enabled:
        _refuse(name, "the user is disabled")
    if known.driver.startswith(_SERVER):
        return _served(tx, known, secret, conf)
    for token in known.tokens:
        if password.same(token.token, secret):
            return _by_token(tx, known, token)
    if known.driver == CORE:
        _require_password(known, secret, conf)
    elif known.driver == _PUBLIC:
        _refuse(name, "driver public lets nobody in directly")
    else:
        _require_driver(known, Login(name, known.password, secret), conf)
    return known.caller


def _refuse(name: str, reason: str) -> NoReturn:
    _log.info("User %.40r refused: %s.", name, reason)
    raise AuthenticationError


# -- what a document says ----------------------------------------------------------------------------------
def _recall(name: str, body: str, conf: OnedConf) -> _Known:
    known = _known.get(name)
    if known is None or known.body != body or known.settings != (conf.default_umask, conf.zone_id):
        known = _learn(body, conf)
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        _known[name] = known
    return known


def _learn(body: str, conf: OnedConf) -> _Known:
    user = User.from_xml(body)
    return _Known(
        body=body,
        settings=(conf.default_umask, conf.zone_id),
        caller=Caller(
            uid=user.oid,
            gid=user.gid,
            name=user.name,
            gname=user.gname,
            groups=frozenset([*user.groups, user.gid]),
            umask=_umask(user, conf),
            template=user.template,
            zone_id=conf.zone_id,
        ),
        enabled=user.enabled,
        driver=user.auth_driver,
        password=user.password,
        tokens=tuple(user.tokens),
    )


def _umask(user: User, conf: OnedConf) -> int:
    text = (user.template.get("UMASK") or "").strip()
    return int(text, 8) & 0o777 if _OCTAL.fullmatch(text) else conf.default_umask


# -- proofs ------------------------------------------------------------------------------------------------
def _by_token(tx: Tx, known: _Known, token: LoginToken) -> Caller:
    """The caller that a login token gives, with one group only where the token names it."""
    name = known.caller.name
    if not token.is_valid(time.time()):
        _refuse(name, "the login token has expired")
    if token.egid == -1:
        return known.caller
    group = pools.body(tx, Group.TABLE, token.egid) if token.egid in known.caller.groups else None
    if group is None:
        key = ("token", known.caller.uid, password.fingerprint(token.token))
        outside.value(key, lambda store: store.run(lambda tx: _drop_token(tx, known.caller.uid, token.token)))
        _refuse(name, f"the login token is for group {token.egid}, which the user has left")
    return _scoped(known.caller, token.egid, Group.from_xml(group).name)


def _drop_token(tx: Tx, uid: int, token: str) -> None:
    user = User.find(tx, uid)
    if user is not None and user.drop_token(token):
        user.save(tx)


def _scoped(caller: Caller, gid: int, gname: str) -> Caller:
    return replace(caller, gid=gid, gname=gname, groups=frozenset([gid]))


def _require_password(known: _Known, secret: str, conf: OnedConf) -> None:
    stored, uid, name = known.password, known.caller.uid, known.caller.name
    is_right = password.known(stored, secret)
    if is_right is None:
        key = ("password", uid, password.fingerprint(stored, secret))
        is_right = outside.value(key, lambda _: _prove(name, stored, secret, conf))
    if not is_right:
        _refuse(name, "wrong password")
    if not password.is_current(stored):
        key = ("upgrade", uid, password.fingerprint(stored, secret))
        outside.value(key, lambda store: _upgrade(store, uid, stored, secret))


def _prove(name: str, stored: str, secret: str, conf: OnedConf) -> bool:
    try:
        with login.turn(conf, login.PASSWORD_WAIT_S):  # guessing must not keep every thread busy
            return password.prove(stored, secret)
    except Refusal as refusal:
        _refuse(name, str(refusal))


def _upgrade(store: Store, uid: int, stored: str, secret: str) -> bool:
    """Store a password in today's form; whether that was done. The login does not depend on it."""
    new = password.hashed(secret)

    def change(tx: Tx) -> bool:
        user = User.find(tx, uid)
        if user is None or user.password != stored or user.auth_driver != CORE:
            return False
        user.password = new
        user.save(tx)
        return True

    try:
        return store.run(change)
    except DatabaseError as error:
        _log.warning("User %d: the password keeps its old form: %s", uid, error.message)
        return False


def _require_driver(known: _Known, asked: Login, conf: OnedConf) -> None:
    """Raise AuthenticationError unless the user's driver accepts the login, now or a short while ago."""
    mark = password.fingerprint(asked.secret, asked.target)
    until = known.proofs.get(mark)
    if until is not None and time.time() < until:
        return
    uid, driver = known.caller.uid, known.driver
    # The answer is about these values: should one change before the next attempt, the driver is asked anew.
    key = ("login", uid, driver, password.fingerprint(known.password), mark)
    answer = outside.value(key, lambda store: login.known_user(store, conf, uid, driver, asked))
    _keep(known, mark, answer, conf)


def _keep(known: _Known, mark: bytes, answer: Answer, conf: OnedConf) -> None:
    if conf.session_expiration_s > 0:
        until = time.time() + conf.session_expiration_s
        if len(known.proofs) >= _PROOFS_MAX:
            known.proofs.clear()
        known.proofs[mark] = until if answer.until is None else min(until, answer.until)


# -- servers and strangers ---------------------------------------------------------------------------------
def _served(tx: Tx, server: _Known, secret: str, conf: OnedConf) -> Caller:
    """The user that a service acts for: its secret is ``target:[group id:]token``."""
    target, colon, token = secret.partition(":")
    if not colon:
        _refuse(server.caller.name, "the secret is not of the form target:token")
    egid = -1
    if ":" in token:
        text, _, token = token.partition(":")
        found = _INTEGER.fullmatch(text)
        if found is None:
            _refuse(server.caller.name, "the group in the secret is not a number")
        egid = int(found[1])
    body = pools.body_by_name(tx, User.TABLE, target)
    if body is None:
        _refuse(target, f"service {server.caller.name} names a user that does not exist")
    known = _recall(target, body, conf)
    if not known.enabled:
        _refuse(target, f"the user is disabled (service {server.caller.name})")
    _require_driver(server, Login(server.caller.name, server.password, token, target), conf)
    if egid == -1:
        return known.caller
    group = pools.body(tx, Group.TABLE, egid)
    return _scoped(known.caller, egid, Group.from_xml(group).name if group else "")


def _stranger(tx: Tx, name: str, secret: str, conf: OnedConf) -> Caller:
    """The user that is made for a name that nobody has, if the default driver accepts it."""
    try:
        check_name(name, spaces=False)
    except RequestError:
        _refuse(name, "users cannot have such a name")
    if drivers.find(conf, login.default_driver(conf)) is None:
        _refuse(name, "there is no such user")
    key = ("stranger", password.fingerprint(name, secret))
    uid = outside.value(key, lambda store: login.stranger(store, conf, name, secret))
    body = pools.body(tx, User.TABLE, uid)
    if body is None:
        _refuse(name, "the user was deleted while it logged in")
    return _learn(body, conf).caller
