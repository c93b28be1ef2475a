"""Compose projects of the folder compose/, started by the real tools, for the image ring.

with compose.project(tool, folder, image) as project:
    project.up()
    project.container("opennebula-oned").client()
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.containers import ROOT, Container, Engine, EngineError

_TIMEOUT_S = 240.0
# What Debian has, and Docker's newer plugin where it is installed.
DOCKER_TOOLS = (("docker-compose",), ("docker", "compose"))


@dataclass(frozen=True)
class Project:
    """A copy of the folder, with settings of its own. ``tool``: the words before a subcommand."""

    engine: Engine
    tool: tuple[str, ...]
    folder: Path

    @property
    def name(self) -> str:
        """Name of the project, which containers and volumes carry."""
        return self.folder.name

    def try_run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand, whatever its exit code."""
        return subprocess.run(
            [*self.tool, *arguments], cwd=self.folder, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S,
        )  # fmt: skip

    def run(self, *arguments: str) -> str:
        """Standard output of a subcommand that must succeed. Raises EngineError."""
        result = self.try_run(*arguments)
        if result.returncode:
            raise EngineError(
                f"{' '.join([*self.tool, *arguments])}: {(result.stdout + result.stderr)[-3000:]}"
            )
        return result.stdout

    def config(self) -> dict[str, Any]:
        """The project as the tool understands it."""
        found: dict[str, Any] = yaml.safe_load(self.run("config"))
        return found

    def set(self, **values: str) -> None:
        """Write settings into .env, in place of those that were there."""
        file = self.folder / ".env"
        kept = [line for line in file.read_text().splitlines() if line.partition("=")[0] not in values]
        file.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n")

    def container(self, service: str) -> Container:
        """The container of a service."""
        return Container(self.engine, f"{self.name}_{service}_1")

    def down(self) -> None:
        """Stop and remove the containers; the data stays."""
        self.run("down")


def docker_tools() -> list[tuple[str, ...]]:
    """The tools of this machine that drive Docker."""
    return [
        tool
        for tool in DOCKER_TOOLS
        if shutil.which(tool[0])
        and subprocess.run([*tool, "version"], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
    ]


@contextmanager
def project(
    engine: Engine, tool: tuple[str, ...], parent: Path, image: str, settings: Mapping[str, str]
) -> Iterator[Project]:
    """A project folder that only this test uses; containers, networks and volumes are removed at the end."""
    name = f"onebox-test-{secrets.token_hex(4)}"
    folder = parent / name
    shutil.copytree(ROOT / "compose", folder)
    repository, _, tag = image.rpartition(":")
    made = Project(engine, tool, folder)
    made.set(
        COMPOSE_PROJECT_NAME=name, DEPLOY_OPENNEBULA_IMAGE_NAME=repository, DEPLOY_OPENNEBULA_IMAGE_TAG=tag,
        DEPLOY_BIND_ADDR="127.0.0.1", **settings,
    )  # fmt: skip
    try:
        yield made
    finally:
        made.try_run("down", "-v", "-t", "20")
        # podman-compose leaves them.
        engine.try_call("network", "rm", f"{name}_onenet", f"{name}_dbnet")
