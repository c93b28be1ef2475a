"""What each subcommand asks the front-end for, and what it prints."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Answers, Run

TINY = 'NAME="x"\nCPU=1\n'


def called(answers: Answers) -> list[tuple[str, list[Any]]]:
    """The calls that change something."""
    return [call for call in answers.calls if not call[0].endswith(".info")]


@pytest.fixture
def cloud(answers: Answers) -> Answers:
    """A front-end with objects of every kind, that accepts every change (the id of a new object is 42)."""
    for name in ("vm", "host", "template", "user", "group", "datastore", "cluster"):
        answers.document(f"one.{name}pool.info", f"{name}_pool.xml")
        answers.document(f"one.{name}.info", f"{name}.xml")
    answers.replies["one.vnpool.info"] = "<VNET_POOL><VNET><ID>9</ID><NAME>net</NAME></VNET></VNET_POOL>"
    known = dict(answers.replies)

    class Accepting(dict[str, Any]):
        def get(self, method: str, default: Any = None) -> Any:
            return super().get(method, 42)

    answers.replies = Accepting(known)
    return answers


@pytest.mark.parametrize(
    ("words", "method", "arguments"),
    [
        ("onevm hold web", "one.vm.action", ["hold", 7]),
        ("onevm release 7", "one.vm.action", ["release", 7]),
        ("onevm poweroff 7", "one.vm.action", ["poweroff", 7]),
        ("onevm poweroff --hard 7", "one.vm.action", ["poweroff-hard", 7]),
        ("onevm reboot 7", "one.vm.action", ["reboot", 7]),
        ("onevm reboot 7 --hard", "one.vm.action", ["reboot-hard", 7]),
        ("onevm resume 7", "one.vm.action", ["resume", 7]),
        ("onevm suspend 7", "one.vm.action", ["suspend", 7]),
        ("onevm stop 7", "one.vm.action", ["stop", 7]),
        ("onevm undeploy 7", "one.vm.action", ["undeploy", 7]),
        ("onevm undeploy 7 --hard", "one.vm.action", ["undeploy-hard", 7]),
        ("onevm terminate 7", "one.vm.action", ["terminate", 7]),
        ("onevm terminate 7 --hard", "one.vm.action", ["terminate-hard", 7]),
        ("onevm resched 7", "one.vm.action", ["resched", 7]),
        ("onevm unresched 7", "one.vm.action", ["unresched", 7]),
        ("onevm deploy web node1", "one.vm.deploy", [7, 1, False, -1, ""]),
        ("onevm deploy 7 2 100 -e", "one.vm.deploy", [7, 2, True, 100, ""]),
        ("onevm recover 7 --failure", "one.vm.recover", [7, 0]),
        ("onevm recover 7 --success", "one.vm.recover", [7, 1]),
        ("onevm recover 7 --retry", "one.vm.recover", [7, 2]),
        ("onevm recover 7 --delete", "one.vm.recover", [7, 3]),
        ("onevm recover 7 --recreate", "one.vm.recover", [7, 4]),
        ("onevm recover 7 --delete-db", "one.vm.recover", [7, 5]),
        ("onevm rename web www", "one.vm.rename", [7, "www"]),
        ("onevm chown 7 alice", "one.vm.chown", [7, 2, -1]),
        ("onevm chown 7 alice users", "one.vm.chown", [7, 2, 1]),
        ("onevm chgrp 7 users", "one.vm.chown", [7, -1, 1]),
        ("onevm chmod 7 640", "one.vm.chmod", [7, 1, 1, 0, 1, 0, 0, 0, 0, 0]),
        ("onehost create n3 -i kvm -v qemu", "one.host.allocate", ["n3", "kvm", "qemu", -1]),
        ("onehost create n3 --im a --vm b -c production", "one.host.allocate", ["n3", "a", "b", 100]),
        ("onehost delete node1", "one.host.delete", [1]),
        ("onehost enable 1", "one.host.status", [1, 0]),
        ("onehost disable 1", "one.host.status", [1, 1]),
        ("onehost offline 1", "one.host.status", [1, 2]),
        ("onehost rename node1 n1", "one.host.rename", [1, "n1"]),
        ("onetemplate clone tiny small", "one.template.clone", [1, "small", False]),
        ("onetemplate clone 1 small --recursive", "one.template.clone", [1, "small", True]),
        ("onetemplate delete tiny", "one.template.delete", [1, False]),
        ("onetemplate delete 1 --recursive", "one.template.delete", [1, True]),
        ("onetemplate rename 1 t", "one.template.rename", [1, "t"]),
        ("onetemplate chmod 1 604", "one.template.chmod", [1, 1, 1, 0, 0, 0, 0, 1, 0, 0, False]),
        ("onetemplate chown 1 alice", "one.template.chown", [1, 2, -1]),
        ("onetemplate chgrp 1 users", "one.template.chown", [1, -1, 1]),
        ("onetemplate instantiate tiny", "one.template.instantiate", [1, "", False, "", False]),
        ("onetemplate instantiate 1 --hold --name a", "one.template.instantiate", [1, "a", True, "", False]),
        ("onetemplate instantiate 1 --persistent --cpu 2 --memory 1g", "one.template.instantiate",
         [1, "", False, 'CPU="2"\nMEMORY="1024"', True]),
        ("oneuser create eve pw", "one.user.allocate", ["eve", "pw", "core", []]),
        ("oneuser create eve pw --driver ldap --group users", "one.user.allocate",
         ["eve", "pw", "ldap", [1]]),
        ("oneuser create eve --driver public", "one.user.allocate", ["eve", "-", "public", []]),
        ("oneuser create eve abc --sha256", "one.user.allocate",
         ["eve", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "core", []]),
        ("oneuser delete alice", "one.user.delete", [2]),
        ("oneuser passwd alice new", "one.user.passwd", [2, "new"]),
        ("oneuser chauth alice ldap", "one.user.chauth", [2, "ldap", ""]),
        ("oneuser chauth alice core new", "one.user.chauth", [2, "core", "new"]),
        ("oneuser chgrp alice oneadmin", "one.user.chgrp", [2, 0]),
        ("oneuser addgroup alice oneadmin", "one.user.addgroup", [2, 0]),
        ("oneuser delgroup 2 0", "one.user.delgroup", [2, 0]),
        ("oneuser enable 2", "one.user.enable", [2, True]),
        ("oneuser disable 2", "one.user.enable", [2, False]),
        ("onegroup delete users", "one.group.delete", [1]),
        ("onegroup addadmin users alice", "one.group.addadmin", [1, 2]),
        ("onegroup deladmin users alice", "one.group.deladmin", [1, 2]),
        ("onedatastore delete system", "one.datastore.delete", [0]),
        ("onedatastore enable 0", "one.datastore.enable", [0, True]),
        ("onedatastore disable 0", "one.datastore.enable", [0, False]),
        ("onedatastore rename 0 s", "one.datastore.rename", [0, "s"]),
        ("onedatastore chown 0 alice users", "one.datastore.chown", [0, 2, 1]),
        ("onedatastore chgrp 0 users", "one.datastore.chown", [0, -1, 1]),
        ("onedatastore chmod 0 644", "one.datastore.chmod", [0, 1, 1, 0, 1, 0, 0, 1, 0, 0]),
        ("onecluster create c", "one.cluster.allocate", ["c"]),
        ("onecluster delete production", "one.cluster.delete", [100]),
        ("onecluster rename production p", "one.cluster.rename", [100, "p"]),
        ("onecluster addhost production node1", "one.cluster.addhost", [100, 1]),
        ("onecluster delhost 100 1", "one.cluster.delhost", [100, 1]),
        ("onecluster adddatastore production system", "one.cluster.adddatastore", [100, 0]),
        ("onecluster deldatastore 100 0", "one.cluster.deldatastore", [100, 0]),
        ("onecluster addvnet production net", "one.cluster.addvnet", [100, 9]),
        ("onecluster delvnet 100 9", "one.cluster.delvnet", [100, 9]),
    ],
)  # fmt: skip
def test_one_call(cloud: Answers, run: Run, words: str, method: str, arguments: list[Any]) -> None:
    code, out, err = run(*words.split())
    assert (code, err) == (0, "")
    assert called(cloud) == [(method, arguments)]
    new = any(part in words for part in (" create ", " clone ", " instantiate "))
    assert out == (("VM ID: 42\n" if "instantiate" in words else "ID: 42\n") if new else "")


def test_lists_go_on_after_a_refusal(cloud: Answers, run: Run) -> None:
    def action(_name: str, oid: int) -> Any:
        return (
            [False, f"[one.vm.action] Error getting virtual machine [{oid}].", 1024, oid, 0]
            if oid == 2
            else oid
        )

    cloud.replies["one.vm.action"] = action
    code, out, err = run("onevm", "hold", "1..3", "-v")
    assert code == 255
    assert out == "VM 1: on hold\nVM 3: on hold\n"
    assert err == "[one.vm.action] Error getting virtual machine [2].\n"


def test_a_refusal_is_printed_unchanged(answers: Answers, run: Run) -> None:
    answers.refuse("one.vm.info", 1024, "[one.vm.info] Error getting virtual machine [9999].", 9999)
    assert run("onevm", "show", "9999") == (255, "", "[one.vm.info] Error getting virtual machine [9999].\n")


def test_a_refused_list(answers: Answers, run: Run) -> None:
    answers.refuse("one.vmpool.info", 256, "[one.vmpool.info] User couldn't be authenticated, aborting call.")
    code, out, err = run("onevm", "list")
    assert (code, out) == (255, "") and err.startswith("[one.vmpool.info] User couldn't")
    assert run("onevm", "list", "-x")[:2] == (255, "")


def test_verbose_tells_what_was_done(cloud: Answers, run: Run) -> None:
    assert run("oneuser", "chgrp", "-v", "alice", "users")[1] == "USER 2: Group changed\n"
    assert run("onehost", "rename", "--verbose", "1", "x")[1] == "HOST 1: renamed\n"


# -- templates -----------------------------------------------------------------------------------------
def test_create_from_a_file(cloud: Answers, run: Run, tmp_path: Path) -> None:
    (tmp_path / "t").write_text(TINY)
    assert run("onevm", "create", str(tmp_path / "t"), "--hold")[:2] == (0, "ID: 42\n")
    assert run("onetemplate", "create", str(tmp_path / "t"))[:2] == (0, "ID: 42\n")
    assert run("onedatastore", "create", str(tmp_path / "t"), "-c", "production")[:2] == (0, "ID: 42\n")
    assert called(cloud) == [
        ("one.vm.allocate", [TINY, True]),
        ("one.template.allocate", [TINY]),
        ("one.datastore.allocate", [TINY, 100]),
    ]


@pytest.mark.parametrize("words", [(), ("-",)])
def test_create_from_standard_input(
    cloud: Answers, run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(TINY))
    assert run("onevm", "create", *words)[0] == 0
    assert called(cloud) == [("one.vm.allocate", [TINY, False])]


def test_create_from_options(cloud: Answers, run: Run) -> None:
    words = (
        "--name",
        'a "b"',
        "--cpu",
        "0.5",
        "--vcpu",
        "2",
        "--memory",
        "1g",
        "--arch",
        "x86_64",
        "--raw",
        "A=1",
    )
    words += ("--disk", "3,alpine:size=100,alice[web]", "--nic", "net,auto")
    assert run("onevm", "create", *words)[0] == 0
    assert called(cloud) == [("one.vm.allocate", [
        'NAME="a \\"b\\""\nCPU="0.5"\nVCPU="2"\nMEMORY="1024"\n'
        'DISK=[\n  IMAGE_ID="3" ]\nDISK=[\n  IMAGE="alpine",\n  SIZE="100" ]\n'
        'DISK=[\n  IMAGE="web",\n  IMAGE_UNAME="alice" ]\n'
        'NIC=[\n  NETWORK="net" ]\nNIC=[\n  NETWORK_MODE="auto" ]\nOS=[\n  ARCH="x86_64" ]\nA=1',
        False])]  # fmt: skip


def test_create_several_with_a_number_in_the_name(cloud: Answers, run: Run) -> None:
    assert run("onevm", "create", "--name", "web-%i", "--cpu", "1", "-m", "2")[1] == "ID: 42\nID: 42\n"
    assert [arguments[0].split("\n")[0] for _, arguments in called(cloud)] == ['NAME="web-0"', 'NAME="web-1"']
    cloud.calls.clear()
    run("onetemplate", "instantiate", "1", "--name", "web-%i", "--multiple", "3")
    assert [arguments[1] for _, arguments in called(cloud)] == ["web-0", "web-1", "web-2"]


def test_dry_prints_and_does_nothing(cloud: Answers, run: Run) -> None:
    assert run("onevm", "create", "--name", "a", "--cpu", "1", "--dry") == (0, 'NAME="a"\nCPU="1"\n', "")
    assert run("onetemplate", "create", "--name", "a", "--dry") == (0, 'NAME="a"\n', "")
    assert called(cloud) == []


def test_instantiate_with_a_file_and_options(cloud: Answers, run: Run, tmp_path: Path) -> None:
    (tmp_path / "more").write_text("NOTE=hi\n")
    assert run("onetemplate", "instantiate", "1", str(tmp_path / "more"), "--cpu", "2")[0] == 0
    assert called(cloud) == [("one.template.instantiate", [1, "", False, 'CPU="2"\nNOTE=hi\n', False])]


def test_update_from_a_file_replaces_or_appends(cloud: Answers, run: Run, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("A=1")
    for command, oid in (("onevm", 7), ("onehost", 1), ("onetemplate", 1), ("oneuser", 2), ("onegroup", 1),
                         ("onedatastore", 0), ("onecluster", 100)):  # fmt: skip
        cloud.calls.clear()
        assert run(command, "update", str(oid), str(tmp_path / "t"))[0] == 0
        assert run(command, "update", str(oid), str(tmp_path / "t"), "-a")[0] == 0
        method = f"one.{command.removeprefix('one')}.update"
        assert called(cloud) == [(method, [oid, "A=1", 0]), (method, [oid, "A=1", 1])]


class Terminal(io.StringIO):
    """A standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


def editor(folder: Path, script: str) -> str:
    """A program that changes the file it is given."""
    path = folder / "my editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"'{path}'"


def test_update_in_an_editor(
    cloud: Answers, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setenv("EDITOR", editor(tmp_path, 'echo \'NEW="1"\' >> "$1"'))
    monkeypatch.delenv("VISUAL", raising=False)
    assert run("onevm", "update", "7")[0] == 0
    text = 'NOTE="a \\\\ and a \\"quote\\""\nPART=[\n  B="2",\n  C="3" ]\nNEW="1"\n'
    assert called(cloud) == [("one.vm.update", [7, text, 0])]
    cloud.calls.clear()
    assert run("onevm", "update", "7", "--append")[0] == 0
    assert called(cloud) == [("one.vm.update", [7, 'NEW="1"\n', 1])]


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("true", 0, "Nothing was changed.\n"),
        ("exit 3", 255, "Editor .* ended with exit code 3; nothing was changed.\n"),
    ],
)
def test_an_editor_that_changes_nothing(
    cloud: Answers,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setenv("VISUAL", editor(tmp_path, script))
    found = run("onevm", "update", "7")
    assert found[0] == code and pytest.importorskip("re").fullmatch(said, found[2])
    assert called(cloud) == []


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("onevm", "create"), "", "The template on standard input is empty.\n"),
        (("onevm", "update", "7"), " \n", "The template on standard input is empty.\n"),
        (("onevm", "create", "/nowhere"), "", "File /nowhere cannot be read: No such file or directory.\n"),
        (("onevm", "create", "-", "--cpu", "1"), "<VM/>",
         "Options cannot be combined with a template in XML; write them into the file.\n"),
        (("onevm", "create", "--disk", "a:b"), "", "--disk: expected attribute=value behind a, found 'b'\n"),
        (("onegroup", "create"), "", "onegroup create: the name of the group is missing.\n"),
        (("onegroup", "create", "a", "-n", "b"), "",
         "onegroup create: two names were given, 'a' and --name 'b'.\n"),
        (("oneuser", "create", "eve"), "", "Password is missing: standard input is no terminal and empty.\n"),
        (("oneuser", "create", "eve", "a b"), "",
         "The password must not be empty and must not hold white space.\n"),
        (("oneuser", "create", "eve", "/nowhere", "-r"), "",
         "Password file /nowhere cannot be read: No such file or directory.\n"),
        (("oneuser", "passwd", "2", "-r"), "", "--read-file: the password argument must name the file.\n"),
        (("oneuser", "chauth", "2"), "",
         "oneuser chauth: the driver is missing (core, public, ldap, x509 ...).\n"),
    ],
)  # fmt: skip
def test_refused_input(
    cloud: Answers, run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], stdin: str, said: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    assert run(*words) == (255, "", said)
    assert called(cloud) == []


# -- secrets -------------------------------------------------------------------------------------------
def test_passwords_from_a_pipe_and_a_file(
    cloud: Answers, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("piped\nrest\n"))
    assert run("oneuser", "create", "eve") == (0, "ID: 42\n", "")
    (tmp_path / "pw").write_text("filed\n")
    assert run("oneuser", "passwd", "2", str(tmp_path / "pw"), "-r", "-v") == (
        0,
        "USER 2: Password changed\n",
        "",
    )
    assert [arguments[1] for _, arguments in called(cloud)] == ["piped", "filed"]


def test_passwords_typed_twice(cloud: Answers, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    typed = iter(["one", "one", "one", "two"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
    assert run("oneuser", "passwd", "2") == (0, "", "")
    assert run("oneuser", "passwd", "2") == (255, "", "The two passwords differ; nothing was changed.\n")
    assert called(cloud) == [("one.user.passwd", [2, "one"])]


# -- wait ----------------------------------------------------------------------------------------------
def states(*pairs: tuple[int, int]) -> Any:
    """Answers of vm.info, one after the other; the last one stays."""
    queue = list(pairs)

    def info(*_arguments: Any) -> str:
        state, lcm_state = queue.pop(0) if len(queue) > 1 else queue[0]
        return f"<VM><ID>7</ID><STATE>{state}</STATE><LCM_STATE>{lcm_state}</LCM_STATE></VM>"

    return info


@pytest.mark.parametrize(
    ("pairs", "words", "expected"),
    [
        ([(1, 0), (3, 1), (3, 3)], (), (0, "VM 7: RUNNING\n", "")),
        ([(8, 0)], ("--state", "poweroff,DONE"), (0, "VM 7: POWEROFF\n", "")),
        ([(3, 3)], ("--state", "ACTIVE"), (0, "VM 7: RUNNING\n", "")),
        ([(3, 2), (3, 36)], (), (255, "", "VM 7: is BOOT_FAILURE and will not become RUNNING.\n")),
        ([(6, 0)], (), (255, "", "VM 7: is DONE and will not become RUNNING.\n")),
        ([(1, 0)], ("--timeout", "0.2"), (255, "", "VM 7: still PENDING after 0.2 s, expected RUNNING.\n")),
    ],
)
def test_wait(
    cloud: Answers,
    run: Run,
    pairs: list[tuple[int, int]],
    words: tuple[str, ...],
    expected: tuple[int, str, str],
) -> None:
    cloud.replies["one.vm.info"] = states(*pairs)
    assert run("onevm", "wait", "7", *words) == expected
