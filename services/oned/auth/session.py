"""Who calls: from the session string, the first argument of every call, to a known and enabled user.

The user's row is read in every call, so a change holds at once; only its *parsed* form is kept, and used
again while the text is the same. Source: user authentication of release 6.0.0.3.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass, field, replace

from services.common.template import Template
from services.oned.auth import password
from services.oned.config import OnedConf
from services.oned.errors import AuthenticationError
from services.oned.model.group import Group
from services.oned.model.user import CORE, LoginToken, User
from services.oned.store import Tx, pools

_log = logging.getLogger("AuM")
_KNOWN_MAX = 4096
_OCTAL = re.compile("[0-7]{1,4}")


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


@dataclass(frozen=True, slots=True)
class _Known:
    """A user document that was parsed, and what it was parsed with."""

    body: str
    settings: tuple[int, int]
    caller: Caller
    enabled: bool
    driver: str
    password: bytes
    tokens: tuple[LoginToken, ...]


_known: dict[str, _Known] = {}


def authenticate(tx: Tx, session: str, conf: OnedConf) -> Caller:
    """The user that ``name:secret`` proves; the secret is a password or a login token.

    Raises AuthenticationError, the same for every reason; the log says which.
    """
    name, colon, secret = session.partition(":")
    if not colon:
        _log.info("Session refused: it is not of the form name:secret.")
        raise AuthenticationError
    body = pools.body_by_name(tx, User.TABLE, name)
    if body is None:
        return _refuse(name, "there is no such user")
    known = _known.get(name)
    if known is None or known.body != body or known.settings != (conf.default_umask, conf.zone_id):
        known = _learn(name, body, conf)
    if not known.enabled:
        return _refuse(name, "the user is disabled")
    if known.driver == CORE and password.matches(known.password, secret):
        return known.caller
    return _by_other_means(tx, known, secret)


def _refuse(name: str, reason: str) -> Caller:
    _log.info("User %.40r refused: %s.", name, reason)
    raise AuthenticationError


def _learn(name: str, body: str, conf: OnedConf) -> _Known:
    user = User.from_xml(body)
    known = _Known(
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
        password=user.password.encode(),
        tokens=tuple(user.tokens),
    )
    if len(_known) >= _KNOWN_MAX:
        _known.clear()
    _known[name] = known
    return known


def _umask(user: User, conf: OnedConf) -> int:
    text = (user.template.get("UMASK") or "").strip()
    return int(text, 8) & 0o777 if _OCTAL.fullmatch(text) else conf.default_umask


def _by_other_means(tx: Tx, known: _Known, secret: str) -> Caller:
    """What a login token or an old password gives. Raises AuthenticationError."""
    name = known.caller.name
    for token in known.tokens:
        if password.same(token.token, secret):
            if not token.is_valid(time.time()):
                return _refuse(name, "the login token has expired")
            return _scoped(tx, known.caller, token.egid)
    if known.driver != CORE:
        return _refuse(name, f"driver {known.driver[:40]} is not available in this version")
    if password.matches_legacy(known.password, secret):
        if tx.writable:
            user = User.load(tx, known.caller.uid)
            user.password = password.digest(secret)
            user.save(tx)
        return known.caller
    return _refuse(name, "wrong password")


def _scoped(tx: Tx, caller: Caller, egid: int) -> Caller:
    """The caller with one group only, the one that a login token names; -1 leaves all."""
    if egid == -1:
        return caller
    group = pools.body(tx, Group.TABLE, egid) if egid in caller.groups else None
    if group is None:
        return _refuse(caller.name, f"the login token is for group {egid}, which the user has left")
    return replace(caller, gid=egid, gname=Group.from_xml(group).name, groups=frozenset([egid]))
