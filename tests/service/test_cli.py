"""Every subcommand against a living front-end, through the real launchers."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.frontend import Frontend

pytestmark = pytest.mark.timeout(120)

Ok = Callable[..., str]


@pytest.fixture(scope="module")
def ok(frontend: Frontend) -> Ok:
    """Run a command that must succeed in silence on standard error; its standard output."""

    def run(*words: str, stdin: str | None = None) -> str:
        found = frontend.run(*words, stdin=stdin or "")
        assert (found.returncode, found.stderr) == (0, ""), " ".join(words)
        return found.stdout

    return run


def new_id(text: str) -> str:
    """The id that a creation printed."""
    found = re.fullmatch(r"(?:VM )?ID: (\d+)\n", text)
    assert found, text
    return found.group(1)


def refused(frontend: Frontend, *words: str) -> str:
    """Run a command that must fail: what it says, which is one line."""
    found = frontend.run(*words, stdin="")
    assert (found.returncode, found.stdout) == (255, ""), " ".join(words)
    assert found.stderr.count("\n") == 1 and "Traceback" not in found.stderr
    return found.stderr.rstrip("\n")


def cell(ok: Ok, command: str, oid: str, column: str) -> str:
    """One cell of a list."""
    return ok(command, "list", "-l", column, "-f", f"ID={oid}", "--csv", "--no-header").strip()


def field(text: str, name: str) -> str:
    """One field of a show."""
    found = re.search(rf"^{re.escape(name)} *: (.*?) *$", text, re.M)
    assert found, f"{name} is not shown"
    return found.group(1)


@pytest.fixture(scope="module")
def hosts(ok: Ok) -> list[str]:
    """Two monitored hosts."""
    ids = [new_id(ok("onehost", "create", f"node{n}", "-i", "dummy", "-v", "dummy")) for n in (1, 2)]
    for oid in ids:
        until(lambda oid=oid: cell(ok, "onehost", oid, "STAT") == "on", f"host {oid} monitored")
    return ids


def until(done: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Return when ``done``; fail with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s} s: {what}")
        time.sleep(0.1)


@pytest.fixture
def vm(ok: Ok, hosts: list[str]) -> Iterator[str]:
    """A running VM, gone afterwards."""
    oid = new_id(ok("onevm", "create", "--name", "web", "--cpu", "0.1", "--memory", "64"))
    assert ok("onevm", "wait", oid, "--timeout", "30") == f"VM {oid}: RUNNING\n"
    yield oid
    if cell(ok, "onevm", oid, "STAT"):  # DONE machines are not listed
        ok("onevm", "recover", oid, "--delete")
        ok("onevm", "wait", oid, "--state", "DONE", "--timeout", "30")


# -- clusters, hosts, datastores -----------------------------------------------------------------------
def test_cluster(frontend: Frontend, ok: Ok) -> None:
    oid = new_id(ok("onecluster", "create", "rack"))
    host = new_id(ok("onehost", "create", "rackhost", "--im", "dummy", "--vm", "dummy", "--cluster", "rack"))
    assert cell(ok, "onehost", host, "CLUSTER") == "rack"
    ok("onecluster", "delhost", "rack", "rackhost")
    assert cell(ok, "onehost", host, "CLUSTER") == "default"
    ok("onecluster", "addhost", oid, host)
    ok("onecluster", "adddatastore", "rack", "default")
    ok("onecluster", "rename", "rack", "rack-b")
    ok("onecluster", "update", "rack-b", "-", stdin='RESERVED_CPU="10%"')
    shown = ok("onecluster", "show", "rack-b")
    assert field(shown, "NAME") == "rack-b" and 'RESERVED_CPU="10%"' in shown
    assert re.search(rf"^HOSTS +\n{host} +\n", shown, re.M) and re.search(r"^DATASTORES +\n1 +$", shown, re.M)
    assert [cell(ok, "onecluster", oid, name) for name in ("HOSTS", "DATASTORES")] == ["1", "1"]
    assert refused(frontend, "onecluster", "delete", "rack-b").startswith("[one.cluster.delete] ")
    ok("onecluster", "deldatastore", "rack-b", "1")
    ok("onecluster", "delhost", "rack-b", host)
    ok("onehost", "delete", host)
    assert ok("onecluster", "delete", "rack-b", "-v") == f"CLUSTER {oid}: deleted\n"


def test_host(frontend: Frontend, ok: Ok, hosts: list[str]) -> None:
    oid = hosts[1]
    assert cell(ok, "onehost", oid, "TVM") == "0"
    assert re.fullmatch(r"\d+ / [1-9]\d* \(\d+%\)", cell(ok, "onehost", oid, "ALLOCATED_CPU"))
    ok("onehost", "disable", oid)
    until(lambda: cell(ok, "onehost", oid, "STAT") == "dsbl", "disabled")
    ok("onehost", "offline", "node2")
    assert cell(ok, "onehost", oid, "STAT") == "off"
    ok("onehost", "enable", ",".join(hosts))
    until(lambda: cell(ok, "onehost", oid, "STAT") == "on", "monitored again")
    ok("onehost", "rename", "node2", "node-two")
    ok("onehost", "rename", "node-two", "node2")
    ok("onehost", "update", oid, "-", "--append", stdin='RACK="7"')
    shown = ok("onehost", "show", "node2")
    assert field(shown, "STATE") == "MONITORED" and 'RACK="7"' in shown
    assert shown.endswith("  ID USER     GROUP    NAME            STAT  CPU     MEM HOST             TIME\n")
    assert refused(frontend, "onehost", "create", "node2", "-i", "dummy", "-v", "dummy").startswith(
        "[one.host.allocate]"
    )
    found = refused(frontend, "onehost", "show", "nod2")
    assert found in (
        "HOST named nod2 not found. Did you mean node2?",
        "HOST named nod2 not found. Did you mean node1?",
    )


def test_datastore(frontend: Frontend, ok: Ok, tmp_path: Path) -> None:
    (tmp_path / "ds").write_text('NAME="scratch"\nTYPE="SYSTEM_DS"\nTM_MAD="dummy"\n')
    oid = new_id(ok("onedatastore", "create", str(tmp_path / "ds"), "--cluster", "default"))
    assert [cell(ok, "onedatastore", oid, name) for name in ("TYPE", "TM", "STAT")] == ["sys", "dummy", "on"]
    ok("onedatastore", "disable", "scratch")
    assert cell(ok, "onedatastore", oid, "STAT") == "off"
    ok("onedatastore", "enable", "scratch")
    ok("onedatastore", "rename", oid, "scratch2")
    ok("onedatastore", "chmod", oid, "644")
    ok("onedatastore", "chown", oid, "serveradmin", "users")
    ok("onedatastore", "chgrp", oid, "oneadmin")
    ok("onedatastore", "update", oid, "-", "-a", stdin="LIMIT_MB=2048")
    shown = ok("onedatastore", "show", "scratch2")
    assert (field(shown, "USER"), field(shown, "LIMIT:")) == ("serveradmin", "2G")
    assert re.search(r"^GROUP          : u-- +$", shown, re.M) and re.search(
        r"^OTHER          : u-- +$", shown, re.M
    )
    ok("onedatastore", "delete", oid)
    assert (
        refused(frontend, "onedatastore", "show", oid)
        == f"[one.datastore.info] Error getting datastore [{oid}]."
    )


# -- users and groups ----------------------------------------------------------------------------------
def test_user_and_group(frontend: Frontend, ok: Ok, tmp_path: Path) -> None:
    group = new_id(ok("onegroup", "create", "devs"))
    user = new_id(ok("oneuser", "create", "alice", stdin="first-password\n"))
    assert [cell(ok, "oneuser", user, name) for name in ("GROUP", "AUTH", "ENABLED")] == [
        "users",
        "core",
        "yes",
    ]
    as_alice = ("--user", "alice", "--password", "first-password")
    assert field(ok("oneuser", "show", *as_alice), "NAME") == "alice"
    assert refused(frontend, "oneuser", "list", "--user", "alice", "--password", "wrong").startswith(
        "[one.userpool.info]"
    )
    ok("oneuser", "addgroup", "alice", "devs")
    ok("onegroup", "addadmin", "devs", "alice")
    shown = ok("onegroup", "show", group)
    assert re.search(rf"^ +{user} \*$", shown, re.M)
    ok("onegroup", "deladmin", "devs", "alice")
    ok("onegroup", "update", "devs", "-", stdin='NOTE="n"')
    assert 'NOTE="n"' in ok("onegroup", "show", "devs")
    ok("oneuser", "delgroup", "alice", "devs")
    assert ok("oneuser", "chgrp", "-v", "alice", "devs") == f"USER {user}: Group changed\n"
    assert cell(ok, "onegroup", group, "USERS") == "1"
    assert field(ok("onegroup", "show", *as_alice), "NAME") == "devs"
    (tmp_path / "pw").write_text("second-password\n")
    ok("oneuser", "passwd", "alice", str(tmp_path / "pw"), "--read-file")
    refused(frontend, "oneuser", "show", *as_alice)
    assert field(ok("oneuser", "show", "--user", "alice", "--password", "second-password"), "ID") == user
    ok("oneuser", "disable", "alice")
    assert cell(ok, "oneuser", user, "ENABLED") == "no"
    refused(frontend, "oneuser", "show", "--user", "alice", "--password", "second-password")
    ok("oneuser", "enable", "alice")
    ok("oneuser", "chauth", "alice", "ldap")
    assert cell(ok, "oneuser", user, "AUTH") == "ldap"
    ok("oneuser", "update", "alice", "-", "-a", stdin='EMAIL="a@example.org"')
    assert 'EMAIL="a@example.org"' in ok("oneuser", "show", "alice")
    ok("oneuser", "delete", "alice")
    ok("onegroup", "delete", "devs")
    assert refused(frontend, "onegroup", "delete", "users").startswith("[one.group.delete] ")


# -- templates -----------------------------------------------------------------------------------------
def test_template(frontend: Frontend, ok: Ok, hosts: list[str]) -> None:
    oid = new_id(ok("onetemplate", "create", stdin='NAME="tiny"\nCPU=0.1\nMEMORY=64\nNOTE="a \\"b\\""\n'))
    small = new_id(ok("onetemplate", "create", "--name", "small", "--cpu", "0.2", "--memory", "128m"))
    assert [cell(ok, "onetemplate", small, name) for name in ("NAME", "USER")] == ["small", "oneadmin"]
    shown = ok("onetemplate", "show", "tiny")
    assert 'NOTE="a \\"b\\""' in shown and field(shown, "LOCK") == "None"
    copy = new_id(ok("onetemplate", "clone", "tiny", "copy"))
    ok("onetemplate", "rename", "copy", "copy2")
    ok("onetemplate", "chmod", copy, "604")
    ok("onetemplate", "chown", copy, "serveradmin")
    ok("onetemplate", "chgrp", copy, "users")
    ok("onetemplate", "update", copy, "-", stdin='CPU="3"')
    shown = ok("onetemplate", "show", "copy2")
    assert (field(shown, "USER"), field(shown, "GROUP")) == ("serveradmin", "users")
    assert shown.rstrip().endswith(
        'TEMPLATE CONTENTS                                                               \nCPU="3"'
    )
    lines = ok(
        "onetemplate", "instantiate", "tiny", "-", "--name", "many-%i", "-m", "2", "--hold", stdin="X=1\n"
    )
    ids = re.findall(r"^VM ID: (\d+)$", lines, re.M)
    assert [cell(ok, "onevm", vm_id, "NAME") for vm_id in ids] == ["many-0", "many-1"]
    assert 'X="1"' in ok("onevm", "show", ids[0])
    ok("onevm", "terminate", ",".join(ids))
    ok("onetemplate", "delete", f"{oid},small,copy2")
    assert refused(frontend, "onetemplate", "show", "tiny") == "VMTEMPLATE named tiny not found."


# -- virtual machines ----------------------------------------------------------------------------------
def test_vm_creation(frontend: Frontend, ok: Ok, tmp_path: Path) -> None:
    (tmp_path / "vm").write_text('NAME="from-file"\nCPU=0.1\nMEMORY=64\n')
    first = new_id(ok("onevm", "create", str(tmp_path / "vm"), "--hold"))
    second = new_id(
        ok("onevm", "create", str(tmp_path / "vm"), "--hold", "--name", "named", "--memory", "1g")
    )
    third = new_id(ok("onevm", "create", "--hold", stdin="CPU=9\nMEMORY=1331"))
    assert [cell(ok, "onevm", second, name) for name in ("NAME", "MEM", "STAT")] == ["named", "1024M", "hold"]
    table = ok("onevm", "list", "-f", f"ID>={first}").splitlines()
    assert table[0] == "  ID USER     GROUP    NAME            STAT  CPU     MEM HOST             TIME"
    assert table[1] == f"{third:>4} oneadmin oneadmin one-{third:<11} hold    9    1.3G              0d 00h00"
    assert ok("onevm", "create", "--dry", "--name", "x", "--cpu", "1") == 'NAME="x"\nCPU="1"\n'
    ok("onevm", "terminate", "--hard", f"{first}..{third}")
    assert refused(frontend, "onevm", "create", "--cpu", "1").startswith("[one.vm.allocate] ")
    assert refused(frontend, "onevm", "show", "9999") == "[one.vm.info] Error getting virtual machine [9999]."


def test_vm_life(ok: Ok, vm: str, hosts: list[str]) -> None:
    for words, state in (
        (("suspend",), "SUSPENDED"), (("resume",), "RUNNING"),
        (("stop",), "STOPPED"), (("resume",), "RUNNING"),
        (("poweroff",), "POWEROFF"), (("resume",), "RUNNING"),
        (("poweroff", "--hard"), "POWEROFF"), (("resume",), "RUNNING"),
        (("undeploy",), "UNDEPLOYED"), (("resume",), "RUNNING"),
        (("undeploy", "--hard"), "UNDEPLOYED"), (("resume",), "RUNNING"),
        (("reboot",), "RUNNING"), (("reboot", "--hard"), "RUNNING"), (("terminate",), "DONE"),
    ):  # fmt: skip
        ok("onevm", *words, vm)
        assert ok("onevm", "wait", vm, "--state", state, "--timeout", "30") == f"VM {vm}: {state}\n"
    shown = ok("onevm", "show", vm)
    assert (field(shown, "STATE"), field(shown, "LCM_STATE")) == ("DONE", "LCM_INIT")
    assert field(shown, "END TIME") != "-" and "\nHOST  " not in shown
    header = "SEQ UID  REQ   HOST         ACTION       DS           START        TIME     PROLOG"
    history = shown[shown.index(header) :].splitlines()
    assert re.fullmatch(
        r"  0 0    \d+ +node\d +suspend +\d+  \d\d/\d\d \d\d:\d\d:\d\d   0d 00h00m   0h00m\d\ds", history[1]
    )


def test_vm_placed_by_hand(frontend: Frontend, ok: Ok, hosts: list[str]) -> None:
    oid = new_id(ok("onevm", "create", "--cpu", "0.1", "--memory", "64", "--hold"))
    ok("onevm", "release", oid)
    ok("onevm", "wait", oid, "--timeout", "30")
    ok("onevm", "terminate", "--hard", oid)
    oid = new_id(ok("onevm", "create", "--cpu", "0.1", "--memory", "64", "--hold"))
    ok("onevm", "deploy", oid, "node2", "system", "--enforce")
    ok("onevm", "wait", oid, "--timeout", "30")
    assert cell(ok, "onevm", oid, "HOST") == "node2"
    assert cell(ok, "onehost", hosts[1], "TVM") == "1"
    assert (
        " web " not in ok("onehost", "show", "node2")
        and "node2" in ok("onehost", "show", "node2").splitlines()[-1]
    )
    ok("onehost", "disable", "node1")  # no other host, so that the scheduler leaves it where it is
    ok("onevm", "resched", oid)
    assert field(ok("onevm", "show", oid), "RESCHED") == "Yes"
    ok("onevm", "unresched", oid)
    ok("onehost", "enable", "node1")
    assert field(ok("onevm", "show", oid), "RESCHED") == "No"
    assert refused(frontend, "onevm", "hold", oid).startswith("[one.vm.action] ")
    ok("onevm", "terminate", oid)
    ok("onevm", "wait", oid, "--state", "DONE", "--timeout", "30")


def test_vm_changes(ok: Ok, vm: str) -> None:
    ok("onevm", "rename", "web", "www")
    ok("onevm", "chown", vm, "serveradmin", "users")
    ok("onevm", "chgrp", vm, "oneadmin")
    ok("onevm", "chmod", vm, "751")
    ok("onevm", "update", vm, "-", stdin='NOTE="x"')
    ok("onevm", "update", vm, "-", "-a", stdin='MORE="y"')
    shown = ok("onevm", "show", vm)
    assert [field(shown, name) for name in ("NAME", "USER")] == ["www", "serveradmin"]
    assert re.search(r"^OWNER +: uma +\nGROUP +: u-a +\nOTHER +: --a +$", shown, re.M)
    assert '\nNOTE="x"\n' in shown and '\nMORE="y"\n' in shown
    assert field(shown, "HOST").startswith("node") and field(shown, "CLUSTER") == "default"
    ok("onevm", "chown", vm, "oneadmin", "oneadmin")


def test_vm_that_fits_nowhere_is_held(ok: Ok, hosts: list[str]) -> None:
    oid = new_id(ok("onevm", "create", "--cpu", "9999", "--memory", "64"))
    assert cell(ok, "onevm", oid, "STAT") == "pend"
    ok("onevm", "hold", oid)
    assert cell(ok, "onevm", oid, "STAT") == "hold"
    ok("onevm", "terminate", oid)


@pytest.mark.parametrize("option", ["--delete", "--delete-db", "--recreate"])
def test_vm_recovery(frontend: Frontend, ok: Ok, hosts: list[str], option: str) -> None:
    oid = new_id(ok("onevm", "create", "--cpu", "0.1", "--memory", "64", "--raw", 'DUMMY=[FAIL="deploy"]'))
    ok("onevm", "wait", oid, "--state", "BOOT_FAILURE", "--timeout", "30")
    assert cell(ok, "onevm", oid, "STAT") == "fail"
    found = frontend.run("onevm", "wait", oid, "--timeout", "5")
    assert (found.returncode, found.stderr) == (
        255,
        f"VM {oid}: is BOOT_FAILURE and will not become RUNNING.\n",
    )
    ok("onevm", "recover", oid, "--retry")
    ok("onevm", "wait", oid, "--state", "BOOT_FAILURE", "--timeout", "30")
    if option == "--recreate":
        ok("onevm", "recover", oid, "--success")  # as if it had booted
        assert ok("onevm", "wait", oid, "--timeout", "30") == f"VM {oid}: RUNNING\n"
        ok("onevm", "recover", oid, option)
        ok("onevm", "wait", oid, "--state", "BOOT_FAILURE", "--timeout", "30")
        option = "--delete"
    ok("onevm", "recover", oid, option)
    ok("onevm", "wait", oid, "--state", "DONE", "--timeout", "30")


def test_a_failed_operation_is_told_to_have_failed(frontend: Frontend, ok: Ok, hosts: list[str]) -> None:
    """recover --failure is refused where nothing is under way, with the front-end's own words."""
    oid = new_id(ok("onevm", "create", "--cpu", "0.1", "--memory", "64", "--hold"))
    assert refused(frontend, "onevm", "recover", oid, "--failure").startswith("[one.vm.recover] ")
    ok("onevm", "terminate", oid)


def test_lists_of_ids_go_on_after_a_refusal(frontend: Frontend, ok: Ok) -> None:
    oid = new_id(ok("onevm", "create", "--cpu", "0.1", "--memory", "64", "--hold"))
    found = frontend.run("onevm", "release", "-v", f"9999,{oid}")
    assert found.returncode == 255
    assert found.stderr == "[one.vm.action] Error getting virtual machine [9999].\n"
    assert found.stdout == f"VM {oid}: released\n"
    ok("onevm", "recover", oid, "--delete")


def test_names_that_are_not_unique(frontend: Frontend, ok: Ok) -> None:
    ids = [
        new_id(ok("onevm", "create", "--name", "twin", "--cpu", "1", "--memory", "1", "--hold")) for _ in "ab"
    ]
    said = refused(frontend, "onevm", "show", "twin")
    assert said == f"There are multiple VMs with name twin (ids {', '.join(ids)}); give the id."
    ok("onevm", "terminate", ",".join(ids))


# -- output --------------------------------------------------------------------------------------------
KINDS = ("vm", "host", "template", "user", "group", "datastore", "cluster")


@pytest.mark.parametrize("kind", KINDS)
def test_forms_of_every_list(ok: Ok, vm: str, kind: str) -> None:
    if kind == "template":
        ok("onetemplate", "create", "--name", f"t{time.monotonic_ns()}", "--cpu", "1", "--memory", "1")
    command = f"one{kind}"
    table = ok(command, "list").splitlines()
    tree = ElementTree.fromstring(ok(command, "list", "-x"))
    pool = json.loads(ok(command, "list", "-j"))[tree.tag]
    name = tree.tag.removesuffix("_POOL")
    ids = [member.findtext("ID") for member in tree.findall(name)]
    assert ids == [member["ID"] for member in pool[name]] == [line.split()[0] for line in table[1:]]
    assert ok(command, "list", "-y").startswith(f"---\n{tree.tag}:\n  {name}:\n  - ")
    assert ok(command, "list", "--csv", "-l", "ID", "--no-header").split() == ids
    assert ok(command, "top", "--count", "1", "-l", "ID", "--no-header").split() == ids


@pytest.mark.parametrize("kind", KINDS)
def test_forms_of_every_show(ok: Ok, vm: str, kind: str) -> None:
    command = f"one{kind}"
    if kind == "template":
        ok("onetemplate", "create", "--name", f"t{time.monotonic_ns()}", "--cpu", "1", "--memory", "1")
    oid = ok(command, "list", "-l", "ID", "--csv", "--no-header").split()[0]
    tree = ElementTree.fromstring(ok(command, "show", oid, "-x"))
    found = json.loads(ok(command, "show", oid, "-j"))
    assert tree.findtext("ID") == found[tree.tag]["ID"] == oid
    assert ok(command, "show", oid, "-y").startswith(f'---\n{tree.tag}:\n  ID: "{oid}"\n')
    assert field(ok(command, "show", oid), "ID") == oid


def test_a_pipe_closed_early(frontend: Frontend, ok: Ok, vm: str) -> None:
    found = subprocess.run(
        ["sh", "-c", "onevm list -x | head -1"], env=frontend.env, capture_output=True, text=True, timeout=30
    )
    assert (found.stdout, found.stderr) == ("<VM_POOL>\n", "")


def test_an_unreachable_front_end(frontend: Frontend) -> None:
    said = refused(frontend, "onevm", "list", "--endpoint", "http://127.0.0.1:1/RPC2")
    assert said.startswith("Cannot connect to http://127.0.0.1:1/RPC2: Connection refused.")
