"""What an operator changed: the files in use compared with the stock files of this release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onecfg import catalog, files
from onecfg.change import Change, as_line
from onecfg.documents import parse
from onecfg.errors import OnecfgError, ParseError

CODE = Path(__file__).resolve().parents[1]


def stock(name: str) -> Path:
    """Where the stock file of an absolute name lies."""
    if name.startswith(f"{catalog.ETC}/"):
        return CODE / "share" / "etc" / name.removeprefix(f"{catalog.ETC}/")
    return CODE / "services" / "remotes" / name.removeprefix("/var/lib/one/remotes/")


def stock_names() -> Iterator[str]:
    """The names of all stock files that the catalogue knows."""
    for folder, top in (("share/etc", catalog.ETC), ("services/remotes/etc", catalog.REMOTES_ETC)):
        for file in sorted((CODE / folder).rglob("*")):
            name = f"{top}/{file.relative_to(CODE / folder).as_posix()}"
            if file.is_file() and catalog.find(name):
                yield name


def changes(name: str, root: Path) -> list[Change]:
    """The changes that lead from the stock file to the file in use. Raises OnecfgError naming the file."""
    entry = files.known(name, root)
    texts = (files.read(stock(name)), files.read(files.place(name, root)))
    if texts[0] == texts[1]:
        return []
    try:
        old, new = (parse(text, entry.format) for text in texts)
    except ParseError as error:
        raise OnecfgError(f"Unable to process file '{name}' - {error}") from None
    return old.diff(new)


def as_text(found: dict[str, list[Change]]) -> str:
    """A paragraph for each file, to be read by people."""
    paragraphs = [
        "\n".join([name, *(f"- {as_line(change)}" for change in items)]) + "\n"
        for name, items in found.items()
    ]
    return "\n".join(paragraphs)


def as_lines(found: dict[str, list[Change]]) -> tuple[str, list[str]]:
    """Line format, and what it cannot say: one warning for each."""
    lines, warnings = [], []
    for name, items in found.items():
        for change in items:
            is_export = "export" in change.extra
            if any("/" in part for part in change.full_path):
                warnings.append(f"{name}: a change below '{change.full_path[0]}' needs --format yaml")
            elif is_export and change.value is None:
                warnings.append(f"{name}: the export of '{change.key}' needs --format yaml")
            else:
                lines.append(f"{name} {as_line(change)}\n")
                if is_export:
                    warnings.append(f"{name}: the export of '{change.key}' needs --format yaml")
    return "".join(lines), warnings


def as_yaml(found: dict[str, list[Change]]) -> str:
    """YAML format: everything that is known about each change."""
    import yaml

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    patches = {}
    for name, items in found.items():
        entry = catalog.find(name)
        assert entry is not None
        patches[name] = {"class": entry.class_name, "change": [_structure(change) for change in items]}
    return str(
        yaml.dump(
            {"patches": patches},
            Dumper=Dumper,
            sort_keys=False,
            explicit_start=True,
            allow_unicode=True,
            width=4096,
        )
    )


def _structure(change: Change) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": list(change.path), "key": change.key}
    if change.state != "rm" and not (change.value is None and "export" in change.extra):
        shown["value"] = change.value
    if change.old is not None:
        shown["old"] = change.old
    extra = {key: value for key, value in change.extra.items() if key != "hintings"}
    return shown | {"state": change.state, "extra": extra}
