"""An instance: its name, its folder, and what is remembered about it in ``instance.json``."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from onebox_cli.ui import Failure

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_NAME = "onebox"
ONED_PORT = 2633
# The longest socket of a native instance, DATA/one/var/run/wake/NAME.sock, must fit into 107 bytes.
MAX_DATA_BYTES = 70
_ALLOWED = "letters, digits, . _ -"


@dataclass(frozen=True)
class Instance:
    """A front-end on this machine. ``engine`` is docker, podman or native; empty before the first ``up``."""

    name: str
    data: Path
    engine: str = ""
    port_offset: int = 0
    db: str = ""

    @property
    def port(self) -> int:
        """Port of the XML-RPC interface on this machine."""
        return ONED_PORT + self.port_offset

    @property
    def endpoint(self) -> str:
        """URL of the XML-RPC interface."""
        return f"http://127.0.0.1:{self.port}/RPC2"

    @property
    def prefix(self) -> Path:
        """ONE_LOCATION of a native instance."""
        return self.data / "one"

    @property
    def logs(self) -> Path:
        """Log files of ``onebox`` itself and of native programs."""
        return self.data / "logs"

    @property
    def auth_file(self) -> Path:
        """oneadmin's credentials."""
        return self.prefix / "var/.one/one_auth" if self.engine == "native" else self.data / "one_auth"

    @property
    def file(self) -> Path:
        """Where the instance is remembered."""
        return self.data / "instance.json"

    def save(self) -> None:
        """Remember the instance, for subcommands without flags."""
        content = {**asdict(self), "data": str(self.data), "ports": {"oned": self.port}}
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, self.file)

    def with_options(self, **changes: Any) -> Instance:
        """The instance with what was given on the command line."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})

    def flags(self) -> str:
        """The flags that pick this instance, for commands shown to a person."""
        if self.data == default_data(self.name):
            return "" if self.name == DEFAULT_NAME else f" --name {self.name}"
        return f" --data {_shown(self.data)}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep another ``onebox`` from changing the instance at the same time."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.data / ".lock").open("w") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failure(
                    f"another onebox is working on {self.data}", advice="wait until it is done"
                ) from None
            yield


def default_data(name: str) -> Path:
    """The folder of an instance that was not given one."""
    return ROOT / (".onebox" if name == DEFAULT_NAME else f".onebox-{name}")


def find(name: str | None, data: str | None) -> Instance:
    """The instance that the flags pick, with what is remembered about it. Raises Failure."""
    if name is not None and not (name and name[0].isalnum() and all(c.isalnum() or c in "._-" for c in name)):
        raise Failure(f"--name {name!r}: expected {_ALLOWED}, with a letter or digit first")
    folder = Path(data).expanduser().absolute() if data else default_data(name or DEFAULT_NAME)
    fresh = Instance(name or (DEFAULT_NAME if not data else _name_of(folder)), folder)
    try:
        raw = json.loads(fresh.file.read_text(encoding="utf-8"))
        known = Instance(
            str(raw["name"]), folder, str(raw["engine"]), int(raw["port_offset"]), str(raw["db"])
        )  # fmt: skip
    except FileNotFoundError:
        return fresh
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(
            f"{fresh.file}: cannot be read: {error}", advice="remove the file and run up again"
        ) from None
    if name is not None and name != known.name:
        raise Failure(
            f"{folder} belongs to instance {known.name}, found --name {name}", advice="choose another --data"
        )
    return known


def _name_of(folder: Path) -> str:
    """A container name for an instance that was picked by its folder only."""
    kept = "".join(c if c.isalnum() or c in "._-" else "-" for c in folder.name).strip("._-")
    return DEFAULT_NAME if kept in ("", "onebox") else f"onebox-{kept}"


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
