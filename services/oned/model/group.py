"""Groups: users that share rights, some of them administrators of the group.

Source: group XSD of release 6.0; documents of real databases.
"""

from __future__ import annotations

from typing import Any

from services.common import xmldoc
from services.common.template import Template
from services.oned.model import acl
from services.oned.model.acl import Rule
from services.oned.model.base import Permissions, PoolObject, id_list, id_list_xml, number
from services.oned.store import Tx, quotas

ONEADMIN_ID = 0
USERS_ID = 1
_SHARED_KINDS = ("VM", "NET", "IMAGE", "TEMPLATE", "DOCUMENT", "SECGROUP", "VROUTER", "VMGROUP")


class Group(PoolObject):
    """A group. The users' documents list it too; api/user.py keeps both sides equal."""

    KIND = "GROUP"
    LABEL = "group"
    TABLE = "group_pool"
    ROOT = "GROUP"
    FIRST_USER_ID = 100

    def __init__(self, oid: int, name: str, uid: int = 0, gid: int = 0) -> None:
        super().__init__(oid, name, uid, gid)
        # Members may see their group.
        self.permissions = Permissions([1, 1, 0, 1, 0, 0, 0, 0, 0])
        self.users: list[int] = []
        self.admins: list[int] = []

    def to_xml(self) -> str:
        return (
            f"<GROUP><ID>{self.oid}</ID><NAME>{xmldoc.escape(self.name)}</NAME>{self.template.to_xml()}"
            f"{id_list_xml('USERS', self.users)}{id_list_xml('ADMINS', self.admins)}</GROUP>"
        )

    @classmethod
    def from_element(cls, element: xmldoc.etree._Element) -> Group:
        oid = number(element, "ID", -1)
        group = cls(oid, element.findtext("NAME") or "", 0, oid)
        group.gname = group.name
        group.users = id_list(element.find("USERS"))
        group.admins = id_list(element.find("ADMINS"))
        group.template = Template.from_element(element.find("TEMPLATE"))
        return group

    def columns(self) -> dict[str, Any]:
        self.gid = self.oid
        return super().columns()

    def insert(self, tx: Tx) -> int:
        oid = super().insert(tx)
        quotas.insert(tx, self.KIND, oid)
        return oid

    def delete(self, tx: Tx) -> None:
        super().delete(tx)
        quotas.delete(tx, self.KIND, self.oid)

    # -- members -------------------------------------------------------------------------------------
    def add_user(self, uid: int) -> None:
        """List a user; the caller changes the user's side."""
        self.users = sorted({*self.users, uid})

    def remove_user(self, tx: Tx, uid: int) -> None:
        """Drop a user, as administrator too; the caller changes the user's side."""
        if uid in self.admins:
            self.remove_admin(tx, uid)
        self.users = [oid for oid in self.users if oid != uid]

    def add_admin(self, tx: Tx, uid: int) -> None:
        """Make a member an administrator, with the rules that gives."""
        self.admins = sorted({*self.admins, uid})
        *of_members, on_group = self._rules_of_admin(uid)
        for rule in (*of_members, _create_vrouters(uid), on_group):
            acl.add_missing(tx, rule)

    def remove_admin(self, tx: Tx, uid: int) -> None:
        """Take the administrator's role and its rules from a user."""
        self.admins = [oid for oid in self.admins if oid != uid]
        for rule in self._rules_of_admin(uid):
            acl.delete_same(tx, rule)
        # This rule names no group: it stays while the user administers another one.
        if not acl.administers_users(tx, uid):
            acl.delete_same(tx, _create_vrouters(uid))

    def _rules_of_admin(self, uid: int) -> tuple[Rule, ...]:
        subject = acl.INDIVIDUAL | uid
        mine = acl.GROUP | self.oid
        return (
            Rule(-1, subject, acl.kinds("USER") | mine, 0b1111, acl.ALL),
            Rule(-1, subject, acl.kinds(*_SHARED_KINDS) | mine, 0b0011, acl.ALL),
            Rule(-1, subject, acl.kinds("GROUP") | acl.INDIVIDUAL | self.oid, 0b0010, acl.ALL),
        )


def _create_vrouters(uid: int) -> Rule:
    return Rule(-1, acl.INDIVIDUAL | uid, acl.kinds("VROUTER") | acl.ALL, 0b1000, acl.ALL)
