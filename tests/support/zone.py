"""A fresh zone in this process: store and dispatcher without a server, for tests of the API's rules."""

from __future__ import annotations

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
from services.oned.store import Store
from services.oned.store.__main__ import init

# Passwords are stored in a slow form on purpose; tests need not wait for that.
password.COST = password.Cost(4, 8, 1)

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "opennebula"
SESSION = f"oneadmin:{PASSWORD}"


def settings(db_section: str = "", more: str = "") -> Template:
    """The stock oned.conf with another DB section and more settings at its end."""
    stock = read(ROOT / "share/etc/oned.conf")
    if db_section:
        stock.remove("DB")
    changed = Template.parse(f"{db_section}\n{more}")
    for name in changed.names():
        stock.remove(name)
    for name, value in changed:
        stock.add(name, value)
    return stock


class Zone:
    """A zone below ``folder``; with ``db_section`` in that database instead of SQLite."""

    def __init__(self, folder: Path, db_section: str = "", more: str = "") -> None:
        conf = from_settings(settings(db_section, more))
        auth = folder / "var" / ".one"
        auth.mkdir(parents=True)
        (auth / "one_auth").write_text(SESSION + "\n")
        self.conf: OnedConf = replace(
            conf, db=replace(conf.db, path=folder / "var/one.db"), key_file=auth / "one_key"
        )
        self.store = Store.open(self.conf.db)
        init(self.store, self.conf, auth)
        resources.load_all()
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
