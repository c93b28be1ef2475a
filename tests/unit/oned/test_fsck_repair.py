"""Each contradiction by hand: the check finds exactly that, repairs it, and finds nothing any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.oned.fsck import repair
from tests.support import breaks
from tests.support.breakable import Breakable
from tests.support.breaks import Break
from tests.support.core import Core


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breakable]:
    """The zone that every test gets a copy of."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        (folder / "var").mkdir()
        patch.setenv("ONE_LOCATION", str(folder))
        made = Breakable(folder)
    yield made


@pytest.fixture
def core(whole: Breakable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Core]:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    copy = whole.copy(tmp_path)
    yield copy
    copy.zone.close()


def expected(core: Core, broken: Break) -> list[str]:
    """The lines, with what is only known now."""
    ((stime,),) = core.rows("SELECT stime FROM history WHERE vid = 1 AND seq = 0") or [(0,)]
    return [line.replace("{stime}", str(stime)) for line in broken.lines]


def test_nothing_is_wrong(core: Core) -> None:
    assert repair.look(core.store).found == 0
    assert repair.repair(core.store).found == 0


@pytest.mark.parametrize("broken", breaks.REPAIRED, ids=lambda broken: broken.name)
def test_a_repair(core: Core, broken: Break) -> None:
    lines = expected(core, broken)
    core.store.run(broken.spoil)
    seen = repair.look(core.store)
    assert seen.repaired == []
    if broken.has_more:
        assert set(lines) <= set(seen.unrepaired)
    else:
        assert sorted(seen.unrepaired) == sorted(lines)
    assert repair.look(core.store) == seen, "looking changed something"
    done = repair.repair(core.store)
    assert done.unrepaired == []
    if broken.has_more:
        assert set(done.repaired) & set(lines)
    else:
        assert sorted(done.repaired) == sorted(lines)
    assert repair.look(core.store).found == 0
    assert repair.repair(core.store).found == 0


@pytest.mark.parametrize("broken", breaks.HOPELESS, ids=lambda broken: broken.name)
def test_what_only_a_person_can_decide(core: Core, broken: Break) -> None:
    core.store.run(broken.spoil)
    done = repair.repair(core.store)
    for line in broken.lines:
        assert any(left.startswith(line) for left in done.unrepaired), done
