"""The probe folders: ours in the agent, others as processes; and what each of ours says."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import im_datastore
import im_devices
import im_host
import im_libvirt
import im_machines
import im_recovery
import pytest
from driver import DriverError
from im_context import Context, context
from im_probe import run_folder

from services.common.template import Template

if TYPE_CHECKING:
    from tests.unit.remotes.im.conftest import NodeFiles

U1, U2 = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def at(files: NodeFiles) -> Context:
    """The pretended node's context."""
    made = context(["kvm", "3", "node"], files.configuration())
    made.remotes = str(files.remotes)
    return made


def test_context_is_checked(files: NodeFiles) -> None:
    """Each fault is named."""
    for arguments, config, message in (
        (["kvm"], files.configuration(), "1 arguments"),
        (["../x", "3", "n"], files.configuration(), "the hypervisor"),
        (["kvm", "3;", "n"], files.configuration(), "the host's ID"),
        (["kvm", "3", "n"], b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", "entities"),
        (["kvm", "3", "n"], files.configuration(port=70000), "NETWORK/PORT"),
        (["kvm", "3", "n"], files.configuration(STATE_VM=0), "PROBES_PERIOD/STATE_VM"),
    ):
        with pytest.raises(DriverError, match=message):
            context(arguments, config)


def test_the_version_of_control_groups(at: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """oned writes deployment files after it: version 2 refuses shares above 10000."""
    file = tmp_path / "cgroup.controllers"
    monkeypatch.setattr(im_host, "_CGROUPS_V2", str(file))
    assert Template.parse(im_host.capacity(at)).get("CGROUPS_VERSION") == "1"
    file.write_text("cpu memory")
    assert Template.parse(im_host.capacity(at)).get("CGROUPS_VERSION") == "2"


def test_capacity_and_usage(at: Context) -> None:
    """The figures of this machine, as whole numbers that fit each other."""
    capacity = Template.parse(im_host.capacity(at) + im_host.architecture(at) + im_host.name(at))
    used = Template.parse(im_host.usage(at))
    assert capacity.get("TOTALCPU") == str(os.cpu_count() * 100)  # type: ignore[operator]
    assert int(used.get("USEDCPU") or "") + int(used.get("FREECPU") or "") == os.cpu_count() * 100  # type: ignore[operator]
    total_kb = int(capacity.get("TOTALMEMORY") or "")
    assert int(used.get("USEDMEMORY") or "") + int(used.get("FREEMEMORY") or "") == total_kb
    assert capacity.get("ARCH") == os.uname().machine
    assert capacity.get("HYPERVISOR") == used.get("HYPERVISOR") == "kvm"


def test_version(at: Context, files: NodeFiles) -> None:
    """Of the actions; nothing where the file holds something else."""
    assert im_host.version(at) == 'VERSION="6.0.0.3"\n'
    (files.remotes / "VERSION").write_text('6" X="1\n')
    assert im_host.version(at) == ""


def test_states_of_libvirt(at: Context, files: NodeFiles) -> None:
    """Every state and reason for a pause has its word."""
    for state, reason, word in (
        *((number, 1, "RUNNING") for number in (1, 2, 4)),
        (6, 0, "FAILURE"), (7, 0, "SUSPENDED"), (0, 0, "UNKNOWN"), (3, 1, "SUSPENDED"),
        *((3, reason, "RUNNING") for reason in (2, 3, 11)),
        *((3, reason, "FAILURE") for reason in (0, 5, 6, 10, 13)),
        *((3, reason, "UNKNOWN") for reason in (4, 7, 8, 9, 12)),
    ):  # fmt: skip
        files.domains(f"one-7 {U1} {state} {reason} 0")
        assert [(vm.vm_id, vm.state) for vm in im_libvirt.domains(at)] == [(7, word)], (state, reason)


def test_one_call_for_all(at: Context, files: NodeFiles) -> None:
    """However many machines there are, and only by the connection that cannot change anything."""
    files.domains(*(f"one-{n} 00000000-0000-4000-8000-{n:012} 1 1 {n}" for n in range(40)))
    assert im_machines.states(at).count("RUNNING") == 40
    calls = (files.bin / "calls").read_text().splitlines()
    assert len(calls) == 1 and calls[0].startswith("--readonly --connect qemu:///system ")


def test_no_answer_is_no_empty_list(at: Context, files: NodeFiles) -> None:
    """A libvirt that is down must not let machines go missing."""
    (files.bin / "down").touch()
    with pytest.raises(DriverError, match="Error executing state: virsh failed: error: failed to connect"):
        run_folder(at, "vm/status")


def test_figures(at: Context, files: NodeFiles) -> None:
    """CPU is what was used since the last look; counters are summed over disks and cards."""
    files.domains(f"one-7 {U1} 1 1 1000000000", f"wild {U2} 1 1 0")
    im_machines.begin(at)
    moment_s, used_ns = at.memory["machines.cpu"][U1]
    at.memory["machines.cpu"] = {U1: (moment_s - 10, used_ns - 5_000_000_000)}
    found = Template.parse(im_machines.monitor(at)).vectors("VM")
    assert [(vm["ID"], vm["DEPLOY_ID"]) for vm in found] == [("7", U1), ("-1", U2)]
    text = base64.b64decode(found[0]["MONITOR"]).decode()
    assert all(re.fullmatch(r'[A-Z]+="[\d.]+"', row) for row in text.splitlines())
    figures = Template.parse(text)
    assert 0 < float(figures.get("CPU") or "") <= 50
    names = ("MEMORY", "NETRX", "NETTX", "DISKRDBYTES", "DISKRDIOPS")
    assert {name: figures.get(name) for name in names} == {
        "MEMORY": "4096",
        "NETRX": "15",
        "NETTX": "7",
        "DISKRDBYTES": "512",
        "DISKRDIOPS": "1",
    }


def test_wilds(at: Context, files: NodeFiles) -> None:
    """Machines that are not ours come with a template that imports them."""
    files.domains(f"one-7 {U1} 1 1 0", f"wild {U2} 1 1 0")
    found = Template.parse(im_machines.wilds(at)).vectors("VM")
    assert [(vm["ID"], vm["VM_NAME"], vm["DEPLOY_ID"]) for vm in found] == [("-1", "wild", U2)]
    template = Template.parse(base64.b64decode(found[0]["IMPORT_TEMPLATE"]).decode())
    names = ("NAME", "CPU", "VCPU", "MEMORY", "HYPERVISOR", "DEPLOY_ID")
    assert {name: template.get(name) for name in names} == {
        "NAME": "wild", "CPU": "2", "VCPU": "2", "MEMORY": "64", "HYPERVISOR": "kvm", "DEPLOY_ID": U2,
    }  # fmt: skip
    assert template.vectors("GRAPHICS") == [{"TYPE": "vnc", "PORT": "5901"}]
    assert template.vectors("FEATURES") == [{"ACPI": "yes"}]


def test_machines_and_models(at: Context) -> None:
    """Those of the best domain type."""
    found = Template.parse(im_libvirt.machines_models(at))
    assert found.get("KVM_MACHINES") == "pc q35"
    assert found.get("KVM_CPU_MODELS") == "EPYC kvm64" and found.get("KVM_CPU_MODEL") == "EPYC"


def test_numa(at: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores with their threads, hugepages and memory, from the kernel's files."""
    node = tmp_path / "nodes/node1"
    for cpu, siblings, core in ((0, "0,2", 4), (1, "1,3", 5), (2, "0,2", 4), (3, "1,3", 5)):
        topology = node / f"cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{siblings}\n")
        (topology / "core_id").write_text(f"{core}\n")
    (node / "cpu4").mkdir()  # switched off
    pages = node / "hugepages/hugepages-2048kB"
    pages.mkdir(parents=True)
    (pages / "nr_hugepages").write_text("8\n")
    (pages / "free_hugepages").write_text("6\n")
    (node / "meminfo").write_text("Node 1 MemTotal: 100 kB\nNode 1 MemFree: 40 kB\nNode 1 MemUsed: 60 kB\n")
    (node / "distance").write_text("20 10 15\n")
    monkeypatch.setattr(im_devices, "NODES", str(tmp_path / "nodes"))
    assert im_devices.numa(at).splitlines() == [
        'HUGEPAGE=[NODE_ID="1",SIZE="2048",PAGES="8"]',
        'CORE=[NODE_ID="1",ID="4",CPUS="0,2"]',
        'CORE=[NODE_ID="1",ID="5",CPUS="1,3"]',
        'MEMORY_NODE=[NODE_ID="1",TOTAL="100",DISTANCE="1 2 0"]',
    ]
    assert im_devices.numa_usage(at).splitlines() == [
        'HUGEPAGE=[NODE_ID="1",SIZE="2048",FREE="6"]',
        'MEMORY_NODE=[NODE_ID="1",FREE="40",USED="60"]',
    ]


_LSPCI = """#!/bin/sh
echo "$*" >>"${0%/*}/lspci.calls"
case $3 in
    *10de*) echo '01:00.0 "VGA controller [0300]" "NVIDIA \\"Corp\\" [10de]" "GK104GL [11bf]" -ra1' ;;
    *) echo '02:00.1 "Ethernet controller [0200]" "Intel [8086]" "Virtual Function [10ca]" "" ""'
       echo '0001:02:00.1 "Ethernet controller [0200]" "Intel [8086]" "Other domain [10ca]" "" ""' ;;
esac
"""


def test_pci(at: Context, files: NodeFiles) -> None:
    """What the settings pick; nothing is asked by default."""
    lspci = files.bin / "lspci"
    lspci.write_text(_LSPCI)
    lspci.chmod(0o755)
    conf = files.remotes / "etc/im/kvm-probes.d/pci.conf"
    assert im_devices.pci(at) == "" and not (files.bin / "lspci.calls").exists()
    conf.write_text(":filter: '10de:*,8086::0200'\n:short_address: []\n:device_name: []\n")
    cards = Template.parse(im_devices.pci(at)).vectors("PCI")
    assert [card["SHORT_ADDRESS"] for card in cards] == ["01:00.0", "02:00.1"]
    assert {**cards[0], "NUMA_NODE": "-"} == {
        "ADDRESS": "0000:01:00:0", "BUS": "01", "CLASS": "0300", "CLASS_NAME": "VGA controller",
        "DEVICE": "11bf", "DEVICE_NAME": "GK104GL", "DOMAIN": "0000", "FUNCTION": "0",
        "NUMA_NODE": "-", "SHORT_ADDRESS": "01:00.0", "SLOT": "00", "TYPE": "10de:11bf:0300",
        "VENDOR": "10de", "VENDOR_NAME": 'NVIDIA "Corp"',
    }  # fmt: skip
    conf.write_text(":filter:\n - '8086:*'\n:device_name:\n - 'virtual'\n:short_address:\n - '02:00.1'\n")
    assert im_devices.pci(at).count("PCI=") == 1
    conf.write_text(":filter: '--help'\n")
    with pytest.raises(DriverError, match=r"pci\.conf: filter must be vendor:device"):
        im_devices.pci(at)


def test_datastores(at: Context, files: NodeFiles) -> None:
    """Only those with a mark, and only a driver that is a name is run."""
    for name, mark in (("100", "mine\n"), ("101", None), ("102", "../../evil"), ("103", ""), ("x", "mine")):
        (files.datastores / name).mkdir()
        if mark is not None:
            (files.datastores / name / ".monitor").write_text(mark)
    driver = files.remotes / "tm/mine/monitor_ds"
    driver.parent.mkdir()
    driver.write_text('#!/bin/sh\necho "VM = [ ID = 5, MONITOR = \\"$(basename "$1")\\" ]"\n')
    driver.chmod(0o755)
    said = Template.parse(im_datastore.space(at))
    assert [ds["ID"] for ds in said.vectors("DS")] == ["100", "103"]
    assert int(said.get("DS_LOCATION_TOTAL_MB") or "") >= int(said.get("DS_LOCATION_FREE_MB") or "") > 0
    assert im_datastore.marked(at) == [(100, "mine"), (103, "ssh")]
    assert 'VM = [ ID = 5, MONITOR = "100" ]\n' in im_datastore.disks(at)
    driver.write_text("#!/bin/sh\nexit 1\n")
    assert "ID = 5" not in im_datastore.disks(at)


def test_replica_cache(at: Context, files: NodeFiles) -> None:
    """A cache of images says how many it holds."""
    cache = files.datastores / "104"
    cache.mkdir()
    (cache / ".monitor").write_text("replica")
    (cache / "0123abcd").write_bytes(b"x" * 4096)
    (cache / "0123abcd.md5").write_text("sum")
    found = Template.parse(im_datastore.space(at)).vectors("DS")[0]
    assert (found["REPLICA_CACHE"], found["REPLICA_IMAGES"]) == ("YES", "1")


def test_recovery_snapshots(at: Context, files: NodeFiles) -> None:
    """Disks with a frequency and a replica: the driver is run, its fault is said."""
    folder = files.datastores / "0/7"
    (folder / "disk.0.snap").mkdir(parents=True)
    (folder / "disk.0.snap/base.1").touch()
    (folder / "disk.0").touch()
    (files.datastores / "0/.monitor").write_text("ssh")
    (folder / "ds.xml").write_text(
        "<DATASTORE><TEMPLATE><REPLICA_HOST>r</REPLICA_HOST></TEMPLATE></DATASTORE>"
    )
    (folder / "vm.xml").write_text(
        "<VM><TEMPLATE><DISK><DISK_ID>0</DISK_ID><RECOVERY_SNAPSHOT_FREQ>60</RECOVERY_SNAPSHOT_FREQ></DISK>"
        "</TEMPLATE></VM>"
    )
    action = files.remotes / "tm/ssh/recovery_snap_create_live"
    action.parent.mkdir(exist_ok=True)
    action.write_text('#!/bin/sh\necho "$1 $3 $4"\n')
    action.chmod(0o755)
    found = Template.parse(im_recovery.recovery(at)).vectors("VM")
    assert found[0]["ID"] == "7"
    said = base64.b64decode(found[0]["MONITOR"]).decode()
    assert said == 'DISK_RECOVERY_SNAPSHOT=[ID="0",TIMESTAMP="7 60 r"]\n'
    action.write_text("#!/bin/sh\necho no room >&2; exit 1\n")
    failed = Template.parse(im_recovery.recovery(at)).vectors("VM")[0]["MONITOR"]
    assert "MSG=" in base64.b64decode(failed).decode() and "no room" in base64.b64decode(failed).decode()


# -- folders -------------------------------------------------------------------------------------------------
def test_foreign_probes(at: Context, files: NodeFiles) -> None:
    """They get OpenNebula's arguments, input and folder; what packages left is not run."""
    folder = files.remotes / "im/kvm-probes.d/host/system"
    for file in folder.iterdir():
        file.unlink()
    probe = folder / "mine.sh"
    probe.write_text('#!/bin/sh\necho "A=\\"$* $(pwd) $(cat | wc -c)\\""\n')
    probe.chmod(0o755)
    for other in ("off.sh", "old.rpmsave", "x.dpkg-dist"):
        (folder / other).write_text("#!/bin/sh\nexit 1\n")
    (folder / "old.rpmsave").chmod(0o755)
    (folder / "x.dpkg-dist").chmod(0o755)
    size = len(files.configuration())
    assert run_folder(at, "host/system") == f'A="kvm 3 node {files.remotes}/im/kvm.d {size}"\n'
    probe.write_text("#!/bin/sh\nexec 0<&-\necho broken >&2\nexit 3\n")
    with pytest.raises(DriverError, match=r"^Error executing mine\.sh: broken$"):
        run_folder(at, "host/system")


def test_replaced_probe(at: Context, files: NodeFiles) -> None:
    """A file of ours that holds something else now is run as what it is."""
    name = files.remotes / "im/kvm-probes.d/host/system/name"
    assert f'HOSTNAME="{os.uname().nodename}"\n' in run_folder(at, "host/system")
    name.write_text("#!/bin/sh\necho HOSTNAME=mine\n")
    assert "HOSTNAME=mine\n" in run_folder(at, "host/system")
    name.write_text("#!/bin/sh\n# probe: im_host.not_in_this_agent\necho HOSTNAME=newer\n")
    assert "HOSTNAME=newer\n" in run_folder(at, "host/system")


def test_every_probe_alone(files: NodeFiles) -> None:
    """Each is a program too, for both hypervisors, and says what the agent would."""
    files.domains(f"one-7 {U1} 1 1 0")
    kvm = sorted(path for path in (files.remotes / "im/kvm-probes.d").rglob("*") if path.is_file())
    qemu = sorted(path for path in (files.remotes / "im/qemu-probes.d").rglob("*") if path.is_file())
    assert [str(path).replace("kvm-probes", "qemu-probes") for path in kvm] == list(map(str, qemu))
    for path in kvm:
        done = files.run(
            str(path.relative_to(files.remotes)), "kvm", "3", "node", stdin=files.configuration()
        )
        assert done.returncode == 0 and done.stderr == "", path
        if path.name in ("state", "poll", "linux_host", "linux_usage", "machines_models", "monitor_ds"):
            assert done.stdout, path
    again = files.run("im/kvm-probes.d/vm/status/state", "kvm", "3", "node", stdin=files.configuration())
    assert again.stdout == "", "only changes between two whole lists"
    assert (files.remotes / "im/status_kvm_3.db").exists()
