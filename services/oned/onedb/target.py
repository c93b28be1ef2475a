"""Which database a command is about: the options, else oned.conf.

As in OpenNebula, any connection option means MySQL unless the type says otherwise; what the options leave out
comes from oned.conf when that has a MySQL database, too.
"""

from __future__ import annotations

import getpass
import os
import time
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path

from services.common import paths
from services.common.config import ConfigError
from services.common.oca import Client, EndpointError, OneError
from services.oned import config
from services.oned.config import DbConf
from services.oned.engine import holder
from services.oned.onedb.errors import OnedbError
from services.oned.store import DatabaseError, Store, leases, schema
from services.oned.store.leases import Lease

_UNKNOWN = "postgresql"
_PORT = 2633
_POLL_S = 0.5
_LEASE_MAX_S = 60.0  # no engine takes it for longer


@dataclass(frozen=True)
class Target:
    """A database; ``zone_id`` is the zone that oned.conf is of."""

    conf: DbConf
    zone_id: int = 0

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.conf.backend == "sqlite"

    @property
    def name(self) -> str:
        """The database in messages."""
        if self.is_sqlite:
            return f"SQLite database {self.conf.path}"
        return f"MySQL DB {self.conf.name} at {self.conf.server}"

    def store(self) -> Store:
        """The database opened. Raises OnedbError for a file that is not there."""
        if self.is_sqlite and not self.conf.path.is_file():
            raise OnedbError(f"File {self.conf.path} doesn't exist")
        return Store.open(self.conf)

    def backup_file(self, *, federated: bool = False, folder: Path | None = None) -> Path:
        """Where a backup goes that was given no name: OpenNebula's name for it, or the next that is free.

        folder: another one than the front-end's.
        """
        folder = folder or paths.var()
        now = time.localtime()
        when = f"{now.tm_year}-{now.tm_mon}-{now.tm_mday}_{now.tm_hour}:{now.tm_min}:{now.tm_sec}"
        middle = "federated_" if federated else ""
        if self.is_sqlite:
            name, ending = f"one.db_{middle}{when}", "bck"
        else:
            name, ending = f"mysql_{self.conf.server}_{self.conf.name}_{middle}{when}", "sql"
        file = folder / f"{name}.{ending}"
        number = 1
        while file.exists():
            number += 1
            file = folder / f"{name}_{number}.{ending}"
        return file


def find(options: Namespace) -> Target:
    """The database that the options and oned.conf name. Raises OnedbError."""
    given = {
        "server": options.server,
        "port": options.port,
        "user": options.username,
        "password": options.password,
        "name": options.dbname,
    }
    backend = "sqlite" if options.sqlite is not None else options.type
    if backend is None and any(value is not None for value in given.values()):
        backend = "mysql"
    if backend == _UNKNOWN:
        raise OnedbError("PostgreSQL databases are not available in this version, expected sqlite or mysql")
    if backend not in (None, "sqlite", "mysql"):
        raise OnedbError(f"unknown type of database {backend!r}, expected sqlite or mysql")
    stock = _configured(is_needed=backend is None)
    if backend is None:
        assert stock is not None
        return stock
    zone_id = stock.zone_id if stock else 0
    if backend == "sqlite":
        file = Path(options.sqlite) if options.sqlite else paths.var() / "one.db"
        return Target(DbConf(backend="sqlite", path=file), zone_id)
    base = stock.conf if stock and not stock.is_sqlite else None
    return Target(_mysql({name: value for name, value in given.items() if value is not None}, base), zone_id)


def _configured(*, is_needed: bool) -> Target | None:
    try:
        conf = config.load()
    except ConfigError as error:
        if is_needed:
            raise OnedbError(str(error)) from None
        return None
    return Target(conf.db, conf.zone_id)


def _mysql(given: dict[str, str], base: DbConf | None) -> DbConf:
    values: dict[str, object] = dict(given)
    if "port" in given:
        if not given["port"].isdecimal() or int(given["port"]) > 65535:
            raise OnedbError(f"option --port needs a number up to 65535, found {given['port']!r}")
        values["port"] = int(given["port"])
    if base is None:
        for option, name in (("user", "USER"), ("name", "DBNAME")):
            if option not in given:
                raise OnedbError(f"MySQL option {name} is needed")
        base = DbConf(backend="mysql", path=Path(), user="")
    elif {"server", "port"} & given.keys():
        values["socket"] = ""
    if "password" not in given and given.get("user", base.user) != base.user:
        values["password"] = _password()
    return replace(base, **values)  # type: ignore[arg-type]


def _password() -> str:
    """From the environment, else from the terminal: OpenNebula asks for what was not given."""
    if "ONE_DB_PASSWORD" in os.environ:
        return os.environ["ONE_DB_PASSWORD"]
    try:
        return getpass.getpass("MySQL Password: ")
    except (EOFError, OSError):
        raise OnedbError("no password was given, expected option --password or ONE_DB_PASSWORD") from None


# -- a front-end at work -----------------------------------------------------------------------------------
def require_stopped(target: Target, store: Store | None = None) -> None:
    """Raise OnedbError while a front-end uses the database, as far as can be seen from here."""
    prefix = os.environ.get("ONE_LOCATION")
    lock = Path(prefix, "var/lock/.lock") if prefix else Path("/var/lock/one/one")
    if lock.exists():
        raise OnedbError(f"First stop OpenNebula. Lock file found: {lock}")
    endpoint = os.environ.get("ONE_XMLRPC") or f"http://localhost:{_port()}/RPC2"
    if _answers(endpoint):
        raise OnedbError(f"First stop the front-end: it listens on {endpoint}")
    if store is not None and _engine_works(store):
        raise OnedbError(f"First stop the front-end: its engine works on the {target.name}")


def _port() -> int:
    try:
        return config.load().port
    except ConfigError:
        return _PORT


def _answers(endpoint: str) -> bool:
    try:
        with Client(endpoint, "nobody:nothing", timeout_s=10) as client:
            client.call("system.version")
    except EndpointError:
        return False
    except OneError:
        return True
    return True


def _engine_works(store: Store) -> bool:
    """Whether an engine holds its lease and renews it.

    One that was killed on this machine holds none; one that was killed elsewhere lets it run out soon.
    """
    first = _lease(store)
    while first is not None and first.expires_in_s > 0 and not holder.is_dead(first.holder):
        time.sleep(_POLL_S)
        now = _lease(store)
        if now is None or now.token != first.token or now.expires_in_s > first.expires_in_s - _POLL_S / 2:
            return now is not None
        if now.expires_in_s > _LEASE_MAX_S:
            return True
        first = now
    return False


def _lease(store: Store) -> Lease | None:
    from services.oned.engine.cycle import LEASE  # here: it brings half of the engine along

    try:
        with store.read() as tx:
            return leases.find(tx, LEASE) if schema.exists(tx, "onebox_lease") else None
    except DatabaseError:
        return None
