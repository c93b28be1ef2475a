"""The actions of the fs driver as the engine runs them, on a datastore below a temporary folder."""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

REMOTES = Path(__file__).resolve().parents[2] / "services/remotes"


@dataclass
class Answer:
    """How an action ended; ``error`` is its text for the user."""

    code: int
    output: str
    stderr: str

    @property
    def error(self) -> str:
        """The one text between the marks; fails the test when there is none or more."""
        assert self.code == 1 and self.output == "", (self.code, self.output, self.stderr)
        head, text, tail = self.stderr.partition("ERROR MESSAGE --8<------\n")
        assert text and "ERROR MESSAGE --8<" not in tail, self.stderr
        return tail.partition("\nERROR MESSAGE ------>8--")[0]


@dataclass
class Stage:
    """A datastore, a folder that images may come from, and the driver's actions."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> Path:
        return self.folder / "datastores" / "100"

    @property
    def safe(self) -> Path:
        return self.folder / "safe"

    def argument(self, image: dict[str, object], settings: dict[str, str], kind: int, tm_mad: str) -> str:
        """DS_DRIVER_ACTION_DATA in base64. image: elements; TEMPLATE/NAME for its template."""
        template = {name[9:]: value for name, value in image.items() if name.startswith("TEMPLATE/")}
        plain = {name: value for name, value in image.items() if not name.startswith("TEMPLATE/")}
        store = {"SAFE_DIRS": str(self.safe), "RESTRICTED_DIRS": "/", **settings}
        document = (
            f"<DS_DRIVER_ACTION_DATA><IMAGE>{_xml(plain)}<TEMPLATE>{_xml(template)}</TEMPLATE></IMAGE>"
            f"<DATASTORE><TM_MAD>{tm_mad}</TM_MAD><BASE_PATH>{self.base}</BASE_PATH><TYPE>{kind}</TYPE>"
            f"<TEMPLATE>{_xml(store)}</TEMPLATE></DATASTORE></DS_DRIVER_ACTION_DATA>"
        )
        return base64.b64encode(document.encode()).decode()

    def command(
        self, action: str, image: dict[str, object], kind: int = 0, tm_mad: str = "ssh", **settings: str
    ) -> list[str]:
        """The command line of an action."""
        oid = str(image.get("ID", 7))
        return [str(REMOTES / "datastore/fs" / action), self.argument(image, settings, kind, tm_mad), oid]

    def run(
        self,
        action: str,
        image: dict[str, object] | None = None,
        kind: int = 0,
        tm_mad: str = "ssh",
        **settings: str,
    ) -> Answer:
        """Run an action to its end."""
        command = self.command(action, {"REGTIME": 1, **(image or {})}, kind, tm_mad, **settings)
        done = subprocess.run(
            command,
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Answer(done.returncode, done.stdout.strip(), done.stderr)

    def environment(self) -> dict[str, str]:
        """What actions see of the engine's environment."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C", **self.env}

    def ok(
        self,
        action: str,
        image: dict[str, object] | None = None,
        kind: int = 0,
        tm_mad: str = "ssh",
        **settings: str,
    ) -> str:
        """The output of an action that must succeed."""
        answer = self.run(action, image, kind, tm_mad, **settings)
        assert answer.code == 0, answer.stderr
        return answer.output

    def files(self) -> list[str]:
        """What lies in the datastore."""
        return sorted(os.listdir(self.base)) if self.base.exists() else []


def _xml(values: dict[str, object] | dict[str, str]) -> str:
    return "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in values.items())
