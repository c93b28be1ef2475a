"""Calls to a fresh zone as one user or another, with refusals as exceptions."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.common import xmldoc
from services.oned.store import Store
from tests.support.zone import PASSWORD, Zone


class Refused(Exception):
    """The answer to a call that failed."""

    def __init__(self, text: str, code: int, object_id: int) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.object_id = object_id


class Core:
    """A fresh zone with stock settings and ``more``; users that are added have the password ``pw-<name>``.

    db_section: of oned.conf, for another database than SQLite.
    """

    def __init__(self, folder: Path, more: str = "", db_section: str = "") -> None:
        self.zone = Zone(folder, db_section, f'DATASTORE_LOCATION="/ds"\n{more}')

    def copy(self, file: Path) -> Core:
        """The same zone with a database file of its own. Its present one must be closed."""
        core, zone = copy.copy(self), copy.copy(self.zone)
        core.zone = zone
        file.parent.mkdir(exist_ok=True)
        shutil.copy(zone.conf.db.path, file)
        zone.conf = replace(zone.conf, db=replace(zone.conf.db, path=file))
        zone.connect()
        return core

    @property
    def store(self) -> Store:
        """The database."""
        return self.zone.store

    def call(self, method: str, *args: Any, user: str = "oneadmin") -> Any:
        """The value of ``one.<method>``. Raises Refused."""
        secret = PASSWORD if user == "oneadmin" else f"pw-{user}"
        answer = self.zone.call(f"one.{method}", *args, session=f"{user}:{secret}")
        if not answer[0]:
            raise Refused(answer[1], answer[2], answer[3])
        return answer[1]

    def info(self, method: str, *args: Any, user: str = "oneadmin") -> xmldoc.etree._Element:
        """The document that a call answers."""
        return xmldoc.parse(self.call(method, *args, user=user))

    def add_user(self, name: str, *groups: int) -> int:
        """A user of the core driver; its id."""
        uid: int = self.call("user.allocate", name, f"pw-{name}", "core", list(groups))
        return uid

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """What the database holds."""
        with self.store.read() as tx:
            return tx.all(sql, *params)

    def change(self, sql: str, *params: Any) -> None:
        """Change what the database holds, past every rule."""
        self.store.run(lambda tx: tx.run(sql, *params))
