"""What many commands share, access rules, clusters and VDCs; and that no subcommand is left out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.cli import main
from tests.support.shell import Shell, at_a_new_front_end, field

pytestmark = pytest.mark.timeout(120)

COMMANDS = (
    "oneacct", "oneacl", "onecluster", "onegroup", "onehook", "onemarket", "onemarketapp", "onesecgroup",
    "oneshowback", "oneuser", "onevdc", "onevmgroup", "onevnet", "onevntemplate", "onevrouter", "onezone",
)  # fmt: skip
AR = 'AR=[TYPE="IP4",IP="10.0.0.10",SIZE="20"]'


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """oneadmin's shell at a front-end without machines."""
    with at_a_new_front_end(tmp_path_factory.mktemp("objects")) as found:
        yield found


# command -> (template that creates an object, whether it has an owner, whether it can be locked)
TEMPLATES = {
    "onehook": ('NAME="{}"\nTYPE="api"\nCALL="one.vm.allocate"\nCOMMAND="x.sh"', False, True),
    "onemarket": ('NAME="{}"\nMARKET_MAD="http"\nBASE_URL="http://x/"\nPUBLIC_DIR="/srv"', True, False),
    "onesecgroup": ('NAME="{}"\nRULE=[PROTOCOL="ALL",RULE_TYPE="outbound"]', True, False),
    "onevmgroup": ('NAME="{}"\nROLE=[NAME="db"]', True, True),
    "onevnet": ('NAME="{}"\nVN_MAD="dummy"\nBRIDGE="b"\n' + AR, True, True),
    "onevntemplate": ('NAME="{}"\nVN_MAD="dummy"\nBRIDGE="b"', True, True),
    "onevrouter": ('NAME="{}"', True, True),
}


@pytest.mark.parametrize("command", TEMPLATES)
def test_life_of_an_object(shell: Shell, command: str, tmp_path: Path) -> None:
    """From create to delete: what these commands share."""
    text, is_owned, is_lockable = TEMPLATES[command]
    (tmp_path / "template").write_text(text.format("one"))
    oid = shell.created(f"{command} create {tmp_path}/template")
    other = shell.created(f"{command} create", text.format("two"))
    assert shell.ok(f"{command} rename -v one first").endswith(f" {oid}: renamed\n")
    shell.ok(f"{command} update first -a -", 'NOTE="a \\"b\\""')
    assert 'NOTE="a \\"b\\""' in shell.ok(f"{command} show first")
    shell.edit_with('s/NOTE=.*/NOTE="edited"/')
    shell.ok(f"{command} update {oid}", terminal=True)
    assert 'NOTE="edited"' in shell.ok(f"{command} show {oid}")
    shell.edit_with("s/nothing at all/x/")
    assert shell.run(f"{command} update {oid}", terminal=True) == (0, "", "Nothing was changed.\n")
    if is_owned:
        shell.ok(f"{command} chown first,two serveradmin users")
        shell.ok(f"{command} chgrp {oid} oneadmin")
        shell.ok(f"{command} chmod {oid}..{other} 751")
        shown = shell.ok(f"{command} show {oid}")
        assert (field(shown, "USER"), field(shown, "OWNER")) == ("serveradmin", "uma")
        assert (field(shown, "OTHER"), re.findall(r"^GROUP *: (\S+)", shown, re.M)) == (
            "--a",
            ["oneadmin", "u-a"],
        )
    if is_lockable:
        shell.ok(f"{command} lock {oid} --manage")
        assert field(shell.ok(f"{command} show {oid}"), "LOCK") == "Manage"
        shell.ok(f"{command} unlock first")
        for option, level in (("--admin", "Admin"), ("--all", "All"), ("--use", "Use"), ("", "Use")):
            shell.ok(f"{command} lock {oid} {option}")
            assert field(shell.ok(f"{command} show {oid}"), "LOCK") == level
            shell.ok(f"{command} unlock {oid}")
    assert shell.cells(command, oid, "ID,NAME") == [oid, "first"]
    assert shell.ok(f"{command} top --count 1 -l NAME -f ID={oid} --csv --no-header") == "first\n"
    wrong = shell.refused(f"{command} rename nowhere x")
    assert re.fullmatch(r"[A-Z_]+ named nowhere not found\.", wrong)
    assert shell.refused(f"{command} show").startswith(f"{command} show: argument ")
    assert shell.refused(f"{command} show 999999").startswith("[one.")
    kind = shell.refused(f"{command} delete nowhere").split()[0]
    assert (
        shell.ok(f"{command} delete -v first,{other}") == f"{kind} {oid}: deleted\n{kind} {other}: deleted\n"
    )


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("oneacct", "oneshowback")])
def test_forms_of_every_list(shell: Shell, command: str) -> None:
    """Table, CSV, XML, JSON and YAML hold the same objects."""
    if command in TEMPLATES:
        shell.created(f"{command} create", TEMPLATES[command][0].format(f"form{time.monotonic_ns()}"))
    elif command in ("onevdc", "onecluster"):
        shell.created(f"{command} create form{time.monotonic_ns()}")
    elif command == "onemarketapp":
        market = shell.created("onemarket create", TEMPLATES["onemarket"][0].format("fair"))
        shell.created("onetemplate create", 'NAME="form"\nCPU=1\nMEMORY=64')
        shell.created(f"onemarketapp vm-template import form --no --market {market} --vmname form")
    tree = ElementTree.fromstring(shell.ok(f"{command} list -x"))
    name = tree.tag.removesuffix("_POOL")
    ids = [member.findtext("ID") for member in tree.findall(name)]
    assert ids
    found = json.loads(shell.ok(f"{command} list -j"))[tree.tag]
    assert [member["ID"] for member in found[name]] == ids
    assert shell.ok(f"{command} list -y").startswith(f"---\n{tree.tag}:\n  {name}:\n  - ")
    assert shell.ok(f"{command} list --csv -l ID --no-header").split() == ids
    assert shell.ok(f"{command} list --describe").startswith("Columns (* = shown by default):\n* ")
    assert shell.refused(f"{command} list -l NOPE").startswith("There is no column NOPE.")
    if command != "oneacl":
        shown = json.loads(shell.ok(f"{command} show {ids[0]} -j"))
        assert next(iter(shown.values()))["ID"] == ids[0]
        assert ElementTree.fromstring(shell.ok(f"{command} show {ids[0]} -x")).findtext("ID") == ids[0]


def test_access_rules(shell: Shell) -> None:
    """oneacl create delete list: rules as one argument, part by part, or as numbers."""
    assert shell.ok("oneacl list -f USER=@1 -f ZONE=*").startswith(
        "  ID     USER RES_VHNIUTGDCOZSvRMAPt   RID"
    )
    rule = shell.created("oneacl create '@100 VM+NET+IMAGE+TEMPLATE/* CREATE *'")
    assert shell.cells("oneacl", rule, "STRING") == ["@100 VM+NET+IMAGE+TEMPLATE/* CREATE *"]
    assert shell.cells("oneacl", rule, "USER,RES_VHNIUTGDCOZSvRMAPt,RID,OPE_UMAC,ZONE") == [
        "@100", "V-NI-T------------", "*", "---c", "*",
    ]  # fmt: skip
    sorts = "HOST+USER+GROUP+DATASTORE+CLUSTER+DOCUMENT+ZONE+SECGROUP+VDC+VROUTER+MARKETPLACE"
    sorts += "+MARKETPLACEAPP+VMGROUP+VNTEMPLATE"
    second = shell.created(f"oneacl create '#2' {sorts}/* USE+MANAGE+ADMIN '#0'")
    assert shell.cells("oneacl", second, "STRING") == [f"#2 {sorts}/* USE+MANAGE+ADMIN #0"]
    third = shell.created("oneacl create '* HOST/%100 USE'")
    assert shell.cells("oneacl", third, "STRING") == ["* HOST/%100 USE #0"]
    fourth = shell.created("oneacl create 400000000 1400000000 1")
    assert shell.cells("oneacl", fourth, "STRING") == ["* VM/* USE #0"]
    shell.ok(f"oneacl delete {rule},{second},{third}..{fourth}")
    assert shell.ok(f"oneacl list -f ID={rule} --csv --no-header") == ""
    for line, fault in (
        ("oneacl create '@1 VM/*'", "three or four parts"),
        ("oneacl create '@x VM/* USE'", "user: expected #ID, @ID, %ID or *, found '@x'"),
        ("oneacl create '@1 VMM/* USE'", "there is no sort 'VMM'. Did you mean VM?"),
        ("oneacl create '@1 VM USE'", "expected SORT+SORT/WHICH"),
        ("oneacl create '@1 VM/* USAGE'", "there is no right 'USAGE'. Did you mean USE?"),
        ("oneacl delete 99999", "[one.acl.delrule]"),
    ):
        assert fault in shell.refused(line)


def test_cluster_members(shell: Shell) -> None:
    """Hosts, networks and datastores join and leave."""
    oid = shell.created("onecluster create rack")
    host = shell.created("onehost create rackhost -i dummy -v dummy")
    net = shell.created("onevnet create -c rack", 'NAME="racknet"\nVN_MAD="dummy"\nBRIDGE="b"')
    assert shell.cells("onevnet", net, "CLUSTERS") == [oid]
    assert shell.ok("onecluster addhost -v rack rackhost") == f"CLUSTER {oid}: updated\n"
    shell.ok("onecluster delvnet rack racknet")
    assert shell.cells("onecluster", oid, "HOSTS,VNETS,DATASTORES") == ["1", "0", "0"]
    shell.ok("onecluster addvnet rack racknet")
    shell.ok("onecluster adddatastore rack default")
    shell.ok("onecluster rename rack rack-b")
    shell.ok("onecluster update rack-b - ", 'NOTE="n"')
    shown = shell.ok("onecluster show rack-b")
    assert re.search(rf"^TOTAL CPUs: 0$.*^HOSTS +$\n{host} +$.*^VNETS +$\n{net} +$", shown, re.M | re.S)
    shell.ok("onecluster deldatastore rack-b default")
    shell.ok("onecluster delhost rack-b rackhost")
    shell.ok(f"onecluster delvnet {oid} {net}")
    shell.ok("onecluster delete rack-b")
    shell.ok(f"onehost delete {host}")
    shell.ok(f"onevnet delete {net}")


def test_vdc_members(shell: Shell) -> None:
    """Groups and objects of zones, one or all of them."""
    oid = shell.created("onevdc create plain")
    shell.ok("onevdc rename plain east")
    shell.ok("onevdc update east -", 'NOTE="n"')
    host = shell.created("onehost create vdchost -i dummy -v dummy")
    shell.ok("onevdc addgroup east users")
    shell.ok(f"onevdc addcluster {oid} 0 ALL")
    shell.ok("onevdc addhost east OpenNebula vdchost")
    shell.ok("onevdc adddatastore east 0 all")
    shell.ok("onevdc addvnet east 0 All")
    columns = "GROUPS,CLUSTERS,HOSTS,VNETS,DATASTORES"
    assert shell.cells("onevdc", oid, columns) == ["1", "ALL", "1", "ALL", "ALL"]
    shell.ok("onevdc delgroup east users")
    shell.ok("onevdc delcluster east 0 ALL")
    shell.ok(f"onevdc delhost east 0 {host}")
    shell.ok("onevdc deldatastore east 0 ALL")
    shell.ok("onevdc delvnet east 0 ALL")
    assert shell.cells("onevdc", oid, columns) == ["0"] * 5
    assert "NOTE" in shell.ok("onevdc show east")
    assert (
        shell.refused("onevdc addhost east 0 vdchots")
        == "HOST named vdchots not found. Did you mean vdchost?"
    )
    assert shell.ok("onevdc delete -v east") == f"VDC {oid}: deleted\n"
    shell.ok(f"onehost delete {host}")


def test_every_subcommand_is_used() -> None:
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_cli_*.py"))
    missing = []
    for command in COMMANDS:
        for name in main.command_named(command).subs:
            used = rf'"{command} {name}' if name else rf'"{command}'
            is_general = command in TEMPLATES or name in ("list", "show", "top") or name.endswith("quota")
            shared = "{command} " + name in source and is_general
            if not shared and not re.search(rf"{used}[ \"]|f{used}[ \"]", source):
                missing.append(f"{command} {name}")
    assert missing == []
