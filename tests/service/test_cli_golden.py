"""Lists and pages of every object but machines, to the character: in a pipe and on a terminal.

The golden files are what OpenNebula's own commands print for the same objects, but for times, ports and
hashes, which are masked. A ``|`` marks the end of lines with trailing blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shell import Shell, at_a_new_front_end

pytestmark = pytest.mark.timeout(120)
GOLDEN = Path(__file__).parent / "golden" / "cli"

OBJECTS = [
    ("onecluster create rack", ""),
    ("onehost create h0 -i dummy -v dummy -c rack", ""),
    ("onegroup create --name devs --admin_user boss --admin_password pw", ""),
    ("oneuser create alice pw --group users,devs", ""),
    ("onevdc create east", ""),
    ("onevdc addgroup east devs", ""),
    ("onevdc addhost east 0 h0", ""),
    ("onevdc addcluster east OpenNebula ALL", ""),
    (
        "onevmgroup create",
        'NAME="tiers"\nROLE=[NAME="db",POLICY="AFFINED"]\nROLE=[NAME="web",HOST_AFFINED="0"]\n'
        'AFFINED="db,web"\nNOTE="x"',
    ),
    (
        "onesecgroup create",
        'NAME="web"\nRULE=[PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="80,443"]\n'
        'RULE=[PROTOCOL="ICMP",RULE_TYPE="inbound",ICMP_TYPE="8",IP="10.0.0.0",SIZE="255"]\n'
        'RULE=[PROTOCOL="ALL",RULE_TYPE="outbound"]',
    ),
    (
        "onevnet create",
        'NAME="lan"\nVN_MAD="dummy"\nBRIDGE="br0"\nAR=[TYPE="IP4",IP="10.0.0.10",SIZE="20"]\n'
        'NETWORK_MASK="255.255.255.0"',
    ),
    ("onevnet addar lan --size 4 --ip 10.0.1.1 --ip6_global 2001:db8:: --ip6_ula fd00::", ""),
    ("onevnet hold lan 10.0.0.12", ""),
    ("onevnet reserve lan -n part -s 3", ""),
    ("onevntemplate create", 'NAME="stencil"\nVN_MAD="dummy"\nBRIDGE="b"'),
    ("onevntemplate instantiate stencil --name drawn --size 3 --ip 10.2.0.1", ""),
    ("onevrouter create", 'NAME="gate"\nNIC=[NETWORK="lan",FLOATING_IP="YES"]\nNIC=[NETWORK="lan"]\nX="1"'),
    ("onehook create", 'NAME="bell"\nTYPE="api"\nCALL="one.vm.allocate"\nCOMMAND="ring.sh"'),
    ("onemarket create", 'NAME="fair"\nMARKET_MAD="http"\nBASE_URL="http://fair/"\nPUBLIC_DIR="/srv/fair"'),
    ("onetemplate create", 'NAME="tiny"\nCPU=1\nMEMORY=64\nNIC=[NETWORK="lan"]'),
    ("onemarketapp vm-template import tiny --no --market 100 --vmname tiny-app", ""),
    ("oneacl create '@100 VM+NET/#5 USE+MANAGE #0'", ""),
    (
        "oneuser quota alice",
        "VM=[VMS=5,MEMORY=2048,CPU=2]\nDATASTORE=[ID=1,IMAGES=4,SIZE=1024]\nNETWORK=[ID=0,LEASES=2]\n"
        "IMAGE=[ID=0,RVMS=2]",
    ),
    ("onegroup quota devs", "VM=[VMS=5]"),
]
LISTS = (
    "onecluster", "onegroup", "oneuser", "onevdc", "onevmgroup", "onesecgroup", "onevnet", "onevntemplate",
    "onevrouter", "onehook", "onemarket", "onemarketapp", "oneacl", "onezone",
)  # fmt: skip
PAGES = (
    "onecluster show rack", "onegroup show devs", "oneuser show alice", "onevdc show east",
    "onevmgroup show tiers", "onesecgroup show web", "onevnet show lan",
    "onevnet show part --show-ar", "onevntemplate show stencil",
    "onevrouter show gate", "onehook show bell", "onemarket show fair", "onemarketapp show tiny-app",
    "onezone show 0",
)  # fmt: skip
# What differs from run to run, and what stands for it: the same width, so that columns stay.
VOLATILE = (
    (r"\d\d/\d\d \d\d:\d\d:\d\d", "MM/DD hh:mm:ss"),
    (r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}", "DDD MMM dd hh:mm:ss YYYY"),
    (r"\d\d/\d\d/\d\d\b", "MM/DD/YY"),
    (r"localhost:\d{5}", "localhost:PPPPP"),
    (r"^PASSWORD( +): .*$", r"PASSWORD\1: HASH"),
    (r"^TOKEN_PASSWORD=.*$", "TOKEN_PASSWORD=HASH"),
)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A front-end with one object of every sort, made in the same order each time."""
    with at_a_new_front_end(tmp_path_factory.mktemp("golden")) as found:
        for line, stdin in OBJECTS:
            found.ok(line, stdin)
        yield found


def masked(text: str) -> str:
    """The text without what differs from run to run; lines with trailing blanks end in ``|``."""
    for pattern, standing in VOLATILE:
        text = re.sub(pattern, standing, text, flags=re.M)
    return "".join(f"{line}|\n" if line.endswith(" ") else f"{line}\n" for line in text.splitlines())


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize("command", LISTS)
def test_list_in_a_pipe(shell: Shell, command: str) -> None:
    assert masked(shell.ok(f"{command} list")) == golden(f"{command}_list")


@pytest.mark.parametrize("command", LISTS)
def test_list_on_a_terminal(shell: Shell, command: str) -> None:
    """Columns share the free width; the header is emphasised."""
    printed = shell.on_terminal(f"{command} list", width=110)
    assert masked(printed.replace("\033", "^[")) == golden(f"{command}_list_terminal")


@pytest.mark.parametrize("line", PAGES)
def test_page(shell: Shell, line: str) -> None:
    name = re.sub(r"\W+", "_", line)
    assert masked(shell.ok(line)) == golden(name)


@pytest.mark.parametrize("line", ["onevnet show lan", "onegroup show devs"])
def test_page_on_a_terminal(shell: Shell, line: str) -> None:
    """The same text; only the heads of sections are emphasised."""
    printed = shell.on_terminal(line)
    assert re.sub(r"\033\[\d*m", "", printed) == shell.ok(line)
    assert printed.startswith("\033[1m\033[4m") and re.search(r"\n\033\[1m[A-Z]", printed)
