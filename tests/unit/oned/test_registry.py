"""The method list: documented, in line with the original's signatures, and with the generated pages."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from services.oned.api import resources
from services.oned.api.registry import METHODS, REQUIRED
from tools import methods_page, reference, release_methods

resources.load_all()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_is_documented(name: str) -> None:
    assert METHODS[name].doc, f"{name}: the handler has no docstring"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_checks_name_arguments_that_exist(name: str) -> None:
    row = METHODS[name]
    names = {param.name for param in row.params}
    assert all(check.arg in names for check in row.checks if check.right.name != "CREATE")


@pytest.mark.parametrize("page", sorted(reference.PAGES))
def test_generated_pages_are_fresh(page: str) -> None:
    file = reference.DOCS / page
    assert file.read_text() == reference.PAGES[page](), f"docs/{page}: run python -m tools.reference"


def test_no_method_of_the_release_is_missing() -> None:
    assert methods_page.missing() == []
    assert len(release_methods.names()) == len(set(release_methods.names())) == 263


def test_the_list_of_the_release_is_whole(shared_folder: Path) -> None:
    with open(shared_folder / "spec/xmlrpc_methods.csv", newline="") as file:
        assert release_methods.names() == sorted(row["method"] for row in csv.DictReader(file))


def test_signatures_are_the_originals(shared_folder: Path) -> None:
    with open(shared_folder / "spec/xmlrpc_methods.csv", newline="") as file:
        original = {row["method"]: row for row in csv.DictReader(file)}
    for name, row in METHODS.items():
        if row.extension:
            assert name not in original, f"{name} is a method of release 6.0"
            continue
        assert name in original, f"{name} is not a method of release 6.0"
        kinds = original[name]["in_types"].split()[1:]
        names = original[name]["in_names"].split()[1:]
        assert [param.kind for param in row.params] == kinds, name
        for param, label in zip(row.params, names, strict=True):
            if label.endswith("?"):
                assert param.default is not REQUIRED, f"{name}: {param.name} is optional"
