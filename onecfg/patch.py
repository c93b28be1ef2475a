"""Applying change descriptors to configuration files: all files are written, or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from onecfg import catalog, files, patch_text
from onecfg.change import Change, Outcome
from onecfg.documents import parse
from onecfg.errors import ChangeError, OnecfgError, ParseError, PathNotFound


@dataclass
class FileReport:
    """What became of the changes of one file."""

    name: str
    results: list[tuple[Change, Outcome]] = field(default_factory=list)
    is_changed: bool = False

    @property
    def applied(self) -> int:
        """How many changes count as applied."""
        return sum(outcome.is_applied for _, outcome in self.results)


@dataclass
class Report:
    """What became of a patch. ``backup``: where the files were saved before; None when none was written."""

    files: list[FileReport] = field(default_factory=list)
    backup: Path | None = None

    @property
    def applied(self) -> int:
        """How many changes count as applied."""
        return sum(file.applied for file in self.files)

    @property
    def total(self) -> int:
        """How many changes the patch has."""
        return sum(len(file.results) for file in self.files)

    @property
    def changed_files(self) -> list[str]:
        """Names of the files whose content is another one now."""
        return [file.name for file in self.files if file.is_changed]

    def unapplied(self) -> list[str]:
        """One line for each change that was not applied: place in the patch, file, reason."""
        return [
            f"{change.where}: {file.name}: {outcome.reason or 'the value is there already'}"
            for file in self.files
            for change, outcome in file.results
            if not outcome.is_applied
        ]


class PatchFailed(OnecfgError):
    """A file that cannot be patched, or a change that makes no sense; nothing was written."""


class NotSaved(OnecfgError):
    """Too few changes could be applied; nothing was written. ``report`` says which."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


def apply(
    text: str,
    format_name: str | None = None,
    *,
    root: Path = Path("/"),
    all_changes: bool = False,
    is_repeatable: bool = False,
    is_noop: bool = False,
    keeps_owner: bool = True,
) -> Report:
    """Apply a patch to the files below ``root`` (under ONE_LOCATION: to those of its prefix).

    format_name: line or yaml; None looks at the first line. all_changes: write nothing unless every change
    applies. is_repeatable: a change whose outcome the file has already counts as applied, so that a patch can
    be given again at every start. is_noop: write nothing. keeps_owner: False for a user who may not give away
    files. Raises OnecfgError, which names the line of the patch; nothing was written then.
    """
    return apply_changes(
        read(text, format_name, root=root),
        root=root,
        all_changes=all_changes,
        is_repeatable=is_repeatable,
        is_noop=is_noop,
        keeps_owner=keeps_owner,
    )


def read(text: str, format_name: str | None = None, *, root: Path = Path("/")) -> dict[str, list[Change]]:
    """The changes of a patch, by file. Raises OnecfgError, NotSaved when there is none."""
    changes = patch_text.parse(text, format_name or patch_text.detect(text), root)
    if not changes:
        raise NotSaved("No changes to apply", Report())
    return changes


def apply_changes(
    changes: dict[str, list[Change]],
    *,
    root: Path,
    all_changes: bool,
    is_repeatable: bool,
    is_noop: bool,
    keeps_owner: bool,
) -> Report:
    """Apply changes that ``read`` returned; see ``apply``."""
    files.check_links(root)
    with files.lock(root):
        report = Report()
        texts: dict[Path, str] = {}
        for name, wanted in changes.items():
            path = files.place(name, root)
            before = files.read(path)
            file, after = _patched(name, before, wanted, is_repeatable)
            report.files.append(file)
            if after != before:
                file.is_changed = True
                texts[path] = after
        if not report.applied:
            raise NotSaved("No changes applied", report)
        if all_changes and report.applied != report.total:
            missing = report.total - report.applied
            raise NotSaved(f"Modifications not saved due to {missing} unapplied changes!", report)
        if texts and not is_noop:
            report.backup = files.backup(root)
            files.write_all(texts, keeps_owner=keeps_owner)
        return report


def _patched(name: str, text: str, changes: list[Change], is_repeatable: bool) -> tuple[FileReport, str]:
    entry = catalog.find(name)
    assert entry is not None
    report = FileReport(name)
    try:
        document = parse(text, entry.format)
    except ParseError as error:
        raise PatchFailed(f"Failed to patch file '{name}' - {error}") from None
    for change in changes:
        try:
            outcome = document.apply(change)
        except PathNotFound as error:
            outcome = Outcome(False, reason=str(error))
        except ChangeError as error:
            raise PatchFailed(f"Failed to patch file '{name}' - {change.where}: {error}") from None
        if is_repeatable and outcome.is_present:
            outcome = Outcome(True, is_present=True)
        report.results.append((change, outcome))
    return report, document.text
