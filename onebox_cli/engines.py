"""Which engine an instance runs on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from onebox_cli import container
from onebox_cli.container import Container
from onebox_cli.instance import Instance
from onebox_cli.native import Native
from onebox_cli.ui import Failure


class Engine(Protocol):
    """What every engine can do with an instance."""

    instance: Instance

    def up(self, *, wait: bool) -> bool: ...
    def down(self) -> bool: ...
    def purge(self) -> None: ...
    def is_running(self) -> bool: ...
    def problems(self) -> list[str]: ...
    def programs(self) -> list[str]: ...
    def logs(self, program: str | None, follow: bool) -> int: ...
    def client_environment(self) -> dict[str, str]: ...
    def shell(self) -> int: ...
    def onedb(self, words: Sequence[str], stdin: BinaryIO) -> int: ...


def of(instance: Instance) -> Engine:
    """The engine of a known instance."""
    return Native(instance) if instance.engine == "native" else Container(instance)


def for_up(known: Instance, wanted: str, port_offset: int | None, db: str | None) -> Engine:
    """The engine to start an instance on. Raises Failure when a running instance would have to change."""
    if known.engine:
        name = known.engine if wanted == "auto" else wanted
        changes = {"engine": name, "port_offset": port_offset, "db": db}
        changed = [
            key for key, value in changes.items() if value is not None and value != getattr(known, key)
        ]
        if changed and of(known).is_running():
            shown = ", ".join(f"{key} {getattr(known, key)}" for key in changed)
            raise Failure(
                f"{known.name} is running with {shown.replace('_', '-')}",
                advice=f"./onebox down{known.flags()} first, or pick another instance with --name or --data",
            )
        if {"engine", "db"} & set(changed):
            what = " and ".join(f"{key} {getattr(known, key)}" for key in changed if key != "port_offset")
            raise Failure(
                f"{known.name} has its data in {what}",
                advice=f"./onebox down --purge{known.flags()} to begin anew, or another instance: --name",
            )
        return of(known.with_options(port_offset=port_offset))
    name = _automatic() if wanted == "auto" else wanted
    if name != "native":
        container.check(name)
    default_db = "sqlite" if name == "native" else "mysql"
    return of(known.with_options(engine=name, port_offset=port_offset, db=db or default_db))


def for_build(known: Instance, wanted: str) -> Container:
    """The engine to build the image with. Raises Failure when there is none."""
    name = wanted
    if name == "auto":
        name = known.engine if known.engine in container.ENGINES else _automatic()
    if name == "native":
        raise Failure("no container engine answers", advice="start Docker, or install Podman")
    container.check(name)
    return Container(known.with_options(engine=name))


def _automatic() -> str:
    for name in container.ENGINES:
        if not container.why_unusable(name):
            return name
    return "native"
