"""What each subcommand of onecfg does; each returns the exit code, and raises OnecfgError for code 255."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from onecfg import change, compare, files, patch_text
from onecfg import patch as patching
from onecfg.documents import parse
from onecfg.errors import OnecfgError, ParseError, PathNotFound
from onecfg.log import Log

ERROR = 255
VERSION = "6.0.0"
STATE_FILE = "onecfg.conf"


def patch(options: argparse.Namespace, log: Log) -> int:
    """Apply a patch from a file or standard input."""
    if options.format is not None and options.format not in patch_text.FORMATS:
        formats = ", ".join(patch_text.FORMATS)
        print(f"Unsupported format '{options.format}'. Available formats - {formats}", file=sys.stderr)
        return ERROR
    if options.file is None and sys.stdin.isatty():
        print("No patch file or data on standard input found.", file=sys.stderr)
        return ERROR
    if os.geteuid() != 0 and not options.unprivileged and not os.environ.get("ONE_LOCATION"):
        raise OnecfgError("only root may set the owners of files; as another user give --unprivileged")
    text = _input(options.file)
    root = _root(options)
    try:
        changes = patching.read(text, options.format, root=root)
        log.say("INFO", f"Applying patch to {len(changes)} files")
        report = patching.apply_changes(
            changes,
            root=root,
            all_changes=options.all,
            is_repeatable=False,
            is_noop=options.noop,
            keeps_owner=not options.unprivileged,
        )
    except patching.PatchFailed as error:
        log.say("ERROR", str(error))
        return ERROR
    except patching.NotSaved as error:
        _tell(error.report, log)
        log.say("ERROR", str(error))
        return ERROR
    if report.backup:
        log.say("ANY", f"Backup stored in '{report.backup}'")
    _tell(report, log)
    log.say("INFO", f"Applied {report.applied}/{report.total} changes")
    if options.noop:
        log.say("INFO", "Changes ARE NOT saved in no-op mode!")
    return 0 if report.applied == report.total else 1


def diff(options: argparse.Namespace, log: Log) -> int:
    """Print the changes that lead from the stock files to those in use."""
    if options.format not in ("text", "line", "yaml"):
        print(f"Unsupported format '{options.format}'. Available formats - text, line, yaml", file=sys.stderr)
        return ERROR
    root = _root(options)
    present = dict(files.scan(root))
    for name in options.files:
        files.known(name, root)
    wanted = options.files or [*present, *(name for name in compare.stock_names() if name not in present)]
    found = {}
    for name in wanted:
        if name not in present:
            log.say("INFO", f"File '{name}' - missing")
        elif not compare.stock(name).is_file():
            log.say("INFO", f"File '{name}' - without a stock file")
        elif changes := compare.changes(name, root):
            found[name] = changes
    if options.format == "yaml":
        sys.stdout.write(compare.as_yaml(found))
    elif options.format == "line":
        lines, warnings = compare.as_lines(found)
        sys.stdout.write(lines)
        for warning in warnings:
            log.say("WARN", warning)
    else:
        sys.stdout.write(compare.as_text(found))
    return 0


def validate(options: argparse.Namespace, log: Log) -> int:
    """Read every known file; 1 when one cannot be read."""
    root = _root(options)
    code = 0
    for name, entry in files.scan(root):
        path = files.place(name, root)
        try:
            document = parse(files.read(path), entry.format)
            if document.diff(parse(document.text, entry.format)):
                raise ParseError("found differences to itself")
            log.say("INFO", f"File '{path}' - OK")
        except OnecfgError as error:
            code = 1
            log.say("ERROR", f"Unable to process file '{name}' - {error}")
    return code


def get(options: argparse.Namespace, log: Log) -> int:
    """Print the value of one setting, as change descriptors write it."""
    root = _root(options)
    entry = files.known(options.file, root)
    try:
        document = parse(files.read(files.place(options.file, root)), entry.format)
    except ParseError as error:
        raise OnecfgError(f"Unable to process file '{options.file}' - {error}") from None
    try:
        value = document.get(change.parse_path(options.path))
    except PathNotFound as error:
        log.say("ERROR", str(error))
        return 1
    print(json.dumps(value, ensure_ascii=False))
    return 0


def status(options: argparse.Namespace, log: Log) -> int:
    """Print the versions; 255 when the files are said to be of another release."""
    version = _config_version(_root(options)) or VERSION
    print(f"--- Versions ------------------------------\nOpenNebula:  {VERSION}\nConfig:      {version}")
    if version.split(".")[:2] != VERSION.split(".")[:2]:
        print(f"ERROR: Unsupported config version {version[:20]}")
        return ERROR
    print("\n--- Available Configuration Updates -------\nNo updates available.")
    return 0


def not_available(options: argparse.Namespace, log: Log) -> int:
    """Say that a subcommand has no meaning here."""
    raise OnecfgError(
        f"{options.command} is not available in this version: it knows the configuration of release {VERSION}"
        " only; changes of an older one can be carried over with diff and patch"
    )


def _tell(report: patching.Report, log: Log) -> None:
    for file in report.files:
        log.say("INFO", f"Patched '{file.name}' with {file.applied}/{len(file.results)} changes")
        log.say("DEBUG", f"--- PATCH REPORT '{file.name}' ---")
        for item, outcome in file.results:
            mark = "[OK]" if outcome.is_applied else "[--]"
            mode = f"{outcome.mode} " if outcome.mode else ""
            log.say("DEBUG", f"Patch {mark} {mode}{change.as_line(item, is_masked=True)}")
            if outcome.reason:
                log.say("WARN", f"{item.where}: {outcome.reason}")


def _input(path: Path | None) -> str:
    if path is None:
        return files.text_of(sys.stdin.buffer.read(files.MAX_BYTES + 1), "standard input")
    try:
        with path.open("rb") as file:
            return files.text_of(file.read(files.MAX_BYTES + 1), str(path))
    except OSError as error:
        raise OnecfgError(f"{path}: cannot be read: {error.strerror}") from None


def _root(options: argparse.Namespace) -> Path:
    root: Path = options.prefix
    if not root.is_dir():
        raise OnecfgError(f"{root}: the prefix must be a folder")
    return root.resolve()


def _config_version(root: Path) -> str | None:
    folder = os.environ.get("ONECFG_ETC_DIR")
    path = Path(folder, STATE_FILE) if folder else files.place(f"/etc/{STATE_FILE}", root)
    if not path.is_file():
        return None
    data = parse(files.read(path), "yaml").get(())
    version = (data.get("version") or data.get(":version")) if isinstance(data, dict) else None
    return str(version) if version else None
