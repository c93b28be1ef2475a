"""A store of each kind for the tables of jobs and leases, and zones with dummy drivers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.oned.config import DbConf
from services.oned.store import Store, schema
from tests.support.mariadb import MariaDb
from tests.support.zone import Zone

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    """A private MariaDB server."""
    if not MariaDb.available():
        pytest.skip("left out: mariadbd is not installed")
    server = MariaDb(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "mysql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database with the tables, on each backend in turn."""
    conf = DbConf("sqlite", tmp_path / "one.db")
    if request.param == "mysql":
        server: MariaDb = request.getfixturevalue("mariadb")
        server.database("jobs")
        conf = replace(
            conf, backend="mysql", socket=server.socket, name="jobs", user="oneadmin", password="secret"
        )
    made = Store.open(conf)
    made.run(schema.create)
    yield made
    made.close()


def _real_drivers(folder: str, names: list[str]) -> list[str]:
    """The drivers that would work for the datastores of a fresh zone, which nobody looks at here."""
    kept = ("dummy", "datastore.conf")
    return [name for name in names if Path(folder).name == "datastore" and name not in kept]


class DummyZone(Zone):
    """A zone whose prefix has the dummy drivers alone; set ONE_LOCATION to ``folder`` before."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        shutil.copytree(ROOT / "services/remotes", folder / "var/remotes", ignore=_real_drivers)
        (folder / "var/run").mkdir(parents=True)

    def host(self, name: str) -> int:
        """A monitored dummy host; its first monitoring job is dropped."""
        oid: int = self.value("one.host.allocate", name, "dummy", "dummy", 0)
        self.store.run(lambda tx: tx.run("DELETE FROM onebox_job WHERE kind = 'HOST'"))
        return oid

    def vm(self, host_id: int, more: str = "") -> int:
        """A VM, deployed as far as its PROLOG job."""
        oid: int = self.value("one.vm.allocate", f'NAME="t"\nCPU="0.1"\nMEMORY="16"\n{more}', False)
        self.value("one.vm.deploy", oid, host_id, False, 0, "")
        return oid

    def condition(self, vm_id: int) -> tuple[int, int]:
        """STATE and LCM_STATE of a VM."""
        with self.store.read() as tx:
            row = tx.one("SELECT state, lcm_state FROM vm_pool WHERE oid = ?", vm_id)
        assert row is not None
        return int(row[0]), int(row[1])

    def domains(self) -> list[str]:
        """host/name of every machine of the dummy hypervisors."""
        root = self.folder / "var/dummy"
        return sorted(str(path.relative_to(root)) for path in root.glob("*/*") if path.is_file())


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DummyZone]:
    """A fresh zone with dummy drivers, in this process."""
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    made = DummyZone(tmp_path)
    yield made
    made.close()
