"""The HTTP side of the API: paths, readiness, the event stream."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support import crash
from tests.support.frontend import Frontend


def get(frontend: Frontend, path: str, session: str | None = None, method: str = "GET") -> tuple[int, bytes]:
    """Status and body of a plain request."""
    request = urllib.request.Request(f"http://127.0.0.1:{frontend.port}{path}", method=method)
    if session is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(session.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def stream(frontend: Frontend, after: int, wait_s: float = 0) -> dict[str, Any]:
    status, body = get(frontend, f"/events?after={after}&wait_s={wait_s}", frontend.session)
    assert status == 200, body
    return json.loads(body)


def test_paths(frontend: Frontend) -> None:
    assert get(frontend, "/ready") == (200, b"ok\n")
    assert get(frontend, "/nowhere")[0] == 404
    assert get(frontend, "/RPC2")[0] == 405
    assert get(frontend, "/events?after=0", method="DELETE")[0] == 405


def test_json(frontend: Frontend) -> None:
    assert b"<title>" in get(frontend, "/api/v1/")[1]
    assert json.loads(get(frontend, "/api/v1/openapi.json")[1])["openapi"] == "3.1.0"
    assert get(frontend, "/api/v1/users/me")[0] == 401
    status, body = get(frontend, "/api/v1/users/me", frontend.session)
    assert (status, json.loads(body)["NAME"]) == (200, "oneadmin")
    assert json.loads(get(frontend, "/api/v1/zones", frontend.session)[1])["items"][0]["ID"] == 0


@pytest.mark.parametrize("session", [None, "oneadmin:wrong", "nobody", "serveradmin:x"])
def test_the_stream_is_for_administrators(frontend: Frontend, session: str | None) -> None:
    assert get(frontend, "/events?after=0", session)[0] == 401


def test_a_plain_user_is_refused(frontend: Frontend) -> None:
    frontend.client().call("user.allocate", "watcher", "pw", "core", [1])
    assert get(frontend, "/events?after=0", "watcher:pw")[0] == 403


def test_bad_numbers(frontend: Frontend) -> None:
    assert get(frontend, "/events?after=x", frontend.session)[0] == 400


def test_a_watcher_is_told_at_once_and_misses_nothing(frontend: Frontend) -> None:
    last = stream(frontend, -1)["last"]
    got: list[dict[str, Any]] = []
    took: list[float] = []

    def watch() -> None:
        started = time.monotonic()
        got.append(stream(frontend, last, 20))
        took.append(time.monotonic() - started)

    thread = threading.Thread(target=watch)
    thread.start()
    time.sleep(0.3)
    vm_id = frontend.client().call("vm.allocate", "CPU=1\nMEMORY=16", True)
    thread.join()
    assert took[0] < 10, "told when it happened, not when the wait was over"
    first = got[0]["events"][0]
    assert (first["kind"], first["object"], first["oid"], first["payload"]["state"]) == (
        "STATE",
        "VM",
        vm_id,
        2,
    )
    frontend.client().call("vm.action", "terminate", vm_id)
    again = stream(frontend, last)
    assert [event["payload"]["state"] for event in again["events"]] == [2, 6]
    assert stream(frontend, again["last"])["events"] == []


def test_workers_end_with_their_main_process(frontend: Frontend) -> None:
    """A worker left behind would keep the port, and answer with the old settings."""
    main = frontend.processes["opennebula"]
    workers = Path(f"/proc/{main.pid}/task/{main.pid}/children").read_text().split()
    assert len(workers) >= 2
    main.kill()
    main.wait()
    crash.wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "workers gone", 10)
    frontend.spawn("opennebula")
    frontend.wait_ready()
