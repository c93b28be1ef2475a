"""stat and cp of web addresses: a real server, which is slow, broken, hostile, or behind a proxy."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.support.datastore_driver import REMOTES, Stage
from tests.support.web import Page, Web

MB = 1024 * 1024
CONTENT = os.urandom(2 * MB) + bytes(MB)


def test_an_image_is_read_from_the_web(stage: Stage, web: Web) -> None:
    page = Page(CONTENT)
    url = web.put("/image%20one", page)
    assert stage.ok("stat", {"PATH": url}) == "3"
    sums = {"TEMPLATE/SHA256": hashlib.sha256(CONTENT).hexdigest()}
    path, form = stage.ok("cp", {"PATH": url, "SIZE": 3, **sums}).split()
    assert (form, Path(path).read_bytes()) == ("raw", CONTENT)
    stage.ok("cp", {"PATH": url + "?a=b", "SIZE": 3, "TEMPLATE/URL_ARGS": "token=x"})
    assert page.requests[-1]["PATH"] == "/image%20one?a=b&token=x"
    wrong = stage.run("cp", {"PATH": url, "SIZE": 3, "REGTIME": 2, "TEMPLATE/MD5": "0" * 32})
    assert "Hash does not match" in wrong.error
    assert len(stage.files()) == 1


def test_the_size_of_what_tells_none_is_counted(stage: Stage, web: Web) -> None:
    assert stage.ok("stat", {"PATH": web.put("/chunks", Page(CONTENT, length=False))}) == "3"
    assert stage.ok("stat", {"PATH": web.put("/packed", Page(gzip.compress(CONTENT)))}) == "3"


def test_a_download_goes_on_where_it_was_cut_off(stage: Stage, web: Web) -> None:
    page = Page(CONTENT, cut_after=MB, cuts=2)
    path = stage.ok("cp", {"PATH": web.put("/cut", page), "SIZE": 3}).split()[0]
    assert Path(path).read_bytes() == CONTENT
    assert [request.get("Range") for request in page.requests] == [None, f"bytes={MB}-", f"bytes={2 * MB}-"]
    packed = gzip.compress(CONTENT)
    page = Page(packed, cut_after=len(packed) // 3, cuts=1)
    path = stage.ok("cp", {"PATH": web.put("/cut.gz", page), "SIZE": 3, "REGTIME": 2}).split()[0]
    assert Path(path).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(stage: Stage, web: Web) -> None:
    page = Page(CONTENT, status=503, failures=1)
    stage.ok("cp", {"PATH": web.put("/busy", page), "SIZE": 3})
    assert len(page.requests) == 2


@pytest.mark.parametrize(("page", "error"), [
    (Page(CONTENT, cut_after=MB, cuts=9, ranges=False), "does not send the rest of the same file"),
    (Page(b"", status=404, failures=9), "answers 404"),
    (Page(b"", status=401, failures=9), "answers 401"),
    (Page(b""), "is empty"),
    (Page(bytes(4 * MB)), "registered with 3 MB"),
    (Page(bytes(4 * MB), length=False), "registered with 3 MB"),
    (Page(gzip.compress(bytes(64 * MB))), "registered with 3 MB"),
    (Page(gzip.compress(CONTENT)[:-9]), "has no end"),
    (Page(status=302, failures=99, location="/loop"), "too many redirects"),
    (Page(status=302, failures=99, location="file:///etc/passwd"), "redirects to what is no web address"),
    (Page(status=302, failures=99, location="ftp://127.0.0.1/x"), "redirects to what is no web address"),
])  # fmt: skip
def test_what_goes_wrong_is_one_error_and_leaves_nothing(
    stage: Stage, web: Web, page: Page, error: str
) -> None:
    url = web.put("/loop", page)
    assert error in stage.run("cp", {"PATH": url, "SIZE": 3}).error
    assert stage.files() == []


def test_a_file_that_changes_meanwhile_is_not_mixed(stage: Stage, web: Web) -> None:
    """The server says at the second request that it has another version: it sends all of that."""

    class Changing(Page):
        @property
        def etag(self) -> str:
            return f'"{len(self.requests)}"'

        @etag.setter
        def etag(self, value: str) -> None:
            pass

    url = web.put("/changing", Changing(CONTENT, cut_after=MB, cuts=1))
    assert "does not send the rest of the same file" in stage.run("cp", {"PATH": url, "SIZE": 3}).error
    assert stage.files() == []


@pytest.mark.parametrize("url", [
    "http://",
    "http:///x",
    "http://127.0.0.1:99999/x",
    "http://[::1/x",
    "http://127.0.0.1/a b",
    "http://127.0.0.1/a\nHost: other",
    "http://" + "a" * 300 + "/",
    "https://127.0.0.1:1/x",
])  # fmt: skip
def test_bad_addresses(stage: Stage, url: str) -> None:
    assert stage.run("stat", {"PATH": url}).error.startswith(("'http", "http"))


def test_passwords_stay_secret(stage: Stage, web: Web) -> None:
    page = Page(CONTENT)
    elsewhere = web.put("/there", page).replace("127.0.0.1", "localhost")
    first = Page(status=302, failures=99, location=elsewhere)
    url = web.put("/login", first).replace("//", "//me:s3cret@")
    stage.ok("cp", {"PATH": url, "SIZE": 3})
    assert base64.b64decode(first.requests[0]["Authorization"].split()[1]) == b"me:s3cret"
    assert "Authorization" not in page.requests[0], "another server learned the password"
    web.put("/login", Page(status=403, failures=9))
    for path in (url, url.replace("127.0.0.1", "127.0.0.1 ")):
        answer = stage.run("cp", {"PATH": path})
        assert answer.error and "s3cret" not in answer.stderr


def test_proxies_of_the_environment_are_used(stage: Stage, web: Web) -> None:
    page = Page(CONTENT)
    web.put("/behind", page)
    stage.env["http_proxy"] = web.url("")
    assert stage.ok("stat", {"PATH": "http://images.example/behind"}) == "3"
    assert page.requests[0]["PATH"] == "http://images.example/behind"
    stage.env |= {"http_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1"}
    assert stage.ok("stat", {"PATH": web.url("/behind")}) == "3"


def test_certificates_are_checked(stage: Stage) -> None:
    certificate = stage.folder / "certificate"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-subj", "/CN=web", "-addext", "subjectAltName=IP:127.0.0.1", "-out", "cert", "-keyout", "key"]
    subprocess.run(made, cwd=stage.folder, check=True, capture_output=True)
    certificate.write_bytes((stage.folder / "cert").read_bytes() + (stage.folder / "key").read_bytes())
    with Web(certificate) as server:
        image = {"PATH": server.put("/image", Page(CONTENT))}
        assert "its certificate is not trusted" in stage.run("stat", image).error
        own = stage.folder / "remotes"
        for folder in ("lib", "datastore", "etc/datastore"):
            shutil.copytree(REMOTES / folder, own / folder)
        conf = own / "etc/datastore/datastore.conf"
        conf.write_text(conf.read_text().replace("VERIFY_TLS=yes", "VERIFY_TLS=no"))
        command = [str(own / "datastore/fs/stat"), *stage.command("stat", image)[1:]]
        assert subprocess.check_output(command, env=stage.environment(), text=True).strip() == "3"
        stage.env["SSL_CERT_FILE"] = str(stage.folder / "cert")
        assert stage.ok("stat", image) == "3"


def test_the_speed_is_limited(stage: Stage, web: Web) -> None:
    url = web.put("/slow", Page(CONTENT))
    started = time.monotonic()
    stage.ok("cp", {"PATH": url, "SIZE": 3}, LIMIT_TRANSFER_BW="2m")
    assert time.monotonic() - started > 1.0, "3 MB at 2 MB/s; being slower is no fault"


def test_an_action_that_is_ended_leaves_nothing(stage: Stage, web: Web) -> None:
    gate = threading.Event()
    url = web.put("/gate", Page(CONTENT, gate=gate))
    command = stage.command("cp", {"PATH": url, "SIZE": 3, "REGTIME": 1})
    with subprocess.Popen(command, env=stage.environment(), stderr=subprocess.PIPE) as process:
        try:
            _wait_for(lambda: any(name.endswith(".part") for name in stage.files()))
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) != 0
            assert stage.files() == []
        finally:
            gate.set()
            process.kill()


def test_what_a_killed_action_left_goes_with_the_image_or_the_next_run(stage: Stage, web: Web) -> None:
    gate = threading.Event()
    page = Page(CONTENT, gate=gate)
    image = {"PATH": web.put("/gate", page), "SIZE": 3, "REGTIME": 1}
    for then in ("rm", "cp"):
        gate.clear()
        with subprocess.Popen(stage.command("cp", image), env=stage.environment()) as process:
            try:
                _wait_for(lambda: len(stage.files()) == 1)
            finally:
                process.kill()
                process.wait()
                gate.set()
        assert stage.files()[0].endswith(".part")
        printed = stage.ok(then, image)
        assert stage.files() == ([Path(printed.split()[0]).name] if printed else [])


def _wait_for(happened: object) -> None:
    deadline = time.monotonic() + 60
    assert callable(happened)
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
