"""A front-end of a few lines for the scheduler's loop: pools, deployments, events, and failures on demand."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from services.common import xmlrpc

SESSION = "oneadmin:secret"
_ACTION = 0x0800


@dataclass
class FakeVM:
    id: int
    cpu: float = 1.0
    memory_mb: int = 512
    state: int = 1
    host_id: int | None = None
    user_template: dict[str, str] = field(default_factory=dict)
    is_marked: bool = False  # RESCHED

    def xml(self) -> str:
        user = "".join(f"<{k}>{xmlrpc_text(v)}</{k}>" for k, v in self.user_template.items())
        return (
            f"<VM><ID>{self.id}</ID><UID>0</UID><GID>0</GID><STATE>{self.state}</STATE>"
            f"<LCM_STATE>{3 if self.state == 3 else 0}</LCM_STATE><RESCHED>{int(self.is_marked)}</RESCHED>"
            f"<TEMPLATE><CPU>{self.cpu}</CPU><MEMORY>{self.memory_mb}</MEMORY></TEMPLATE>"
            f"<USER_TEMPLATE>{user}</USER_TEMPLATE><HISTORY_RECORDS>{self._record()}</HISTORY_RECORDS></VM>"
        )

    def _record(self) -> str:
        return "" if self.host_id is None else f"<HISTORY><HID>{self.host_id}</HID><DS_ID>0</DS_ID></HISTORY>"


def xmlrpc_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class FrontEnd:
    """Answers on a port of its own while the with block lasts. All fields may be changed under ``lock``.

    refuse: (vm, host) -> text; such deployments are refused. deploy_delay_s: how long each takes.
    """

    def __init__(self, host_count: int, cpu: int = 1600, port: int = 0) -> None:
        self.lock = threading.Condition()
        self.cpu = cpu
        self.hosts = dict.fromkeys(range(host_count), 2)  # id -> STATE
        self.vms: dict[int, FakeVM] = {}
        self.events: list[dict[str, Any]] = []
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.refuse: dict[tuple[int, int], str] = {}
        self.has_events = True
        self.deploy_delay_s = 0.0
        self.over_capacity: list[str] = []
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.front_end = self
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}/RPC2"

    def __enter__(self) -> FrontEnd:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.close_all()

    # -- what tests do ---------------------------------------------------------------------------------
    def add(self, *vms: FakeVM) -> None:
        """VMs that begin to wait."""
        with self.lock:
            for vm in vms:
                self.vms[vm.id] = vm
                self._event("VM", vm.id, {"state": vm.state, "lcm_state": 0})

    def end(self, vm_id: int) -> None:
        """A VM ends and gives its place back."""
        with self.lock:
            vm = self.vms[vm_id]
            vm.state, vm.host_id = 6, None
            self._event("VM", vm_id, {"state": 6, "lcm_state": 0})

    def set_host(self, host_id: int, state: int) -> None:
        """A host changes its state."""
        with self.lock:
            self.hosts[host_id] = state
            self._event("HOST", host_id, {"state": state})

    def wait_for(self, done: Any, timeout_s: float = 5.0) -> bool:
        """Whether the condition became true; it is asked at each change."""
        with self.lock:
            return self.lock.wait_for(done, timeout_s)

    def count(self, method: str) -> int:
        """Calls of that method so far."""
        with self.lock:
            return sum(name == method for name, _ in self.calls)

    def _event(self, kind: str, oid: int, payload: dict[str, int]) -> None:
        number = len(self.events) + 1
        self.events.append(
            {"id": number, "time": 0, "kind": "STATE", "object": kind, "oid": oid, "payload": payload}
        )
        self.lock.notify_all()

    # -- what clients do ---------------------------------------------------------------------------------
    def answer(self, method: str, args: list[Any]) -> list[Any]:
        with self.lock:
            self.calls.append((method, tuple(args[1:])))
            self.lock.notify_all()
            if args[0] != SESSION:
                return [False, "wrong password", 0x0100, -1, 0]
        if method == "one.vm.deploy" and self.deploy_delay_s:
            threading.Event().wait(self.deploy_delay_s)
        with self.lock:
            handler = getattr(self, "_" + method.removeprefix("one.").replace(".", "_"))
            return handler(*args[1:])  # type: ignore[no-any-return]

    def _system_version(self) -> list[Any]:
        return [True, "6.0.0", 0]

    def _vmpool_infoextended(
        self, _filter: int, _start: int, _end: int, state: int, search: str = ""
    ) -> list[Any]:
        found = [vm for vm in self.vms.values() if vm.state == state]
        if search == "RESCHED=1":
            found = [vm for vm in found if vm.is_marked]
        bodies = "".join(vm.xml() for vm in found)
        return [True, f"<VM_POOL>{bodies}</VM_POOL>", 0]

    def _used(self, host_id: int) -> float:
        return round(sum(vm.cpu * 100 for vm in self.vms.values() if vm.host_id == host_id))

    def _hostpool_info(self) -> list[Any]:
        bodies = []
        for host_id, state in self.hosts.items():
            running = [vm for vm in self.vms.values() if vm.host_id == host_id]
            ids = "".join(f"<ID>{vm.id}</ID>" for vm in running)
            bodies.append(
                f"<HOST><ID>{host_id}</ID><NAME>h{host_id}</NAME><STATE>{state}</STATE><CLUSTER_ID>0</CLUSTER_ID>"
                f"<HOST_SHARE><MEM_USAGE>{sum(vm.memory_mb for vm in running) * 1024}</MEM_USAGE>"
                f"<CPU_USAGE>{self._used(host_id)}</CPU_USAGE>"
                f"<MAX_MEM>{1 << 30}</MAX_MEM><MAX_CPU>{self.cpu}</MAX_CPU>"
                f"<RUNNING_VMS>{len(running)}</RUNNING_VMS><DATASTORES/></HOST_SHARE><VMS>{ids}</VMS><TEMPLATE/></HOST>"
            )
        return [True, f"<HOST_POOL>{''.join(bodies)}</HOST_POOL>", 0]

    def _clusterpool_info(self) -> list[Any]:
        return [True, "<CLUSTER_POOL><CLUSTER><ID>0</ID><TEMPLATE/></CLUSTER></CLUSTER_POOL>", 0]

    def _datastorepool_info(self) -> list[Any]:
        body = (
            "<ID>0</ID><NAME>system</NAME><TYPE>1</TYPE><STATE>0</STATE><CLUSTERS><ID>0</ID></CLUSTERS>"
            "<TEMPLATE/>"
        )
        return [True, f"<DATASTORE_POOL><DATASTORE>{body}</DATASTORE></DATASTORE_POOL>", 0]

    def _vm_deploy(self, vm_id: int, host_id: int, enforce: bool, ds_id: int, extra: str) -> list[Any]:
        vm = self.vms[vm_id]
        refusal = self.refuse.get((vm_id, host_id), "" if vm.state == 1 else f"vm {vm_id}: not PENDING")
        self.lock.notify_all()
        if refusal:
            return [False, refusal, _ACTION, vm_id, 0]
        vm.state, vm.host_id = 3, host_id
        if self._used(host_id) > self.cpu:
            self.over_capacity.append(f"vm {vm_id} on host {host_id}")
        self._event("VM", vm_id, {"state": 3, "lcm_state": 1})
        return [True, vm_id, 0]

    def _vm_migrate(
        self, vm_id: int, host_id: int, live: bool, enforce: bool, ds_id: int, kind: int
    ) -> list[Any]:
        vm = self.vms[vm_id]
        vm.host_id, vm.is_marked = host_id, False
        self.lock.notify_all()
        return [True, vm_id, 0]

    def _vm_update(self, vm_id: int, text: str, _kind: int) -> list[Any]:
        name, _, value = text.partition("=")
        self.vms[vm_id].user_template[name] = value.strip('"')
        self.lock.notify_all()
        return [True, vm_id, 0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    front_end: FrontEnd

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.open: set[Any] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that has gone is no error
            super().handle_error(request, client_address)

    def close_all(self) -> None:
        """As if the process had died: kept connections break too."""
        self.server_close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.request)

    def log_message(self, *_args: Any) -> None:
        pass

    def do_POST(self) -> None:
        method, args = xmlrpc.loads_request(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(200, xmlrpc.dumps_response(self.server.front_end.answer(method, args)))

    def do_GET(self) -> None:
        front_end = self.server.front_end
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if given != SESSION:
            return self._send(401, b"")
        if not front_end.has_events:
            return self._send(404, b"")
        after, last = int(query["after"]), len(front_end.events)
        with front_end.lock:
            if after < 0:
                return self._send(200, json.dumps({"last": last, "events": []}).encode())
            front_end.lock.wait_for(lambda: len(front_end.events) > after, min(float(query["wait_s"]), 2.0))
            found = front_end.events[after:]
        return self._send(200, json.dumps({"last": after + len(found), "events": found}).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
