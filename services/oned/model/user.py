"""Users: name, password, groups, login tokens. A user owns itself.

Source: user XSD of release 6.0; documents of real databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.common import xmldoc
from services.common.template import Template
from services.oned.model.base import PoolObject, id_list, id_list_xml, number
from services.oned.store import Tx, quotas

CORE = "core"  # the driver that compares passwords in the daemon itself
ONEADMIN_ID = 0
TOKENS_MAX = 10


@dataclass(frozen=True, slots=True)
class LoginToken:
    """A secret that stands for the password; ``expires_at`` epoch seconds or -1, ``egid`` one group or -1."""

    token: str
    expires_at: int
    egid: int

    def is_valid(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.expires_at == -1 or now < self.expires_at

    def is_past(self, now: float) -> bool:
        """Whether it may be thrown away: the second in which it expires is neither valid nor past."""
        return self.expires_at != -1 and int(now) > self.expires_at

    def to_xml(self) -> str:
        return (
            f"<LOGIN_TOKEN><TOKEN>{xmldoc.escape(self.token)}</TOKEN>"
            f"<EXPIRATION_TIME>{self.expires_at}</EXPIRATION_TIME><EGID>{self.egid}</EGID></LOGIN_TOKEN>"
        )


class User(PoolObject):
    """A user. The groups' documents list it too; api/user.py keeps both sides equal.

    ``password`` is what the driver compares with: a digest with the core driver.
    """

    KIND = "USER"
    LABEL = "user"
    TABLE = "user_pool"
    ROOT = "USER"
    ONE_OF_EACH = True

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        self.password = ""
        self.auth_driver = CORE
        self.enabled = True
        self.groups: list[int] = []
        self.tokens: list[LoginToken] = []

    def to_xml(self) -> str:
        return (
            f"<USER><ID>{self.oid}</ID><GID>{self.gid}</GID>{id_list_xml('GROUPS', self.groups)}"
            f"<GNAME>{xmldoc.escape(self.gname)}</GNAME><NAME>{xmldoc.escape(self.name)}</NAME>"
            f"<PASSWORD>{xmldoc.cdata(self.password)}</PASSWORD>"
            f"<AUTH_DRIVER>{xmldoc.cdata(self.auth_driver)}</AUTH_DRIVER>"
            f"<ENABLED>{int(self.enabled)}</ENABLED>{''.join(token.to_xml() for token in self.tokens)}"
            f"{self.template.to_xml()}</USER>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> User:
        oid = number(element, "ID", -1)
        user = cls(oid, element.findtext("NAME") or "", oid, number(element, "GID"))
        user.uname = user.name
        user.gname = element.findtext("GNAME") or ""
        user.password = element.findtext("PASSWORD") or ""
        user.auth_driver = element.findtext("AUTH_DRIVER") or CORE
        user.enabled = number(element, "ENABLED") != 0
        user.groups = id_list(element.find("GROUPS"))
        user.tokens = [
            LoginToken(
                found.findtext("TOKEN") or "", number(found, "EXPIRATION_TIME"), number(found, "EGID", -1)
            )
            for found in element.findall("LOGIN_TOKEN")
        ]
        user.template = Template.from_element(element.find("TEMPLATE"))
        return user

    def columns(self) -> dict[str, Any]:
        self.uid = self.oid
        return super().columns()

    def insert(self, tx: Tx) -> int:
        oid = super().insert(tx)
        quotas.insert(tx, self.KIND, oid)
        return oid

    def delete(self, tx: Tx) -> None:
        super().delete(tx)
        quotas.delete(tx, self.KIND, self.oid)

    def set_password(self, stored: str) -> None:
        """Store another password, in the driver's form; login tokens made with the old one end."""
        self.password = stored
        self.tokens = []

    def add_token(self, token: LoginToken, now: float) -> bool:
        """Add a login token after throwing expired ones away; False when the user has as many as may be.

        One of the same text that is there stays as it is, as in OpenNebula.
        """
        self.tokens = [kept for kept in self.tokens if not kept.is_past(now)]
        if len(self.tokens) >= TOKENS_MAX:
            return False
        if all(kept.token != token.token for kept in self.tokens):
            self.tokens = sorted([*self.tokens, token], key=lambda kept: kept.token.encode())
        return True

    def drop_token(self, token: str) -> bool:
        """Remove a login token; False when there is none of that text."""
        before = len(self.tokens)
        self.tokens = [kept for kept in self.tokens if kept.token != token]
        return len(self.tokens) < before

    def join(self, gid: int) -> bool:
        """Add a group; False when the user is in it already. The caller changes the group's side."""
        if gid in self.groups:
            return False
        self.groups = sorted([*self.groups, gid])
        return True

    def leave(self, gid: int) -> None:
        """Drop a group. The caller changes the group's side."""
        self.groups = [oid for oid in self.groups if oid != gid]
