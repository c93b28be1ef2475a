"""Small changes to configuration files: everything else stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.conf_edit import ConfEditError, set_value, set_vector
from services.common.template import Template

STOCK = sorted((Path(__file__).resolve().parents[3] / "share" / "etc").glob("*.conf"))
SAMPLE = """# PORT = 1
PORT = 2633   # the port
DB = [ BACKEND = "sqlite",   # which
       TIMEOUT = 2500 ]
#DB = [ BACKEND = "mysql" ]
NAME = "a # b"
WORD = YES
"""


def test_a_value_is_replaced_in_its_place() -> None:
    assert set_value(SAMPLE, "PORT", 2733) == SAMPLE.replace("PORT = 2633", "PORT = 2733")
    assert set_value(SAMPLE, "WORD", "NO") == SAMPLE.replace("WORD = YES", 'WORD = "NO"')
    assert set_value(SAMPLE, "NAME", "c") == SAMPLE.replace('"a # b"', '"c"')


def test_a_value_that_is_not_there_comes_last() -> None:
    assert set_value(SAMPLE, "NEW", 1) == SAMPLE + "NEW = 1\n"
    assert set_value("A = 1", "NEW", "x") == 'A = 1\nNEW = "x"\n'


def test_a_vector_part_is_replaced_in_its_place() -> None:
    assert set_vector(SAMPLE, "DB", {"TIMEOUT": 100}) == SAMPLE.replace("2500", "100")


def test_parts_are_added_and_removed() -> None:
    text = set_vector(SAMPLE, "DB", {"BACKEND": "mysql", "TIMEOUT": None, "SERVER": "db", "PORT": 1})
    assert Template.parse(text).get_vector("DB") == {"BACKEND": "mysql", "SERVER": "db", "PORT": "1"}
    assert "# PORT = 1\n" in text and '#DB = [ BACKEND = "mysql" ]' in text
    back = set_vector(text, "DB", {"BACKEND": "sqlite", "SERVER": None, "PORT": None, "TIMEOUT": 2500})
    assert Template.parse(back).get_vector("DB") == {"BACKEND": "sqlite", "TIMEOUT": "2500"}


def test_a_vector_that_is_not_there_comes_last() -> None:
    assert set_vector("", "DB", {"BACKEND": "sqlite", "X": None}) == 'DB = [ BACKEND = "sqlite" ]\n'


def test_all_parts_can_go() -> None:
    text = set_vector("DB = [ A = 1, B = 2 ]\n", "DB", {"A": None, "B": None, "C": 3})
    assert Template.parse(text).get_vector("DB") == {"C": "3"}


@pytest.mark.parametrize("broken", ['A = "x', "A = [ B = 1", "= 1", "A 1", "A = [ B 1 ]"])
def test_a_broken_file_is_named_by_line(broken: str) -> None:
    with pytest.raises(ConfEditError, match="line 2: "):
        set_value("\n" + broken, "PORT", 1)


@pytest.mark.parametrize("file", STOCK, ids=lambda file: file.name)
def test_stock_files_keep_every_other_line(file: Path) -> None:
    before = file.read_text()
    after = set_vector(
        set_value(before, "PORT", 9), "DB", {"BACKEND": "mysql", "TIMEOUT": None, "PASSWD": 'a"b\\c'}
    )
    changed = [line for line in before.splitlines() if line not in after.splitlines()]
    assert len(changed) <= 4
    settings = Template.parse(after)
    vector = settings.get_vector("DB")
    assert vector is not None and vector["PASSWD"] == 'a"b\\c' and settings.get("PORT") == "9"


PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def test_a_value_that_the_grammar_cannot_carry_is_refused() -> None:
    assert set_value("", "A", "x\\") == "A = x\\\n"
    with pytest.raises(ConfEditError, match="ends in a backslash"):
        set_value("", "A", "x=\\")


@given(PASSWORDS.filter(lambda text: not text.endswith("\\")), PASSWORDS.filter(lambda t: t[-1] != "\\"))
def test_any_password_is_read_back(first: str, second: str) -> None:
    text = set_vector(SAMPLE, "DB", {"PASSWD": first, "USER": "u"})
    text = set_vector(text, "DB", {"PASSWD": second})
    vector = Template.parse(text).get_vector("DB")
    assert vector == {"BACKEND": "sqlite", "TIMEOUT": "2500", "PASSWD": second, "USER": "u"}
    assert set_vector(text, "DB", {"PASSWD": second}) == text
