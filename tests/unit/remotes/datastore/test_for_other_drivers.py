"""What datastore drivers of others find here: libfs.sh, xpath.rb, downloader.sh and not_supported.sh."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.datastore_driver import REMOTES, Stage
from tests.support.web import Page, Web

FOLDER = REMOTES / "datastore"
CONTENT = os.urandom(1024 * 1024) + bytes(1024 * 1024)


def bash(stage: Stage, script: str) -> subprocess.CompletedProcess[str]:
    text = f". {shlex.quote(str(FOLDER / 'libfs.sh'))}\n{script}"
    return subprocess.run(
        ["bash", "-c", text],
        env=stage.environment(),
        cwd=stage.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_functions_of_libfs(stage: Stage) -> None:
    disk = stage.safe / "a 'disk'"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "7M"], check=True)
    quoted = shlex.quote(str(disk))
    done = bash(
        stage,
        f"""
        ID=4
        set_up_datastore {stage.base} / {stage.safe}
        dirname "$(generate_image_path)"
        check_restricted {quoted}; check_restricted /etc/passwd; check_restricted {stage.safe}/../x
        image_format {quoted}; image_vsize {quoted}; fs_size {quoted}; image_format /nowhere
        fs_size /nowhere || echo failed
        BRIDGE_LIST="a b c"; get_destination_host 4
        eval "printf '<%s>' $(set_downloader_args x '' YES '' {quoted} -)"
        """,
    )
    assert done.stdout.splitlines() == [
        str(stage.base), "0", "1", "1", "qcow2", str(7 * 1024 * 1024), "7", "",
        "'/nowhere' cannot be read: No such file or directory", "failed", "b",
        f"<--md5><x><--nodecomp><{disk}><->",
    ]  # fmt: skip


@pytest.mark.parametrize("program", ["downloader", "downloader.sh"])
def test_the_downloader(stage: Stage, web: Web, program: str) -> None:
    packed = gzip.compress(CONTENT)
    url = web.put("/packed", Page(packed))

    def run(*args: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(FOLDER / program), *args]
        return subprocess.run(
            command, env=stage.environment(), cwd=stage.folder, capture_output=True, check=False
        )

    md5, sha1 = hashlib.md5(packed).hexdigest(), hashlib.sha1(packed).hexdigest()
    assert run("--md5", md5, "-s", sha1, url, "-").stdout == CONTENT
    assert run("-n", url, "-").stdout == packed
    assert run("-c", "100", url, "-").stdout == CONTENT[:100]
    assert run("--limit", "100m", url, "out").returncode == 0
    assert (stage.folder / "out").read_bytes() == CONTENT
    assert run("--convert", "qcow2", url, "converted").returncode == 0
    assert (stage.folder / "converted").read_bytes()[:4] == b"QFI\xfb"
    for wrong in (
        ("--md5", "0" * 32, url, "wrong"),
        ("-c", "1", "--md5", md5, url, "wrong"),
        ("-o", "wrong", url, "wrong"),
        ("ssh://-oProxyCommand=touch wrong:/x", "wrong"),
        ("ssh://host:relative", "wrong"),
    ):
        assert run(*wrong).returncode != 0
    assert sorted(os.listdir(stage.folder)) == ["converted", "out", "safe"]


def test_the_downloader_reads_other_machines(stage: Stage) -> None:
    """ssh is called as a program of the PATH, with the file's name quoted for the other side's shell."""
    own = stage.folder / "bin"
    own.mkdir()
    program = own / "ssh"
    program.write_text(
        '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\n[ "$2" = me@node ] && exec sh -c "$3"\n'
    )
    program.chmod(0o755)
    stage.env["PATH"] = f"{own}:{os.environ['PATH']}"
    source = stage.safe / "it's; here"
    source.write_bytes(CONTENT)
    command = [str(FOLDER / "downloader"), f"ssh://me@node:{source}", "-"]
    done = subprocess.run(command, env=stage.environment(), capture_output=True, check=False)
    assert done.stdout == CONTENT, done.stderr
    command[1] += "x"
    done = subprocess.run(command, env=stage.environment(), capture_output=True, check=False)
    assert done.returncode == 1 and b"No such file" in done.stderr


DOCUMENT = """<VM><ID>1</ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID><SOURCE>a &amp; b</SOURCE></DISK>
<DISK><DISK_ID>1</DISK_ID><SOURCE><![CDATA[c'd]]></SOURCE></DISK></TEMPLATE><EMPTY/></VM>"""


@pytest.mark.parametrize(("path", "text"), [
    ("/VM/ID", "1"),
    ("VM/ID", "1"),
    ("ID", "1"),
    ("/VM/TEMPLATE/DISK[DISK_ID=1]/SOURCE", "c'd"),
    ("/VM/TEMPLATE/DISK[ DISK_ID='0' ]/SOURCE", "a & b"),
    ("/VM/TEMPLATE/DISK[2]/DISK_ID", "1"),
    ("//SOURCE", "a & b"),
    ("%m%/VM/TEMPLATE/DISK/DISK_ID", "0 1"),
    ("/VM/EMPTY", ""),
    ("/VM/NONE", ""),
    ("/HOST/ID", ""),
])  # fmt: skip
def test_texts_of_documents(path: str, text: str) -> None:
    program = str(FOLDER / "xpath.rb")
    encoded = base64.b64encode(DOCUMENT.encode()).decode()
    for given in ([program, "-b", encoded, path, "/VM/ID"], [program, "--stdin", path, "/VM/ID"]):
        done = subprocess.run(given, input=DOCUMENT, capture_output=True, text=True, check=True)
        assert done.stdout == f"{text}\0001\0\n"


def test_documents_with_entities_are_refused() -> None:
    document = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    done = subprocess.run(
        [str(FOLDER / "xpath.rb"), "-s", "/a"], input=document, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "declares entities" in done.stderr


def test_a_subtree(stage: Stage) -> None:
    command = [str(FOLDER / "xpath.rb"), "-t", "-s", "/VM/ID"]
    done = subprocess.run(command, input=DOCUMENT, capture_output=True, text=True, check=True)
    assert done.stdout == "<ID>1</ID>\0\n"


def test_actions_that_a_driver_does_not_have(stage: Stage) -> None:
    action = stage.folder / "snap_delete"
    action.symlink_to(FOLDER / "common/not_supported.sh")
    done = subprocess.run([str(action)], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "snap_delete: Operation not supported" in done.stderr
    assert Path(FOLDER / "common/stat").resolve() == FOLDER / "fs/stat"
