"""A fresh zone in this process: store and dispatcher without a server, for tests of the API's rules."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.common import xmlrpc
from services.common.config import read
from services.common.template import Template
from services.oned.api import resources
from services.oned.api.dispatch import Dispatcher
from services.oned.api.execute import Executor
from services.oned.auth import password
from services.oned.config import OnedConf, from_settings
from services.oned.store import Store, sqlite
from services.oned.store.__main__ import init

# Passwords are stored in a slow form on purpose; tests need not wait for that.
password.COST = password.Cost(4, 8, 1)
# Nor for the disk: no test in this process outlives it.
sqlite.SYNCHRONOUS = "OFF"

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "opennebula"
SESSION = f"oneadmin:{PASSWORD}"


@functools.cache
def _stock() -> Template:
    return read(ROOT / "share/etc/oned.conf")


def settings(db_section: str = "", more: str = "") -> Template:
    """The stock oned.conf with another DB section and more settings at its end."""
    stock = _stock().copy()
    if db_section:
        stock.remove("DB")
    changed = Template.parse(f"{db_section}\n{more}")
    for name in changed.names():
        stock.remove(name)
    for name, value in changed:
        stock.add(name, value)
    return stock


def _conf(folder: Path, db_section: str, more: str) -> OnedConf:
    conf = from_settings(settings(db_section, more))
    var = folder / "var"
    return replace(conf, db=replace(conf.db, path=var / "one.db"), key_file=var / ".one/one_key")


def _made(folder: Path, db_section: str, more: str) -> OnedConf:
    """The settings of a zone that was made just now below ``folder``."""
    conf = _conf(folder, db_section, more)
    auth = folder / "var/.one"
    auth.mkdir(parents=True)
    (auth / "one_auth").write_text(SESSION + "\n")
    store = Store.open(conf.db)
    init(store, conf, auth)
    store.close()
    return conf


@functools.cache
def _fresh(more: str) -> Path:
    """The files of a zone with these settings; made once, for most tests begin with one."""
    folder = Path(_folder().name, os.urandom(8).hex())
    _made(folder, "", more)
    return folder / "var"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="onebox-zone-")


class Zone:
    """A zone below ``folder``; with ``db_section`` in that database instead of SQLite."""

    def __init__(self, folder: Path, db_section: str = "", more: str = "") -> None:
        if db_section:
            self.conf = _made(folder, db_section, more)
        else:
            shutil.copytree(_fresh(more), folder / "var", dirs_exist_ok=True)
            self.conf = _conf(folder, db_section, more)
        resources.load_all()
        self.connect()

    def connect(self) -> None:
        """Open the database that its settings name."""
        self.store = Store.open(self.conf.db)
        self.executor = Executor(self.store, self.conf)
        self.dispatcher = Dispatcher(self.executor)

    def call(self, method: str, *args: Any, session: str = SESSION) -> list[Any]:
        """The whole answer of a method: [true, value, 0] or [false, text, code, object, index]."""
        request = xmlrpc.dumps_request(method, [session, *args])
        return xmlrpc.loads_response(self.dispatcher.answer(request))

    def value(self, method: str, *args: Any, session: str = SESSION) -> Any:
        """The value of a call that must succeed."""
        answer = self.call(method, *args, session=session)
        assert answer[0], answer
        return answer[1]

    def refusal(self, method: str, *args: Any, session: str = SESSION) -> tuple[int, str]:
        """Code and text of a call that must fail."""
        answer = self.call(method, *args, session=session)
        assert not answer[0], answer
        return answer[2], answer[1]

    def close(self) -> None:
        """Close the database connection of this thread."""
        self.store.close()
