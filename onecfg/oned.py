"""Files like oned.conf: settings, sections, sections told apart by their NAME, repeated settings."""

from __future__ import annotations

import re
from typing import Any

from onecfg.change import Change, Outcome
from onecfg.document import Document, cut, line_end, line_of, line_start, scalar, with_line
from onecfg.errors import ChangeError, ParseError, PathNotFound
from onecfg.oned_diff import changes
from onecfg.oned_text import Entry, Part, checked, entries

NAMED = frozenset(
    ["IM_MAD", "VM_MAD", "TM_MAD_CONF", "DS_MAD_CONF", "MARKET_MAD_CONF", "AUTH_MAD_CONF", "VN_MAD_CONF"]
    + [f"{kind}_HOOK" for kind in ("VM", "HOST", "IMAGE", "VNET", "USER", "GROUP")]
)
IDENTIFIER = "NAME"
REPEATED = frozenset(
    [f"{kind}_RESTRICTED_ATTR" for kind in ("VM", "IMAGE", "VNET", "USER", "GROUP")]
    + [f"{kind}_ENCRYPTED_ATTR"
       for kind in ("DOCUMENT", "HOST", "IMAGE", "VM", "VNET", "DATASTORE", "CLUSTER")]
    + [f"INHERIT_{kind}_ATTR" for kind in ("DATASTORE", "IMAGE", "VNET")]
)  # fmt: skip
_PLAIN_NAME = re.compile(r"[A-Z0-9_]+")


class OnedDocument(Document):
    """A file in the grammar of oned.conf. Values are literals: text carries its own quotes."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.entries: list[Entry] = []
        self._take(text)

    def get(self, path: tuple[str, ...]) -> Any:
        """The literal of a setting, a list of them for a repeated one, a map for a section."""
        name, identifier, key = self._place(path)
        found = [entry for entry in self.entries if entry.name == name]
        if identifier is not None:
            found = [entry for entry in found if _identity(entry) == identifier]
        if not found:
            raise PathNotFound(path)
        if key is not None:
            part = found[-1].part(key)
            if part is None:
                raise PathNotFound(path)
            return part.literal
        if name in REPEATED:
            return [entry.literal for entry in found]
        if found[-1].parts is None:
            return found[-1].literal
        if name in NAMED and identifier is None:
            return {_identity(entry): _parts(entry) for entry in found}
        return _parts(found[-1])

    def apply(self, change: Change) -> Outcome:
        name, identifier, key = self._place(change.full_path)
        if change.state == "rm" and change.key is None and change.old is not None:
            return self._remove_value(name, change)
        is_repeated = (name in REPEATED or bool(change.extra.get("multiple"))) and key is None
        if change.state == "rm":
            return self._remove(name, identifier, key, change)
        literal = checked(scalar(change.value, "/".join(change.full_path)))
        if key is None:
            if any(entry.parts is not None for entry in self.entries if entry.name == name):
                raise ChangeError(f"{name} is a section: expected {name}/KEY")
            if change.state == "ins" and is_repeated:
                return self._add_repeated(name, literal)
            return self._set_setting(name, literal, change)
        return self._set_part(name, identifier, key, literal, change)

    def diff(self, newer: Document) -> list[Change]:
        assert isinstance(newer, OnedDocument)
        return changes(self.entries, newer.entries, NAMED, REPEATED)

    def _take(self, text: str) -> None:
        found = entries(text)
        _check_sections(text, found)
        self.text, self.entries = text, found

    def _place(self, path: tuple[str, ...]) -> tuple[str, str | None, str | None]:
        """Name, identifier (with quotes) and key of a path."""
        if not path:
            raise PathNotFound(path)
        name = path[0].upper()
        if not _PLAIN_NAME.fullmatch(name):
            raise ChangeError(f"path {'/'.join(path)}: a name has letters, digits and _ only")
        if name in NAMED:
            if len(path) > 3:
                raise ChangeError(f'path {"/".join(path)}: expected {name}/"NAME"/KEY')
            if len(path) == 1:
                return name, None, None
            key = path[2].upper() if len(path) == 3 else None
        else:
            if len(path) > 2:
                raise ChangeError(f"path {'/'.join(path)}: expected KEY or SECTION/KEY")
            if len(path) == 1:
                return name, None, None
            key = path[1].upper()
        if key is not None and not _PLAIN_NAME.fullmatch(key):
            raise ChangeError(f"path {'/'.join(path)}: a name has letters, digits and _ only")
        return name, (path[1] if name in NAMED else None), key

    def _find(self, name: str, identifier: str | None) -> list[Entry]:
        found = [entry for entry in self.entries if entry.name == name]
        return found if identifier is None else [entry for entry in found if _identity(entry) == identifier]

    def _set_setting(self, name: str, literal: str, change: Change) -> Outcome:
        if name in NAMED:
            raise ChangeError(f'{name} is a section that repeats: expected {name}/"NAME"/KEY')
        found = self._find(name, None)
        if not found:
            self._append(name, f"{name} = {literal}")
            return Outcome(True, mode="" if change.state == "ins" else "replace")
        if change.state == "ins" and any(entry.literal == literal for entry in found):
            return Outcome(False, is_present=True)
        text = self.text
        for entry in reversed(found[1:]):
            text = cut(text, entry.start, entry.end)
        first = found[0]
        self._take(text[: first.value_start] + literal + text[first.end :])
        return Outcome(
            True, mode="" if _is_expected(first.literal, change) and len(found) == 1 else "replace"
        )

    def _add_repeated(self, name: str, literal: str) -> Outcome:
        found = self._find(name, None)
        if any(entry.literal == literal for entry in found):
            return Outcome(False, is_present=True)
        if found:
            self._take(with_line(self.text, line_end(self.text, found[-1].end), f"{name} = {literal}"))
        else:
            self._append(name, f"{name} = {literal}")
        return Outcome(True)

    def _remove_value(self, name: str, change: Change) -> Outcome:
        literal = scalar(change.old, name)
        if len(change.full_path) > 1:
            raise ChangeError(
                f"path {'/'.join(change.full_path)}: only repeated settings are removed by value"
            )
        found = [entry for entry in self._find(name, None) if entry.literal == literal]
        if not found:
            return Outcome(False, is_present=True, reason=f"{name} has no such value")
        self._take(cut(self.text, found[0].start, found[0].end))
        return Outcome(True)

    def _remove(self, name: str, identifier: str | None, key: str | None, change: Change) -> Outcome:
        found = self._find(name, identifier)
        if key is not None and not found:
            raise PathNotFound(change.path)
        if name in NAMED and identifier is None:
            raise ChangeError(f'{name} repeats: expected {name}/"NAME"')
        if name in NAMED and key == IDENTIFIER:
            raise ChangeError(f"{name}/{identifier}: {IDENTIFIER} tells sections apart; remove the section")
        if change.old is not None and name in REPEATED:
            found = [entry for entry in found if entry.literal == change.old]
        text = self.text
        is_found = False
        for entry in reversed(found):
            if key is None:
                text = cut(text, entry.start, entry.end)
                is_found = True
            elif any(part.name == key for part in entry.parts or ()):
                text = _without_part(text, entry, key)
                is_found = True
        if not is_found:
            return Outcome(False, is_present=True, reason="it is not there")
        self._take(text)
        return Outcome(True)

    def _set_part(self, name: str, identifier: str | None, key: str, literal: str, change: Change) -> Outcome:
        found = self._find(name, identifier)
        if not found:
            return self._new_section(name, identifier, key, literal, change)
        entry = found[-1]
        if entry.parts is None:
            raise ChangeError(f"{name} is a single value, not a section")
        part = entry.part(key)
        if part is None:
            self._take(_with_part(self.text, entry, key, literal))
            return Outcome(True, mode="" if change.state == "ins" else "replace")
        if change.state == "ins" and part.literal == literal:
            return Outcome(False, is_present=True)
        self._take(self.text[: part.value_start] + literal + self.text[part.end :])
        return Outcome(True, mode="" if _is_expected(part.literal, change) else "replace")

    def _new_section(
        self, name: str, identifier: str | None, key: str, literal: str, change: Change
    ) -> Outcome:
        if name not in NAMED:
            self._append(name, f"{name} = [\n    {key} = {literal} ]")
            return Outcome(True, mode="" if change.state == "ins" else "replace")
        if key != IDENTIFIER:
            raise PathNotFound(change.path)
        if literal != identifier:
            raise ChangeError(
                f"{name}/{identifier}: a new section's {IDENTIFIER} must be the one of the path"
            )
        alike = self._find(name, None)
        section = f"{name} = [\n    {key} = {literal} ]"
        if alike:
            self._take(with_line(self.text, line_end(self.text, alike[-1].end), "\n" + section))
        else:
            self._append(name, section)
        return Outcome(True)

    def _append(self, name: str, line: str) -> None:
        """Below the stock file's commented-out line of this setting, else at the end."""
        at = len(self.text)
        for match in re.finditer(rf"(?im)^[ \t]*#[ \t]*{re.escape(name)}[ \t]*=.*$", self.text):
            if "\n" not in line and not any(e.start < match.start() < e.end for e in self.entries):
                at = line_end(self.text, match.end())
                break
        self._take(with_line(self.text, at, line))


def _check_sections(text: str, found: list[Entry]) -> None:
    seen: set[tuple[str, str | None]] = set()
    for entry in found:
        if entry.parts is None:
            if entry.name in NAMED:
                raise ParseError(f"line {line_of(text, entry.start)}: {entry.name} must be a section [ ... ]")
            continue
        line = line_of(text, entry.start)
        identity = None
        if entry.name in NAMED:
            names = [part for part in entry.parts if part.name == IDENTIFIER]
            if len(names) != 1:
                problem = "Missing" if not names else "Multiple"
                raise ParseError(f"line {line}: {problem} {IDENTIFIER} identification for {entry.name}")
            identity = names[0].literal
        if (entry.name, identity) in seen:
            what = f"Duplicate identification for {entry.name}[{identity}]"
            raise ParseError(
                f"line {line}: {what if identity else f'Invalid multiple sections of {entry.name}'}"
            )
        seen.add((entry.name, identity))


def _is_expected(literal: str, change: Change) -> bool:
    return change.old is not None and literal == str(change.old)


def _identity(entry: Entry) -> str | None:
    part = entry.part(IDENTIFIER)
    return part.literal if part else None


def _parts(entry: Entry) -> dict[str, str]:
    return {part.name: part.literal for part in entry.parts or ()}


def _without_part(text: str, entry: Entry, key: str) -> str:
    """The text without a part, and without the whole section when it was the last."""
    parts = entry.parts or ()
    kept = [part for part in parts if part.name != key]
    if not kept:
        return cut(text, entry.start, entry.end)
    for index in range(len(parts) - 1, -1, -1):
        if parts[index].name != key:
            continue
        later = any(part.name != key for part in parts[index + 1 :])
        # A part goes with the comma behind it, a trailing one with the comma before it.
        if later:
            text = text[: parts[index].start] + text[parts[index + 1].start :]
        else:
            text = text[: parts[index - 1].end] + text[parts[index].end :]
    return text


def _with_part(text: str, entry: Entry, key: str, literal: str) -> str:
    """The text with a further part at the end of a section, laid out like the part before it."""
    parts = entry.parts or ()
    if not parts:
        return text[: entry.value_start + 1] + f" {key} = {literal} " + text[entry.end - 1 :]
    last = parts[-1]
    if line_start(text, last.start) == line_start(text, parts[0].start) and len(parts) > 1:
        return text[: last.end] + f", {key} = {literal}" + text[last.end :]
    indent = " " * (last.start - line_start(text, last.start))
    line = f"{indent}{_padded(text, last, key)}= {literal}"
    rest = text[last.end : line_end(text, last.end)]
    if rest.strip().startswith("#"):  # the comment stays with its part
        comment_end = last.end + len(rest.rstrip("\n"))
        return text[: last.end] + "," + text[last.end : comment_end] + "\n" + line + text[comment_end:]
    return text[: last.end] + ",\n" + line + text[last.end :]


def _padded(text: str, last: Part, key: str) -> str:
    """The name and blanks, so that the equal signs of the section stay below each other."""
    column = text.find("=", last.start) - last.start
    return key.ljust(column) if len(key) < column else key + " "
