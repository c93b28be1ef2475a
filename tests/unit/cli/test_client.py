"""The client: HTTP as servers really speak it, credentials, and one line for every failure."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.common import xmlrpc
from services.common.oca import Client, EndpointError, OneError, split_url
from tests.unit.cli.conftest import Answers, Run

ROOT = Path(__file__).resolve().parents[3]


def client() -> Client:
    """A client of the prepared front-end."""
    return Client(os.environ["ONE_XMLRPC"], "oneadmin:secret", 5.0)


@pytest.mark.parametrize("chunked", [False, True])
def test_values_and_refusals(answers: Answers, chunked: bool) -> None:
    answers.chunked = chunked
    answers.replies["one.vm.info"] = "<VM>ä & ü</VM>"
    answers.refuse("one.vm.action", 2048, "[one.vm.action] no", 7)
    with client() as one:
        assert one.call("vm.info", 7, False) == "<VM>ä & ü</VM>"
        with pytest.raises(OneError, match=r"^\[one.vm.action\] no$") as raised:
            one.call("vm.action", "hold", 7)
        assert (raised.value.code, raised.value.object_id) == (2048, 7)
        assert one.call("vm.info", 7) == "<VM>ä & ü</VM>"
    assert answers.calls[0] == ("one.vm.info", [7, False])


@pytest.mark.parametrize("chunked", [False, True])
def test_streaming(answers: Answers, chunked: bool) -> None:
    answers.chunked = chunked
    text = "<VM_POOL>" + "<VM>ä &lt; ü</VM>" * 1000 + "</VM_POOL>"
    answers.replies["one.vmpool.info"] = text
    answers.refuse("one.hostpool.info", 512, "not allowed")
    pieces: list[str] = []
    with client() as one:
        one.stream("vmpool.info", (-2, -1, -1, -1), pieces.append)
        assert "".join(pieces) == text
        with pytest.raises(OneError, match="not allowed") as raised:
            one.stream("hostpool.info", (), lambda _: pytest.fail("a refusal is not passed on"))
        assert raised.value.code == 512
        assert one.call("vmpool.info") == text


def test_a_session_never_shows(answers: Answers) -> None:
    assert "secret" not in repr(client())


def scripted(*replies: bytes) -> tuple[str, list[bytes]]:
    """An endpoint that answers its connections with these bytes, and what it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    received: list[bytes] = []

    def serve() -> None:
        with listener:
            for reply in replies:
                connection, _ = listener.accept()
                with connection:
                    received.append(connection.recv(65536))
                    connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/RPC2", received


GOOD = xmlrpc.dumps_response([True, 7, 0])
HEAD = b"HTTP/1.1 200 OK\r\n"


def test_a_body_that_ends_with_the_connection() -> None:
    endpoint, _ = scripted(HEAD + b"\r\n" + GOOD)
    assert Client(endpoint, "a:b").call("x") == 7


def test_a_connection_closed_while_idle_is_made_anew() -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(GOOD)
    endpoint, received = scripted(HEAD + length + GOOD, HEAD + length + GOOD)
    one = Client(endpoint, "a:b", 5.0)
    assert one.call("x") == 7
    readable, _, _ = select.select([one._socket], [], [], 5.0)  # the other side's close has arrived
    assert readable
    assert one.call("x") == 7
    assert len(received) == 2
    one.close()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"", "closed the connection before the answer was complete"),
        (HEAD + b"Content-Length: 100\r\n\r\nshort", "closed the connection before the answer was complete"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nshort", "closed the connection before"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (b"x" * 100000, "does not speak HTTP: no end of header"),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            r"answered HTTP 404, expected 200 \(the path is",
        ),
        (
            b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
            r"HTTP 503, expected 200 \(the front-end is starting",
        ),
        (HEAD + b"Content-Length: 5\r\n\r\n<html", "did not answer in XML-RPC"),
        (HEAD + b"\r\n<!DOCTYPE x><methodResponse/>", "did not answer in XML-RPC: document types"),
        (HEAD + b"\r\n" + xmlrpc.dumps_response([1]), "is not one of OpenNebula's"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_answers_that_cannot_be_used(reply: bytes, said: str, streamed: bool) -> None:
    endpoint, _ = scripted(reply)
    one = Client(endpoint, "a:b", 5.0)
    call: Callable[[], object] = (lambda: one.stream("x", (), str)) if streamed else (lambda: one.call("x"))
    with pytest.raises(EndpointError, match=said):
        call()


def test_a_fault_is_an_error_with_its_code() -> None:
    fault = (
        b"<methodResponse><fault><value><struct>"
        b"<member><name>faultCode</name><value><int>-506</int></value></member>"
        b"<member><name>faultString</name><value>no such method</value></member>"
        b"</struct></value></fault></methodResponse>"
    )
    endpoint, _ = scripted(HEAD + b"\r\n" + fault)
    with pytest.raises(OneError, match="no such method") as raised:
        Client(endpoint, "a:b").call("x")
    assert raised.value.code == -506


def test_a_timeout_names_its_length() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, pytest.raises(EndpointError, match=r"did not answer within 0.1 s"):
        Client(f"http://127.0.0.1:{listener.getsockname()[1]}/", "a:b", 0.1).call("x")


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://localhost:2633/RPC2", (False, "localhost", 2633, "/RPC2")),
        ("https://one.example.org/RPC2", (True, "one.example.org", 443, "/RPC2")),
        ("http://one.example.org", (False, "one.example.org", 80, "/")),
        ("http://[::1]:2633/RPC2", (False, "::1", 2633, "/RPC2")),
        ("http://[fd00::1]/x", (False, "fd00::1", 80, "/x")),
    ],
)
def test_endpoints(url: str, parts: tuple[bool, str, int, str]) -> None:
    assert split_url(url) == parts


@pytest.mark.parametrize("url", ["localhost:2633", "ftp://x/", "http://", "http://:80/", ""])
def test_wrong_endpoints(url: str) -> None:
    with pytest.raises(EndpointError, match="expected http://HOST:PORT/RPC2"):
        split_url(url)


def test_nobody_listens(answers: Answers, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, out, err = run("onevm", "list", "--endpoint", f"http://127.0.0.1:{port}/RPC2")
    assert (code, out) == (255, "") and err.count("\n") == 1
    assert err.startswith(f"Cannot connect to http://127.0.0.1:{port}/RPC2: Connection refused.")


# -- TLS -----------------------------------------------------------------------------------------------
@pytest.fixture
def tls_endpoint(tmp_path: Path) -> Iterator[str]:
    """An endpoint with a certificate that nobody signed."""
    import ssl

    key, certificate = tmp_path / "key", tmp_path / "cert"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        capture_output=True,
    )  # fmt: skip
    if made.returncode != 0:
        pytest.skip("left out: openssl is not there to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD)
            except OSError:
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}/RPC2"


def test_an_untrusted_certificate_is_refused(tls_endpoint: str) -> None:
    with pytest.raises(EndpointError, match=r"TLS with https://.* failed: .*(certificate|CERTIFICATE)"):
        Client(tls_endpoint, "a:b", 5.0).call("x")


def test_an_untrusted_certificate_is_explained(answers: Answers, tls_endpoint: str, run: Run) -> None:
    code, out, err = run("onevm", "list", "--endpoint", tls_endpoint)
    assert (code, out) == (255, "") and err.count("\n") == 1
    assert "its certificate is not trusted (self-signed certificate)" in err and "--cacert" in err


def test_a_certificate_file_that_is_not_there(answers: Answers, tls_endpoint: str, run: Run) -> None:
    missing = run("onevm", "list", "--endpoint", tls_endpoint, "--cacert", "/nowhere")[2]
    assert missing == f"TLS with {tls_endpoint} failed: there is no certificate file /nowhere\n"


def test_a_certificate_that_is_named_is_trusted(tls_endpoint: str, tmp_path: Path) -> None:
    assert Client(tls_endpoint, "a:b", 5.0, str(tmp_path / "cert")).call("x") == 7


def test_an_endpoint_without_tls(answers: Answers, run: Run) -> None:
    plain = os.environ["ONE_XMLRPC"]
    code, _, err = run("onevm", "list", "--endpoint", plain.replace("http:", "https:"))
    assert code == 255 and "nothing there speaks TLS" in err and err.count("\n") == 1


def test_credentials_that_are_not_accepted(answers: Answers, run: Run) -> None:
    """Wrong, or a login token that is over: what to do depends on where they come from."""
    answers.refuse("one.vmpool.info", 0x0100, "[one.vmpool.info] User couldn't be authenticated.")
    code, out, err = run("onevm", "list")
    assert (code, out) == (255, "") and err.count("\n") == 1
    assert err.startswith("[one.vmpool.info] User couldn't be authenticated. The user or password in ")
    assert os.environ["ONE_AUTH"] in err and "oneuser login" in err and "secret" not in err
    _, _, err = run("onevm", "list", "--user", "bob", "--password", "pw-of-bob")
    assert err.endswith(" Check the password of bob.\n") and "pw-of-bob" not in err


def test_verification_can_be_switched_off(tls_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_DISABLE_SSL_VERIFY", "1")
    assert Client(tls_endpoint, "a:b", 5.0).call("x") == 7


def test_a_certificate_directory_is_trusted(
    tls_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = tmp_path / "cert"
    hashed = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-hash", "-noout"],
        capture_output=True,
        text=True,
        check=True,
    )
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / f"{hashed.stdout.strip()}.0").write_bytes(certificate.read_bytes())
    monkeypatch.setenv("ONE_CERT_DIR", str(tmp_path / "trusted"))
    assert Client(tls_endpoint, "a:b", 5.0).call("x") == 7


# -- credentials ---------------------------------------------------------------------------------------
def test_credentials_in_order(
    answers: Answers, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers.replies["one.vmpool.info"] = "<VM_POOL/>"
    for folder, session in ((".one", "home:pw"), ("var/.one", "front-end:pw")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "one_auth").write_text(session + "\n")
    run("onevm", "list")
    monkeypatch.delenv("ONE_AUTH")
    run("onevm", "list")
    (tmp_path / ".one" / "one_auth").unlink()
    run("onevm", "list")
    assert answers.sessions == {"oneadmin:secret", "home:pw", "front-end:pw"}


def test_missing_and_wrong_credentials(
    answers: Answers, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONE_AUTH", str(tmp_path / "none"))
    code, out, err = run("onevm", "list")
    assert (code, out) == (255, "") and err.count("\n") == 1
    assert err.startswith(f"No credentials: {tmp_path / 'none'} does not exist.")
    (tmp_path / "none").write_text("no colon")
    assert "expected one line user:password" in run("onevm", "list")[2]
    assert run("onevm", "list", "--password", "x") == (255, "", "--password needs --user.\n")


def test_endpoint_file(answers: Answers, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers.replies["one.vmpool.info"] = "<VM_POOL/>"
    (tmp_path / ".one").mkdir()
    (tmp_path / ".one" / "one_endpoint").write_text(os.environ["ONE_XMLRPC"] + "\n")
    monkeypatch.delenv("ONE_XMLRPC")
    assert run("onevm", "list")[0] == 0


# -- the real launcher ---------------------------------------------------------------------------------
def launch(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, env={**os.environ, **more}, timeout=30)


def test_launcher_from_a_checkout_and_through_a_link(answers: Answers, tmp_path: Path) -> None:
    answers.document("one.vmpool.info", "vm_pool.xml")
    expected = launch(str(ROOT / "bin" / "onevm"), "list", "-l", "ID,NAME")
    assert expected.returncode == 0 and "a-name-of-more-" in expected.stdout
    (tmp_path / "onevm").symlink_to(ROOT / "bin" / "onevm")
    assert launch(str(tmp_path / "onevm"), "list", "-l", "ID,NAME").stdout == expected.stdout
    refused = launch(str(ROOT / "bin" / "onevm"), "show")
    assert refused.returncode == 255 and refused.stdout == ""


def test_a_pipe_closed_early_ends_with_a_line(answers: Answers) -> None:
    """One line on standard error, no traceback, and the exit code of SIGPIPE."""
    answers.replies["one.vmpool.info"] = "<VM_POOL>" + "<VM><ID>1</ID></VM>" * 50000 + "</VM_POOL>"
    for form in ("-x", "--csv"):
        command = f"set -o pipefail; '{ROOT}/bin/onevm' list {form} | head -1"
        found = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=os.environ, timeout=30
        )
        assert (found.returncode, found.stdout.count("\n")) == (141, 1)
        said = "The output was closed before its end: read it whole, or list less (--filter, --size).\n"
        assert found.stderr == said


def test_output_that_cannot_be_written(answers: Answers) -> None:
    answers.document("one.vmpool.info", "vm_pool.xml")
    command = f"'{ROOT}/bin/onevm' list"
    full = launch("sh", "-c", f"{command} > /dev/full")
    assert (full.returncode, full.stderr) == (255, "Output cannot be written: No space left on device\n")
    closed = launch("sh", "-c", f"{command} >&- <&-")
    assert (closed.returncode, closed.stderr) == (0, "")


def test_names_that_the_terminal_cannot_show(answers: Answers) -> None:
    answers.replies["one.vmpool.info"] = "<VM_POOL><VM><ID>1</ID><NAME>\u4e2d</NAME></VM></VM_POOL>"
    found = launch(str(ROOT / "bin" / "onevm"), "list", "-l", "NAME", "--csv", LC_ALL="C", LANG="C")
    assert (found.returncode, found.stderr) == (0, "") and "\u4e2d" in found.stdout


def on_terminal(columns: int, *words: str, **more: str) -> list[str]:
    """Run a command whose standard output is a terminal of that width; its lines."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm", **more}
    subprocess.run([str(ROOT / "bin" / "onevm"), *words], stdout=follower, env=env, timeout=30, check=True)
    os.close(follower)
    with open(leader, "rb", closefd=True, buffering=0) as file:
        return file.read(100_000).decode().splitlines()


def test_a_terminal_is_filled_and_coloured(answers: Answers) -> None:
    answers.document("one.vmpool.info", "vm_pool.xml")
    lines = on_terminal(104, "list")
    assert lines[0].startswith(
        "\033[1m\033[4m   ID USER     GROUP    NAME                           STAT  CPU"
    )
    assert (
        "a-name-of-more-than-fifteen    \033[32mrunn\033[0m" in lines[1] and "node-with-long-name" in lines[1]
    )
    plain = on_terminal(104, "list", NO_COLOR="1")
    assert "\033" not in "".join(plain) and "a-name-of-more-than-fifteen    runn" in plain[1]
    assert "a-name-of-more- runn" in on_terminal(104, "list", "--no-expand", NO_COLOR="1")[1]
    assert on_terminal(104, "top", "--count", "1")[0].startswith("\033[H\033[2J")


def test_a_list_imports_only_what_it_needs(answers: Answers) -> None:
    """The start-up time is made of imports; these are the ones that once cost much."""
    answers.replies["one.vmpool.info"] = "<VM_POOL/>"
    found = launch(sys.executable, "-X", "importtime", "-IS", str(ROOT / "bin" / "onevm"), "list")
    assert found.returncode == 0, found.stderr
    imported = {
        line.rsplit("|", 1)[1].strip()
        for line in found.stderr.splitlines()
        if line.startswith("import time:")
    }
    heavy = {"argparse", "http.client", "email", "ssl", "urllib.parse", "urllib.request", "lxml", "yaml",
             "pathlib", "subprocess", "dataclasses", "json", "inspect", "difflib", "tempfile", "xml.dom",
             "importlib.metadata", "logging", "csv", "datetime", "asyncio", "site"}  # fmt: skip
    assert not imported & heavy
    own = {name for name in imported if re.match(r"services\.cli\.(views|commands)\.", name)}
    assert own == {
        "services.cli.commands.onevm", "services.cli.commands.vm_part_subs",
        "services.cli.views.vm", "services.cli.views.vm_states",
        "services.cli.views.common",
    }  # fmt: skip
    assert "services.oned" not in imported
