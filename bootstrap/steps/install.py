"""Steps that put folders and files in place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bootstrap import files, places
from bootstrap.context import Context, StepError
from onecfg import edit
from services.common import paths


def directories(context: Context) -> None:
    """Create the folders that are needed; in the container, give them to who uses them."""
    oneadmin, root = context.owner("oneadmin"), context.owner("root")
    wanted: list[tuple[Path, int, files.Owner | None]] = [
        (paths.var(), 0o750, oneadmin),
        (paths.log(), 0o750, oneadmin),
        (paths.run(), 0o755, oneadmin),
        (paths.run() / "wake", 0o755, oneadmin),
        (paths.auth_dir(), 0o700, oneadmin),
        (paths.var() / "datastores", 0o750, oneadmin),
        (paths.remotes(), 0o755, oneadmin),
        (places.supervisor(), 0o700 if context.native else 0o755, root),
        (places.programs(), 0o755, root),
        (places.failed(), 0o755, root),
    ]
    wanted.append((paths.etc(), 0o750, files.Owner(0, oneadmin.gid) if oneadmin else None))
    if context.has_inner_mysql:
        mysql = context.owner("mysql")
        wanted.append((places.mysql_data(), 0o750, mysql))
        if places.mysql_run() != paths.run():
            wanted.append((places.mysql_run(), 0o755, mysql))
    log_folder = places.program_logs()
    if log_folder:
        wanted.append((log_folder, 0o750, None))
    changed = 0
    for folder, mode, owner in wanted:
        try:
            changed += files.folder(folder, mode, owner)
        except OSError as error:
            raise StepError(f"{folder}: cannot be prepared: {error.strerror}") from None
    # A note from a start before this one says nothing about the programs of now.
    for note in [*places.failed().glob("*"), places.given_up()]:
        files.remove(note)
    context.say(f"{len(wanted)} directories, {changed} created or changed")


def stock_files(context: Context) -> None:
    """Copy stock configuration files that are not there; what an operator changed stays."""
    oneadmin = context.owner("oneadmin")
    owner = files.Owner(0, oneadmin.gid) if oneadmin else None
    copied = []
    for source in sorted(places.stock().rglob("*")):
        target = paths.etc() / source.relative_to(places.stock())
        if source.is_dir():
            files.folder(target, 0o750, owner)
        elif not files.exists(target):
            text = source.read_text(encoding="utf-8")
            if context.native and target.name == "oned.conf":
                # On somebody's machine: nobody from outside, until its owner says otherwise in the file.
                document = edit.open_text(text, "oned")
                document.set("LISTEN_ADDRESS", edit.quoted("127.0.0.1"))
                text = document.text
            files.write(target, text, 0o640, owner)
            copied.append(str(target.relative_to(paths.etc())))
    context.say(f"copied {', '.join(copied)}" if copied else "nothing missing")


def _linked(target: Path, to: Path, owner: files.Owner | None) -> bool:
    """Make ``target`` a link; whether it was none, or another one, before."""
    if target.is_symlink() and target.readlink() == to:
        return False
    if files.planned():
        return True
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.symlink_to(to)
    if owner is not None:
        os.chown(target, owner.uid, owner.gid, follow_symlinks=False)
    return True


def remotes(context: Context) -> None:
    """Bring the driver actions up to this version; foreign drivers and changed settings (etc/) stay."""
    source = places.CODE / "services" / "remotes"
    owner = context.owner("oneadmin")
    copied = total = 0
    for file in sorted(source.rglob("*")):
        relative = file.relative_to(source)
        if "__pycache__" in relative.parts or relative.name == "__init__.py":
            continue
        if any(part.startswith(".") for part in relative.parts):  # caches of a developer's tools
            continue
        target = paths.remotes() / relative
        if file.is_dir():
            files.folder(target, 0o755, owner)
            continue
        total += 1
        is_setting = relative.parts[0] == "etc"
        if is_setting and target.exists():
            continue
        if file.is_symlink():  # one script that is several actions
            copied += _linked(target, file.readlink(), owner)
            continue
        text = file.read_text(encoding="utf-8")
        mode = 0o755 if text.startswith("#!") else 0o644
        if target.is_dir() and not target.is_symlink() and not files.planned():
            shutil.rmtree(target)
        copied += files.write(target, text, mode, owner)
    context.say(f"{total} files, {copied} written")
