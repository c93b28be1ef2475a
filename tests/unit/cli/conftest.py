"""A front-end that answers from files, so that commands run whole: words in, text and exit code out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.cli import main
from services.common import xmlrpc

DATA = Path(__file__).parent / "data"
GOLDEN = Path(__file__).parent / "golden"


class Answers:
    """What the front-end answers, by method, and the calls it got."""

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {}
        self.calls: list[tuple[str, list[Any]]] = []
        self.sessions: set[str] = set()
        self.chunked = False

    def document(self, method: str, name: str) -> None:
        """Answer a method with a file of the data folder (indentation is taken out, as the wire has none)."""
        lines = (DATA / name).read_text().splitlines()
        self.replies[method] = "".join(line.strip() for line in lines)

    def refuse(self, method: str, code: int, text: str, object_id: int = -1) -> None:
        """Answer a method with a refusal."""
        self.replies[method] = [False, text, code, object_id, xmlrpc.I8(0)]

    def reply(self, method: str, arguments: list[Any]) -> list[Any]:
        value = self.replies.get(method, [False, f"[{method}] no answer prepared", 0x2000, -1, xmlrpc.I8(0)])
        if callable(value):
            value = value(*arguments)
        return value if isinstance(value, list) else [True, value, 0]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Answers]:
    """A listening front-end; the environment points the commands to it."""
    prepared = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            method, (session, *arguments) = xmlrpc.loads_request(body)
            prepared.calls.append((method, arguments))
            prepared.sessions.add(session)
            reply = xmlrpc.dumps_response(prepared.reply(method, arguments))
            self.send_response(200)
            if prepared.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for at in range(0, len(reply), 7):
                    piece = reply[at : at + 7]
                    self.wfile.write(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\nTrailer: x\r\n\r\n")
            else:
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

        def log_message(self, *_args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.002,), daemon=True).start()
    auth = tmp_path / "auth"
    auth.write_text("oneadmin:secret\n")
    for name in ("ONE_LISTCONF", "ONE_PAGER", "ONE_XMLRPC_TIMEOUT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ONE_AUTH", str(auth))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    monkeypatch.setenv("ONE_XMLRPC", f"http://127.0.0.1:{server.server_port}/RPC2")
    yield prepared
    server.shutdown()
    server.server_close()


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(answers: Answers, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line: exit code, standard output, standard error."""

    def command(name: str, *words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main.run(name, words)
        out, err = capsys.readouterr()
        return code, out, err

    return command


def golden(name: str) -> str:
    """A golden file, without the ``|`` that marks the end of lines with trailing blanks."""
    return "".join(line.removesuffix("|") + "\n" for line in (GOLDEN / name).read_text().splitlines())
