"""A copy of the driver actions with a libvirt of files: ``domains`` says which machines there are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REMOTES = Path(__file__).resolve().parents[4] / "services/remotes"

# Answers as libvirt 9 does, of the machines in a file: "name uuid state reason cpu_ns" each.
_VIRSH = """#!{python}
import sys, pathlib
here = pathlib.Path(__file__).parent
if (here / "down").exists():
    sys.exit("error: failed to connect to the hypervisor")
rows = [row.split() for row in (here / "domains").read_text().splitlines()]
commands = sys.argv[-1]
(here / "calls").open("a").write(" ".join(sys.argv[1:]) + chr(10))
if commands == "capabilities":
    print("<capabilities><host><cpu><model>EPYC</model></cpu></host><guest><arch name='x86_64'>"
          "<machine>pc-old</machine><domain type='qemu'/><domain type='kvm'><machine>pc</machine>"
          "<machine>q35</machine></domain></arch></guest></capabilities>")
elif commands.startswith("cpu-models"):
    print("EPYC\\nkvm64")
elif commands.startswith("dumpxml"):
    name = next(row[0] for row in rows if row[1] == commands.split()[1])
    print(f"<domain><name>{{name}}</name><memory>65536</memory><vcpu>2</vcpu><os><type arch='x86_64'>hvm"
          "</type></os><features><acpi/></features><devices><graphics type='vnc' port='5901'/></devices>"
          "</domain>")
else:
    for row in rows:
        print(f" {{row[1]}} {{row[0]}}")
    print()
    for row in rows:
        print(f"Domain: '{{row[0]}}'\\n  state.state={{row[2]}}\\n  state.reason={{row[3]}}")
        print(f"  cpu.time={{row[4]}}\\n  balloon.rss=4096\\n  net.count=2\\n  net.0.rx.bytes=10")
        print("  net.1.rx.bytes=5\\n  net.0.tx.bytes=7")
        print("  block.0.path=/x\\n  block.0.rd.bytes=512\\n  block.0.rd.reqs=1\\n  block.0.wr.bytes=0\\n")
"""


class NodeFiles:
    """The folders of a pretended node."""

    def __init__(self, folder: Path) -> None:
        self.remotes = folder / "remotes"
        self.bin = folder / "bin"
        self.datastores = folder / "datastores"
        shutil.copytree(REMOTES, self.remotes, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        self.bin.mkdir()
        self.datastores.mkdir()
        virsh = self.bin / "virsh"
        virsh.write_text(_VIRSH.format(python=sys.executable))
        virsh.chmod(0o755)
        self.domains()

    def domains(self, *rows: str) -> None:
        """Let these machines be there: ``name uuid state reason cpu_ns``."""
        part = self.bin / "domains.part"
        part.write_text("".join(f"{row}\n" for row in rows))
        part.replace(self.bin / "domains")

    def configuration(self, port: int = 4124, host_id: int = 3, extra: str = "", **periods_s: int) -> bytes:
        """MONITOR_CONFIGURATION for this node."""
        rows = "".join(f"<{name}>{value}</{name}>" for name, value in periods_s.items())
        return (
            f"<MONITOR_CONFIGURATION><DATASTORE_LOCATION><![CDATA[{self.datastores}]]></DATASTORE_LOCATION>"
            f"<HOST_ID>{host_id}</HOST_ID><NETWORK><MONITOR_ADDRESS>auto</MONITOR_ADDRESS><PORT>{port}</PORT>"
            f"{extra}</NETWORK><PROBES_PERIOD>{rows}</PROBES_PERIOD></MONITOR_CONFIGURATION>"
        ).encode()

    def run(
        self, action: str, *arguments: str, stdin: bytes = b"", ssh_client: str = "127.0.0.1 1 22"
    ) -> subprocess.CompletedProcess[str]:
        """Run an action of the copy as ssh would."""
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.remotes)}
        if ssh_client:
            environment["SSH_CLIENT"] = ssh_client
        done = subprocess.run(
            [self.remotes / action, *arguments], input=stdin, capture_output=True, timeout=60, env=environment
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeFiles]:
    """A pretended node; what runs in the test itself finds its virsh too."""
    made = NodeFiles(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
    yield made
