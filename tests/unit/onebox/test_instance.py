"""Which instance the flags pick, and what is remembered about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onebox_cli import instance
from onebox_cli.instance import ROOT, Instance
from onebox_cli.ui import Failure


def test_the_default_instance() -> None:
    assert instance.default_data("onebox") == ROOT / ".onebox"
    assert instance.default_data("two") == ROOT / ".onebox-two"


def test_what_was_saved_is_found_again(tmp_path: Path) -> None:
    saved = Instance("two", tmp_path, "native", 100, "mysql")
    saved.save()
    assert instance.find(None, str(tmp_path)) == saved
    assert instance.find("two", str(tmp_path)) == saved
    assert json.loads((tmp_path / "instance.json").read_text())["ports"] == {"oned": 2733}


def test_a_folder_belongs_to_one_instance(tmp_path: Path) -> None:
    Instance("two", tmp_path, "native", 0, "sqlite").save()
    with pytest.raises(Failure, match="belongs to instance two, found --name three"):
        instance.find("three", str(tmp_path))


def test_an_instance_picked_by_its_folder_gets_a_name_for_its_container(tmp_path: Path) -> None:
    assert instance.find(None, str(tmp_path / "a b")).name == "onebox-a-b"
    assert instance.find(None, str(tmp_path / ".onebox")).name == "onebox"


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "../x", "$(x)"])
def test_a_name_must_do_for_a_container(name: str) -> None:
    with pytest.raises(Failure, match="expected letters, digits"):
        instance.find(name, None)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"name": "x"}', '{"name": 1, "engine": "x", "port_offset": "y"}']
)
def test_a_spoilt_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "instance.json").write_text(text)
    with pytest.raises(Failure, match=r"instance\.json: cannot be read"):
        instance.find(None, str(tmp_path))


def test_ports_and_credentials(tmp_path: Path) -> None:
    native = Instance("x", tmp_path, "native", 5, "sqlite")
    assert native.endpoint == "http://127.0.0.1:2638/RPC2"
    assert native.auth_file == tmp_path / "one/var/.one/one_auth"
    assert native.with_options(engine="docker").auth_file == tmp_path / "one_auth"


def test_options_that_were_not_given_change_nothing(tmp_path: Path) -> None:
    known = Instance("x", tmp_path, "native", 5, "sqlite")
    assert known.with_options(port_offset=None, db=None) == known
    assert known.with_options(port_offset=0).port_offset == 0


def test_flags_pick_the_same_instance_again(tmp_path: Path) -> None:
    assert Instance("onebox", ROOT / ".onebox").flags() == ""
    assert Instance("two", ROOT / ".onebox-two").flags() == " --name two"
    assert Instance("x", tmp_path).flags() == f" --data {tmp_path}"


def test_two_commands_do_not_change_an_instance_at_once(tmp_path: Path) -> None:
    one = Instance("x", tmp_path / "data")
    with one.locked(), pytest.raises(Failure, match="another onebox is working"), one.locked():
        pass
    with one.locked():
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
