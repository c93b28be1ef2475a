"""Steps for what operators bring along: the configuration patch, and the hooks before and after."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bootstrap import files, given, places, scripts
from bootstrap.context import Context, StepError
from onecfg import patch
from onecfg.errors import OnecfgError
from services.common import paths

_ROOTS = {"/etc/one": paths.etc, "/var/lib/one/remotes": paths.remotes}


def apply_patch(context: Context) -> None:
    """Apply OPENNEBULA_ONECFG_PATCH: every change of it, or none. May be repeated."""
    if not context.settings["OPENNEBULA_ONECFG_PATCH"]:
        context.say("none given")
        return
    source = context.settings["OPENNEBULA_ONECFG_PATCH"]
    try:
        text = given.patch(context.settings)
        plan = files.planned()
        report = _planned(text, plan) if plan else _applied(text, Path("/"))
    except given.GivenError as error:
        raise StepError(str(error)) from None
    except patch.NotSaved as error:
        reasons = "; ".join(error.report.unapplied()) or "the file holds no change"
        raise StepError(f"OPENNEBULA_ONECFG_PATCH: {source}: {error}: {reasons}") from None
    except OnecfgError as error:
        raise StepError(f"OPENNEBULA_ONECFG_PATCH: {source}: {error}") from None
    changed = ", ".join(report.changed_files) or "nothing, all was so already"
    context.say(f"{source}: {report.applied} of {report.total} changes; changed: {changed}")


def _applied(text: str, root: Path) -> patch.Report:
    return patch.apply(text, root=root, all_changes=True, is_repeatable=True)


def _planned(text: str, plan: files.Plan) -> patch.Report:
    """Apply it to a copy of the configuration as it would be, and note what comes out."""
    with tempfile.TemporaryDirectory(prefix="onebox-explain-") as folder:
        root = Path(folder)
        modes = {change.path: (change.mode, change.owner) for change in plan.changes}
        copies: dict[Path, Path] = {}
        for top, place in _ROOTS.items():
            present = {path for path in place().rglob("*") if path.is_file() and not path.is_symlink()}
            noted = {path for path in plan.texts if path.is_relative_to(place())}
            for path in sorted(present | noted):
                if files.exists(path):
                    copy = root / top.lstrip("/") / path.relative_to(place())
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(files.read(path).encode())
                    copies[path] = copy
        report = _applied(text, root)
        for path, copy in copies.items():
            after = copy.read_text(encoding="utf-8")
            if after != files.read(path):
                mode, owner = modes.get(path) or (path.stat().st_mode & 0o777, None)
                files.write(path, after, mode, owner)
        return report


def pre_hook(context: Context) -> None:
    """Run OPENNEBULA_PREBOOTSTRAP_HOOK."""
    _hook(context, "OPENNEBULA_PREBOOTSTRAP_HOOK")


def post_hook(context: Context) -> None:
    """Run OPENNEBULA_POSTBOOTSTRAP_HOOK."""
    _hook(context, "OPENNEBULA_POSTBOOTSTRAP_HOOK")


def _hook(context: Context, name: str) -> None:
    if not context.settings[name]:
        context.say("none given")
        return
    try:
        file = given.script(context.settings, name)
        if files.planned():
            context.say(f"would run {file}")
            return
        context.say(f"running {file}")
        scripts.run(file, _environment(context), context.say)
    except given.GivenError as error:
        raise StepError(str(error)) from None
    except scripts.ScriptFailed as error:
        raise StepError(f"{name}: {error}") from None
    context.say(f"{file} is done")


def _environment(context: Context) -> dict[str, str]:
    """The parameters that are no secrets, and what any program needs."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", "HOME") if name in os.environ}
    location = {"ONE_LOCATION": os.environ["ONE_LOCATION"]} if places.is_native() else {}
    return kept | location | context.settings.public()
