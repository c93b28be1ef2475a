"""Every row of the registry over raw XML-RPC: it works, it refuses strangers, it misses what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.oned.api import resources
from services.oned.api.registry import METHODS, REQUIRED
from tests.support.core import Core
from tests.support.furnished import STRANGER, Furnished, everything
from tests.support.registry_cases import CASES, NO_EXISTS, OBJECTS, Case, filled, usual_arguments
from tests.support.schemas import Schemas
from tests.support.zone import SESSION

resources.load_all()
NAMES = sorted(METHODS)
ABSENT = 987_654
_STRANGER = f"{STRANGER}:pw-{STRANGER}"


def case(name: str) -> Case:
    return CASES.get(name, Case())


@pytest.fixture(scope="module")
def untouched(furnished: Furnished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    """A copy for calls that must change nothing."""
    core = furnished.copy(tmp_path_factory.mktemp("untouched"))
    yield core
    core.zone.close()


def arguments(furnished: Furnished, name: str) -> list[Any]:
    """The arguments of a method, ids filled in."""
    try:
        return usual_arguments(METHODS[name], furnished.ids)
    except KeyError as missing:
        pytest.fail(f"{name}: no value for {missing}; it needs a Case in tests/support/registry_cases.py")


def refused(core: Core, name: str, args: list[Any], session: str, code: int) -> None:
    """The call is refused with that code and changes nothing."""
    before = everything(core)
    answer = core.zone.call(name, *args, session=session)
    assert not answer[0], f"{name}{tuple(args)} was accepted: {answer}"
    assert answer[2] == code, f"{name}{tuple(args)}: {answer[2]:#x}, expected {code:#x}: {answer[1]}"
    assert len(answer) == 5
    assert isinstance(answer[1], str)
    assert everything(core) == before, f"{name}{tuple(args)} was refused, and changed something"


@pytest.mark.parametrize("name", NAMES)
def test_it_works(name: str, furnished: Furnished, tmp_path: Path, shared_folder: Path) -> None:
    core = furnished.copy(tmp_path)
    if case(name).refused:
        assert METHODS[name].later
        refused(core, name, arguments(furnished, name), SESSION, case(name).refused)
        return
    for method, *args in case(name).before:
        core.zone.value(method, *(filled(arg, furnished.ids) for arg in args))
    answer = core.zone.call(name, *arguments(furnished, name))
    core.zone.close()
    assert answer[0], f"{name}: {answer[2]:#x} {answer[1]}"
    assert answer[2] == 0
    assert len(answer) == 3
    value = answer[1]
    assert isinstance(value, (int, str))
    if isinstance(value, str) and value.startswith("<") and case(name).has_schema:
        problem = Schemas(shared_folder / "spec/xsd").problem(value)
        assert problem is None, f"{name}: {problem}"


@pytest.mark.parametrize("name", NAMES)
def test_strangers(name: str, furnished: Furnished, untouched: Core) -> None:
    if case(name).anyone:
        answer = untouched.zone.call(name, *arguments(furnished, name), session=_STRANGER)
        assert answer[0], f"{name}: not for anyone: {answer}"
        return
    refused(untouched, name, arguments(furnished, name), _STRANGER, case(name).denied)


@pytest.mark.parametrize("name", NAMES)
def test_nobody(name: str, furnished: Furnished, untouched: Core) -> None:
    refused(untouched, name, arguments(furnished, name), "nobody:x", 0x100)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        (name, param.name)
        for name in NAMES
        for param in METHODS[name].params
        if param.name in OBJECTS and case(name).missing.get(param.name, NO_EXISTS)
    ],
)
def test_objects_that_are_not_there(name: str, parameter: str, furnished: Furnished, untouched: Core) -> None:
    args = arguments(furnished, name)
    args[[param.name for param in METHODS[name].params].index(parameter)] = ABSENT
    refused(untouched, name, args, SESSION, case(name).missing.get(parameter, NO_EXISTS))


@pytest.mark.parametrize("name", NAMES)
def test_missing_arguments(name: str, furnished: Furnished, untouched: Core) -> None:
    required = [param for param in METHODS[name].params if param.default is REQUIRED]
    if required:
        refused(untouched, name, arguments(furnished, name)[: len(required) - 1], SESSION, 0x1000)


def test_every_case_belongs_to_a_method() -> None:
    for name, special in CASES.items():
        names = {param.name for param in METHODS[name].params}
        assert {*special.args, *special.missing} <= names, name
