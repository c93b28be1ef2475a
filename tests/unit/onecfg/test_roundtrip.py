"""What an operator changed in a stock file, described by diff, makes the same file of the stock file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from onecfg import catalog, compare, patch_text
from onecfg.change import Change
from onecfg.document import Document
from onecfg.documents import parse
from onecfg.errors import ParseError
from onecfg.oned import REPEATED
from tests.unit.onecfg import edits

NAMES = [name for name in compare.stock_names() if catalog.find(name).format != "simple"]
PRISTINE = {name: compare.stock(name).read_text(encoding="utf-8") for name in NAMES}


def _opened(name: str, text: str) -> Document:
    entry = catalog.find(name)
    assert entry is not None
    return parse(text, entry.format)


def _patched(name: str, patch: str, format_name: str, root: Path) -> str:
    document = _opened(name, PRISTINE[name])
    for change in patch_text.parse(patch, format_name, root).get(name, []):
        document.apply(change)
    return document.text


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with the stock files, so that patches can name them."""
    root = tmp_path_factory.mktemp("root")
    for name, text in PRISTINE.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=5,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
@given(data=st.data())
def test_diff_and_patch_restore_every_byte(name: str, root: Path, data: st.DataObject) -> None:
    edited = _opened(name, PRISTINE[name])
    made: list[Change] = data.draw(edits.changes(edited))
    for change in made:
        edited.apply(change)
    found = _opened(name, PRISTINE[name]).diff(edited)
    assert _patched(name, compare.as_yaml({name: found}), "yaml", root) == edited.text
    lines, warnings = compare.as_lines({name: found})
    if not warnings:
        assert _patched(name, lines, "line", root) == edited.text
    # Nothing else was touched: lines of comment are all there, in their order.
    comments = [line for line in PRISTINE[name].splitlines() if line.startswith("#")]
    assert [line for line in edited.text.splitlines() if line.startswith("#")] == comments


@pytest.mark.parametrize("name", NAMES)
def test_a_stock_file_does_not_differ_from_itself(name: str) -> None:
    document = _opened(name, PRISTINE[name])
    assert document.text == PRISTINE[name]
    assert document.diff(_opened(name, PRISTINE[name])) == []


@pytest.mark.parametrize("name", NAMES)
def test_setting_every_value_to_itself_keeps_every_byte(name: str) -> None:
    document = _opened(name, PRISTINE[name])
    for change in parse("", catalog.find(name).format).diff(document):
        if change.state == "ins" and change.key not in REPEATED:
            document.apply(Change("set", change.path, change.key, change.value))
    assert document.text == PRISTINE[name]


@pytest.mark.parametrize("format_name", ["oned", "shell", "yaml", "yaml-strict"])
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(text=st.text(st.sampled_from(list("aB1:=[]{}\",#'-&*!|>%\\ \n\t$()")), max_size=40))
def test_any_text_is_read_whole_or_refused(format_name: str, text: str) -> None:
    try:
        assert parse(text, format_name).text == text
    except ParseError as error:
        assert "\n" not in str(error)
