"""Whatever a client sends: a documented code, soon, and nothing changed by a call that is refused."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.common import xmlrpc
from services.oned.api import resources
from services.oned.api.registry import METHODS
from services.oned.errors import Code
from tests.support import hostile
from tests.support.core import Core
from tests.support.furnished import STRANGER, Furnished, everything
from tests.support.registry_cases import usual_arguments
from tests.support.zone import SESSION

resources.load_all()
CODES = {int(code) for code in Code if code}
SECONDS_MAX = 1.0
_PROFILE = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


class Target:
    """A zone to send requests to; a call that changed it is followed by a fresh copy."""

    def __init__(self, furnished: Furnished, folder: Path) -> None:
        self.furnished = furnished
        self._folders = (folder / str(number) for number in itertools.count())
        self._folder = folder
        self._core: Core | None = None
        self._pristine: dict[str, list[tuple[Any, ...]]] = {}

    def core(self) -> Core:
        """The zone as it was in the beginning."""
        if self._core is None:
            self._folder = next(self._folders)
            self._folder.mkdir()
            self._core = self.furnished.copy(self._folder)
            self._pristine = self._pristine or everything(self._core)
        return self._core

    def send(self, data: bytes) -> list[Any]:
        """The answer to a request, which must keep what the module's text promises."""
        core = self.core()
        started = time.thread_time()
        reply = core.zone.dispatcher.answer(data)
        took_s = time.thread_time() - started
        answer = xmlrpc.loads_response(reply)
        assert took_s < SECONDS_MAX, f"took {took_s:.2f} s"
        # What is committed, and only that, is in the write-ahead log until the last connection closes.
        log = self._folder / "copy.db-wal"
        changed = log.exists() and log.stat().st_size > 0
        if answer[0]:
            assert answer[2] == 0
        else:
            assert answer[2] in CODES, answer
            assert "Internal error" not in answer[1], "a bug: see the log"
            assert "Traceback" not in answer[1]
            if changed:
                assert everything(core) == self._pristine, f"refused, and changed something: {answer}"
        if changed:
            self.close()
        return answer

    def close(self) -> None:
        """Give the copy up."""
        if self._core is not None:
            self._core.zone.close()
            shutil.rmtree(self._folder)
            self._core = None


@pytest.fixture(scope="module")
def target(furnished: Furnished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The furnished zone."""
    made = Target(furnished, tmp_path_factory.mktemp("copies"))
    yield made
    made.close()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_hostile_arguments(name: str, target: Target) -> None:
    row = METHODS[name]
    usual = usual_arguments(row, target.furnished.ids)
    sessions = st.sampled_from([SESSION, SESSION, f"{STRANGER}:pw-{STRANGER}", "alice:pw-alice"])

    @_PROFILE
    @given(hostile.arguments(row, usual), sessions)
    def check(args: list[Any], session: str) -> None:
        target.send(xmlrpc.dumps_request(name, [session, *args]))

    check()


@_PROFILE
@given(st.sampled_from(hostile.TEXTS) | st.text(max_size=30) | st.sampled_from([":", "oneadmin:", ":x"]))
def test_hostile_sessions(target: Target, session: str) -> None:
    answer = target.send(xmlrpc.dumps_request("one.vm.info", [session, 0]))
    assert answer[2] == Code.AUTHENTICATION


@pytest.mark.parametrize("template", range(len(hostile.TEMPLATES)))
@pytest.mark.parametrize("name", [name for name in sorted(METHODS) if name.endswith(".allocate")])
def test_hostile_templates(name: str, template: int, target: Target) -> None:
    row = METHODS[name]
    args = usual_arguments(row, target.furnished.ids)
    for at, param in enumerate(row.params):
        if param.name == "template":
            args[at] = hostile.TEMPLATES[template]
            target.send(xmlrpc.dumps_request(name, [SESSION, *args]))


# -- what is not even XML-RPC ------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", hostile.REQUESTS)
def test_hostile_requests(kind: str, target: Target) -> None:
    answer = target.send(hostile.REQUESTS[kind])
    assert answer[0] is False
    assert answer[2] == Code.XML_RPC_API


@_PROFILE
@given(st.data())
def test_broken_requests(target: Target, data: st.DataObject) -> None:
    good = bytearray(xmlrpc.dumps_request("one.vm.rename", [SESSION, 0, "other"]))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    target.send(bytes(good[: data.draw(st.integers(1, len(good)))]))
