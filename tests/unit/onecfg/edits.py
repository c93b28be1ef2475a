"""Random edits of a configuration file that an operator could make, each place at most once."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from onecfg.change import Change
from onecfg.document import Document
from onecfg.oned import NAMED, REPEATED, OnedDocument
from onecfg.shell import ShellDocument

_TEXT = st.text(st.characters(max_codepoint=0x17F, exclude_categories=["Cc", "Cf", "Cs"]), max_size=12)
_WORD = st.from_regex(r"\A[A-Za-z0-9_./:@%+-]{1,10}\Z")
_QUOTED = _TEXT.map(lambda text: '"' + re.sub(r"[\\`$]", "/", text).replace('"', '\\"') + '"')
_LITERAL = st.one_of(_WORD, _QUOTED)
_SHELL = st.one_of(_QUOTED, st.from_regex(r"\A[A-Za-z0-9_./:@%+-]{0,10}\Z"))
_NEW_KEY = st.from_regex(r"\AX[A-Z]{2,6}_NEW\Z")
_SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.integers(-999, 999).map(lambda n: n / 8),
    _TEXT,
    st.from_regex(r"\A:[a-z_]{1,8}\Z"),
    st.sampled_from(["yes", "no", "1:30", "0x1", "1e3", "null", "~", "2020-01-01", "- a"]),
)  # fmt: skip
_YAML_KEY = st.from_regex(r"\A:?x[a-z_.-]{1,8}[a-z]\Z")
_YAML = st.recursive(
    _SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_YAML_KEY, inner, max_size=3)),
    max_leaves=6,
)


def changes(document: Document) -> st.SearchStrategy[list[Change]]:
    """Lists of changes that make sense for the document."""
    if isinstance(document, OnedDocument):
        return _oned(document)
    if isinstance(document, ShellDocument):
        return _shell(document)
    return _yaml(document)


def _change(state: str, path: tuple[str, ...], value: Any = None) -> Change:
    return Change(state, path[:-1], path[-1], value)


@st.composite
def _oned(draw: st.DrawFn, document: OnedDocument) -> list[Change]:
    settings, sections, parts, lasting = [], [], [], set()
    for entry in document.entries:
        if entry.parts is None:
            if entry.name not in REPEATED:
                settings.append((entry.name,))
        else:
            identity = entry.part("NAME") if entry.name in NAMED else None
            path = (entry.name, identity.literal) if identity else (entry.name,)
            sections.append(path)
            names = [part.name for part in entry.parts if part.name != "NAME" or not identity]
            parts += [(*path, name) for name in names]
            # A section that loses all its parts is gone, and would come back at the end of the file.
            lasting.update((*path, name) for name in names[:1] if not identity)
    made = []
    places = [*settings, *parts]
    for path in draw(st.lists(st.sampled_from(places), unique=True, max_size=6)) if places else []:
        is_removed = draw(st.integers(0, 3)) == 0 and path not in lasting
        made.append(_change("rm", path) if is_removed else _change("set", path, draw(_LITERAL)))
    for key in draw(st.lists(_NEW_KEY, unique=True, max_size=2)):
        made.append(_change("ins", (key,), draw(_LITERAL)))
    for path in draw(st.lists(st.sampled_from(sections), unique=True, max_size=2)) if sections else []:
        made.append(_change("ins", (*path, draw(_NEW_KEY)), draw(_LITERAL)))
    for name in draw(st.lists(st.sampled_from(sorted(REPEATED)), unique=True, max_size=2)):
        made.append(_change("ins", (name,), draw(_QUOTED)))
    if draw(st.booleans()) and "PORT" in {entry.name for entry in document.entries}:
        made.append(_change("ins", ("VM_MAD", '"mine"', "NAME"), '"mine"'))
        made.append(_change("ins", ("VM_MAD", '"mine"', "TYPE"), draw(_LITERAL)))
    return made


@st.composite
def _shell(draw: st.DrawFn, document: ShellDocument) -> list[Change]:
    names = sorted(document.get(()))
    made = []
    for name in draw(st.lists(st.sampled_from(names), unique=True, max_size=4)) if names else []:
        made.append(
            _change("rm", (name,)) if draw(st.integers(0, 3)) == 0 else _change("set", (name,), draw(_SHELL))
        )
    for name in draw(st.lists(_NEW_KEY, unique=True, max_size=2)):
        made.append(_change("ins", (name,), draw(_SHELL)))
    return made


@st.composite
def _yaml(draw: st.DrawFn, document: Document) -> list[Change]:
    tree = document.get(())
    leaves, maps, lists = _places(tree if isinstance(tree, dict) else {}, ())
    made = []
    for path in draw(st.lists(st.sampled_from(leaves), unique=True, max_size=4)) if leaves else []:
        made.append(
            _change("rm", path) if draw(st.integers(0, 3)) == 0 else _change("set", path, draw(_YAML))
        )
    for path in draw(st.lists(st.sampled_from(maps), unique=True, max_size=2)):
        made.append(_change("ins", (*path, draw(_YAML_KEY)), draw(_YAML)))
    for path in draw(st.lists(st.sampled_from(lists), unique=True, max_size=2)) if lists else []:
        items = document.get(path)
        if draw(st.booleans()):
            made.append(Change("ins", path, None, draw(_SCALAR)))
        elif len(items) > 1:
            made.append(Change("rm", path, None, old=draw(st.sampled_from(items))))
    return made


def _places(tree: dict[str, Any], above: tuple[str, ...]) -> tuple[list[Any], list[Any], list[Any]]:
    leaves, maps, lists = [], [above], []
    for key, value in tree.items():
        path = (*above, key)
        if isinstance(value, dict) and value:
            inner = _places(value, path)
            leaves, maps, lists = leaves + inner[0], maps + inner[1], lists + inner[2]
        elif isinstance(value, list) and value:
            lists.append(path)
        else:
            leaves.append(path)
    return leaves, maps, lists
