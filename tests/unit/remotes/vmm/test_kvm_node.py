"""What actions on machines share: settings, paths, one action at a time, the guest's clock, the message."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import kvm_capacity
import kvm_message
import kvm_node
import kvm_paths
import kvm_power
import kvm_settings
import pytest
from driver import DriverError

ROOT = Path(__file__).resolve().parents[4]


def test_the_kvmrc_that_is_delivered_has_the_defaults_of_production() -> None:
    found = kvm_settings.load()
    assert (found.uri, found.uri_of("n1"), found.shutdown_timeout_s, found.retries) == (
        *("qemu:///system", "qemu+ssh://n1/system"),
        *(180, 3),
    )
    assert [found.is_yes(name) for name in ("FORCE_DESTROY", "SYNC_TIME", "CLEANUP_MEMORY_ON_STOP")] == [
        True
    ] * 3
    assert [found.is_yes(name) for name in ("CANCEL_NO_ACPI", "CLEANUP_MEMORY_ON_START")] == [False] * 2
    assert found.words("MIGRATE_OPTIONS") == []


def test_kvmrc_is_read_as_a_shell_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "kvmrc"
    file.write_text(
        'A=1\nexport LIBVIRT_URI="test:///$A"  # words\nMIGRATE_OPTIONS="--unsafe \'--x=a b\'"\n'
        "VIRSH_RETRIES=0\n"
    )
    found = kvm_settings.load(str(file))
    assert (found.uri, found.words("MIGRATE_OPTIONS"), found.retries) == (
        "test:///1",
        ["--unsafe", "--x=a b"],
        1,
    )
    file.write_text("SHUTDOWN_TIMEOUT=\nMIGRATE_OPTIONS=\\'\n")
    found = kvm_settings.load(str(file))
    assert found.shutdown_timeout_s == 120
    with pytest.raises(DriverError, match=f"{file}: MIGRATE_OPTIONS cannot be split"):
        found.words("MIGRATE_OPTIONS")
    file.write_text("A='\n")
    with pytest.raises(DriverError, match=f"{file} cannot be read"):
        kvm_settings.load(str(file))
    with pytest.raises(DriverError, match="settings of the driver are missing here"):
        kvm_settings.load(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<source file='/ds//at/100/7/disk.0'/>", "<source file='/ds/at/0/7/disk.0'/>"),
        ("<kernel>/ds/at/100/7/disk.3</kernel>", "<kernel>/ds/at/0/7/disk.3</kernel>"),
        ("<d>/ds/at/100/7</d>", "<d>/ds/at/0/7</d>"),
        ("<d>/ds/at/100/77/disk.0</d>", "<d>/ds/at/100/77/disk.0</d>"),
        ("<d>/x/ds/at/100/7/disk.0</d>", "<d>/x/ds/at/100/7/disk.0</d>"),
        ("<d>/ds/at/images/7/disk.0</d>", "<d>/ds/at/images/7/disk.0</d>"),
    ],
)
def test_paths_follow_the_folder_to_its_datastore(before: str, after: str) -> None:
    assert kvm_paths.moved(before, "/ds/at/0/7", "7") == after
    assert kvm_paths.moved(before, "/ds//at/0/7/", "7") == after.replace("/ds/at/0/7", "/ds//at/0/7")


def test_actions_on_a_vm_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm_node.tempfile, "tempdir", str(tmp_path))
    with kvm_node.alone("7"):
        with pytest.raises(DriverError, match="another action on vm 7 does not end on this host"):
            with kvm_node.alone("7", wait_s=0):
                pass
        with kvm_node.alone("8", wait_s=0):
            pass
    with kvm_node.alone("7", wait_s=0):
        pass
    with pytest.raises(DriverError, match=r"the id of a VM must be a number, found '\.\./7'"):
        with kvm_node.alone("../7"):
            pass
    (tmp_path / f"one-vmm-{os.getuid()}").chmod(0o777)
    with pytest.raises(DriverError, match="must be a folder that only this user can write to"):
        with kvm_node.alone("7"):
            pass


def test_a_guests_clock_is_set_until_its_agent_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    program = tmp_path / "virsh"
    # The agent answers the second time.
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{log}\ncase $* in *domtime*) [ "$(grep -c domtime {log})" -ge 2 ];; esac\n'
    )
    program.chmod(0o755)
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    (tmp_path / "sleep").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    hostile = "$(touch x);--help"
    subprocess.run(kvm_node.clock_command(kvm_settings.load(), hostile), check=True, cwd=tmp_path)
    calls = log.read_text().splitlines()
    assert [call.split()[2] for call in calls] == ["domstate", "domtime"] * 2
    assert calls[1] == f"--connect qemu:///system domtime --domain={hostile} --sync"
    assert not (tmp_path / "x").exists()


def test_an_action_says_which_arguments_it_lacks() -> None:
    result = subprocess.run(
        [ROOT / "services/remotes/vmm/kvm/reset"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert result.returncode == 1
    assert "\nreset: arguments are DEPLOY_ID, missing DEPLOY_ID\n" in result.stderr


def test_both_drivers_have_the_same_actions() -> None:
    kvm, qemu = ROOT / "services/remotes/vmm/kvm", ROOT / "services/remotes/vmm/qemu"
    assert {file.name for file in kvm.iterdir()} == {file.name for file in qemu.iterdir()}
    for file in qemu.iterdir():
        assert file.resolve() == kvm / file.name
        assert os.access(file, os.X_OK)


def _message(disks: str) -> str:
    text = f"<VMM_DRIVER_ACTION_DATA><VM><ID>7</ID><TEMPLATE>{disks}</TEMPLATE></VM></VMM_DRIVER_ACTION_DATA>"
    return base64.b64encode(text.encode()).decode()


def test_the_message_is_checked() -> None:
    root = kvm_message.of_argument(_message("<DISK><ATTACH>YES</ATTACH><TARGET> vda </TARGET></DISK>"))
    assert kvm_message.disk(root, "ATTACH", "YES") == {"ATTACH": "YES", "TARGET": "vda"}
    with pytest.raises(DriverError, match="vm 7 has no NIC with ATTACH = YES"):
        kvm_message.nic(root, "ATTACH", "YES")
    for text, fault in (("%", "not in base64"), (base64.b64encode(b"<VM/>").decode(), "found 'VM'")):
        with pytest.raises(DriverError, match=fault):
            kvm_message.of_argument(text)


def test_the_uuid_is_put_into_the_deployment_file_and_the_rest_stays() -> None:
    text = b"<domain type='qemu' xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\">\n<name>a&gt;</name></domain>"
    found = kvm_power._with_uuid(text, "u-1")
    assert found.replace(b"<uuid>u-1</uuid>", b"") == text
    assert kvm_power._uuid_of(found) == "u-1"


@pytest.mark.parametrize(
    ("size_mib", "expected"), [(64, [64]), (96, [32, 64]), (160, [32, 128]), (224, [32, 64, 128])]
)
def test_memory_goes_in_the_fewest_modules(size_mib: int, expected: list[int]) -> None:
    modules = "".join(
        f"<memory model='dimm'><target><size unit='KiB'>{n * 1024}</size></target></memory>"
        for n in (32, 64, 128)
    )
    found = ElementTree.fromstring(f"<domain><devices>{modules}</devices></domain>")
    taken = kvm_capacity._modules_of(found, size_mib * 1024)
    assert sorted(kvm_capacity._kib(each.find("target/size")) // 1024 for each in taken) == expected
    with pytest.raises(DriverError, match="modules of 33 MiB must be taken out, .* are 32, 64, 128"):
        kvm_capacity._modules_of(found, 33 * 1024)
