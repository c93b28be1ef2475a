"""``patch``: applies a file of SQL statements, or a patch that is a Python module, to the database.

A Python patch has a function ``patch(tx, arguments) -> bool``: ``tx`` is the transaction, ``arguments`` what
--extra gave. Whatever it raises, or False, takes everything back. It may also have

    VERSIONS    the versions of the shared and the local tables that it is for (default: this release's)
    IS_HOT      whether a front-end may be at work meanwhile (default: no; then a backup is made first)
    ask(tx, arguments) -> list[str]    completes the arguments by asking, before the transaction begins
"""

from __future__ import annotations

import importlib.util
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.oned.errors import OneError
from services.oned.onedb import backup, version
from services.oned.onedb.errors import OnedbError
from services.oned.onedb.target import Target, require_stopped
from services.oned.store import Tx
from services.oned.version import SCHEMA_VERSION

_SHIPPED = Path(__file__).with_name("patches")


@dataclass(frozen=True)
class Patch:
    """A patch that was loaded."""

    name: str
    apply: Callable[[Tx, list[str]], bool]
    ask: Callable[[Tx, list[str]], list[str]]
    versions: tuple[str, str] = (SCHEMA_VERSION, SCHEMA_VERSION)
    is_hot: bool = False


def patch(target: Target, options: Namespace) -> int:
    """Apply a patch in one transaction."""
    chosen = _load(options.file)
    store = target.store()
    if not chosen.is_hot:
        require_stopped(target, store)
    found = version.read(target, store)
    if (found.shared.version, found.local.version) != chosen.versions:
        raise OnedbError(
            f"Version mismatch: the patch is for {chosen.versions[0]} (shared) and {chosen.versions[1]} "
            f"(local), the database is of {found.shared.version} and {found.local.version}"
        )
    if not chosen.is_hot:
        backup.write(target, store, Path(options.backup) if options.backup else None)
    print(f"  > Running patch {chosen.name}")
    try:
        with store.read() as tx:
            arguments = chosen.ask(tx, options.extra or [])
        store.run(lambda tx: _apply(tx, chosen, arguments))
    except OneError as error:
        raise OnedbError(
            f"Error running patch {chosen.name}: {error.message}. Nothing was changed."
        ) from None
    print("  > Done")
    return 0


def _apply(tx: Tx, chosen: Patch, arguments: list[str]) -> None:
    if not chosen.apply(tx, arguments):
        raise OneError("it says that it failed")


def shipped() -> list[str]:
    """The names of the patches that come with this release."""
    return sorted(file.stem for file in _SHIPPED.glob("[a-z]*.py"))


def _load(name: str) -> Patch:
    """The patch of a file, or of one that is shipped. Raises OnedbError."""
    file = Path(name)
    known = _SHIPPED / f"{file.stem}.py"
    if file.suffix == ".rb":
        advice = f" The same patch is here: onedb patch {file.stem}." if known.is_file() else ""
        raise OnedbError(f"{file} is a program for OpenNebula's own command, which cannot run here.{advice}")
    if not file.is_file() and file.name == file.stem and known.is_file():
        file = known
    if not file.is_file():
        raise OnedbError(f"File was not found: {file}. Shipped patches: {', '.join(shipped())}")
    if file.suffix == ".sql":
        return _statements(file)
    if file.suffix != ".py":
        raise OnedbError(f"{file}: expected a file of SQL statements (.sql) or a Python module (.py)")
    return _module(file)


def _statements(file: Path) -> Patch:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OnedbError(f"{file}: cannot be read: {error}") from None

    def apply(tx: Tx, arguments: list[str]) -> bool:
        tx.given(text)
        return True

    return Patch(str(file), apply, _ask_nothing)


def _ask_nothing(tx: Tx, arguments: list[str]) -> list[str]:
    return arguments


def _module(file: Path) -> Patch:
    spec = importlib.util.spec_from_file_location("onedb_patch", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is the patch's
        raise OnedbError(f"{file}: cannot be loaded: {type(error).__name__}: {error}") from None
    apply = getattr(module, "patch", None)
    if not callable(apply):
        raise OnedbError(f"{file}: has no function patch(tx, arguments)")
    given = getattr(module, "VERSIONS", (SCHEMA_VERSION, SCHEMA_VERSION))
    return Patch(
        str(file),
        apply,
        getattr(module, "ask", _ask_nothing),
        (str(given[0]), str(given[1])),
        bool(getattr(module, "IS_HOT", False)),
    )
