"""The queue of messages: bounded, in order, and silent about floods."""

from __future__ import annotations

import logging
import time

import pytest

from services.oned.monitor import intake as module
from services.oned.monitor.intake import Complaints, Intake


def line(host: int = 1, epoch: int | None = None, kind: str = "MONITOR_HOST", payload: str = "eA==") -> bytes:
    return f"{kind} SUCCESS {host} {int(time.time()) if epoch is None else epoch} {payload}".encode()


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def intake(complaints: Complaints) -> Intake:
    made = Intake(complaints)
    made.know([1, 2])
    return made


def test_what_comes_is_taken_in_its_order(intake: Intake) -> None:
    for host in (2, 1, 2):
        assert intake.offer(line(host), "node")
    assert len(intake) == 3
    assert [message.host_id for message in intake.take(2)] == [2, 1]
    assert [message.host_id for message in intake.take(9)] == [2]
    assert intake.take(9) == []


def test_hosts_that_do_not_exist(intake: Intake, complaints: Complaints) -> None:
    assert not intake.offer(line(3), "node")
    assert intake.has_strangers and len(intake) == 0
    intake.know([1, 3])
    assert not intake.has_strangers
    assert intake.offer(line(3), "node") and not intake.offer(line(2), "node")
    assert sum(complaints.total.values()) == 2


def read(intake: Intake) -> list[bool]:
    """Take what waits, as if all of it could be read; which of them counted."""
    return [intake.accept(message) for message in intake.take(99)]


def test_older_ones_are_dropped(intake: Intake, complaints: Complaints) -> None:
    now = int(time.time())
    assert intake.offer(line(epoch=now), "node") and read(intake) == [True]
    assert not intake.offer(line(epoch=now - 1), "node")
    assert intake.offer(line(epoch=now), "node"), "parts of one report have the same time"
    assert intake.offer(line(epoch=now - 1, kind="STATE_VM"), "node"), "each kind has times of its own"
    assert intake.offer(line(2, epoch=now - 1), "node"), "so has each host"
    assert complaints.total["a newer one came before it"] == 1
    assert intake.offer(line(epoch=now + 2), "node") and intake.offer(line(epoch=now + 1), "node")
    assert read(intake) == [True, True, True, True, False]
    assert complaints.total["a newer one came before it"] == 2


def test_what_cannot_be_read_makes_nothing_late(intake: Intake, complaints: Complaints) -> None:
    """A header is anybody's; with a key pair, only who has it can make others late."""
    now = int(time.time())
    assert intake.offer(line(epoch=now + 299), "stranger")
    (forged,) = intake.take(9)
    intake.refuse(forged, "the payload is not encrypted")
    assert intake.offer(line(epoch=now), "node") and read(intake) == [True]
    assert complaints.total == {"the payload is not encrypted": 1}


def test_a_clock_that_is_set_back_or_lies_does_not_silence_a_host(intake: Intake) -> None:
    now = int(time.time())
    for epoch in (now, now - 7200, 999_999_999_999, now - 7100):
        assert intake.offer(line(epoch=epoch), "node") and read(intake) == [True]


def test_one_host_cannot_fill_the_queue(intake: Intake, complaints: Complaints) -> None:
    for _ in range(module._PER_HOST_MAX + 50):
        intake.offer(line(1), "node")
    assert len(intake) == module._PER_HOST_MAX
    assert intake.offer(line(2), "node")
    intake.take(1)
    assert intake.offer(line(1), "node")


def test_the_queue_has_an_end(complaints: Complaints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MESSAGES_MAX", 10)
    monkeypatch.setattr(module, "_BYTES_MAX", 100)
    intake = Intake(complaints)
    intake.know(range(100))
    assert [intake.offer(line(host), "node") for host in range(12)].count(True) == 10
    intake.take(10)
    assert [intake.offer(line(host, payload="A" * 40), "node") for host in range(5)].count(True) == 2
    assert complaints.total["too many messages are waiting already"] == 5


def test_a_flood_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    intake = Intake(Complaints(lambda: now[0]))
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            intake.offer(b"nonsense", "10.0.0.7")
        assert [record.getMessage() for record in caplog.records] == [
            "1 message(s) dropped, the last from 10.0.0.7: no monitor message"
        ]
        now[0] = 61.0
        intake.offer(b"nonsense", "10.0.0.8")
    assert caplog.records[-1].getMessage().startswith("1000 message(s) dropped, the last from 10.0.0.8")


def test_disks_of_shared_datastores_are_no_hosts_message(intake: Intake) -> None:
    now = int(time.time())
    for epoch in (now, now - 2):  # of two datastores
        assert intake.offer(line(-1, epoch, "MONITOR_VM"), "front-end")
    assert not intake.offer(line(-1, now, "SYSTEM_HOST"), "front-end")
    assert not intake.has_strangers
    assert [message.host_id for message in intake.take(9)] == [-1, -1]
