"""A native front-end that reaches nodes over ssh with a key of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from bootstrap.steps import ssh_native
from tests.support.containers import ROOT
from tests.support.frontend import MONITORD, PROGRAMS, Frontend
from tests.support.node.nodes import Node, new_key
from tests.support.node.operate import Operator, wait


class NodeCloud(Frontend, Operator):
    """API, engine, scheduler and monitord in one folder, with a key; ``close`` ends everything."""

    def __init__(
        self, folder: Path, extra_conf: str = "", db_section: str = 'DB = [ BACKEND = "sqlite" ]'
    ) -> None:
        super().__init__(folder, db_section, extra_conf)
        shutil.copytree(ROOT / "share/etc/vmm_exec", folder / "etc/vmm_exec", dirs_exist_ok=True)
        self.key = new_key(folder / "var/.ssh")
        ssh_native.write(folder / "var/.ssh")
        for datastore in ("0", "1", "2"):
            (self.datastores / datastore).mkdir(parents=True)
        socket = folder / "var/run/ssh-agent.sock"
        self._agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        wait("ssh-agent", socket.exists, 10)
        self.env["SSH_AUTH_SOCK"] = str(socket)
        subprocess.run(["ssh-add", "-q", str(self.key)], env=self.env, check=True, capture_output=True)

    @property
    def datastores(self) -> Path:
        """DATASTORE_LOCATION, here and on every node."""
        return self.folder / "var/datastores"

    @property
    def datastores_path(self) -> str:
        """The folder of datastores."""
        return str(self.datastores)

    @property
    def put_folder(self) -> str:
        """Beside the front-end's own folders, which are closed for that."""
        folder = self.folder.with_name(f"{self.folder.name}-sources")
        folder.mkdir(exist_ok=True)
        return str(folder)

    def watch_closely(self) -> None:
        """Have monitord miss a silent host, and what it was not told of a machine, soon; before ``start``."""
        file = self.folder / "etc/monitord.conf"
        text = file.read_text()
        for name, seconds in {
            "BEACON_HOST": 3,
            "MONITOR_HOST": 3,
            "SYSTEM_HOST": 600,
            "SYNC_STATE_VM": 15,
        }.items():
            text, count = re.subn(rf"({name}\s*=\s*)\d+", rf"\g<1>{seconds}", text)
            assert count == 1, name
        file.write_text(f"{text}MONITORING_INTERVAL_HOST = 8\nMANAGER_TIMER = 1\n")

    def start(self, *programs: str) -> None:
        """As Frontend.start, with monitord."""
        super().start(*(programs or [*PROGRAMS, MONITORD]))

    def close(self) -> None:
        """End every program."""
        self.stop()
        self._agent.terminate()
        self._agent.wait(15)

    def end_programs(self) -> None:
        """End every program in good order; the database is nobody's then."""
        for name in list(self.processes):
            self.end(name)

    # -- what an operator needs ------------------------------------------------------------------------
    def put(self, file: Path) -> str:
        """A copy in a folder that images may be made of."""
        return str(shutil.copy(file, self.put_folder))

    def host_name(self, node: Node) -> str:
        """Its address: names of containers mean nothing on this machine."""
        return node.address

    def log(self, name: str) -> str:
        """From the folder of logs."""
        file = self.folder / "var" / name
        return file.read_text(errors="replace") if file.exists() else ""
