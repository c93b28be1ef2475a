"""Steps as commands: over ssh, on the front-end, with scripts of ours."""

from __future__ import annotations

import base64
import dataclasses
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from services.common import xmldoc
from services.oned.drivers import tm_plan, vmm_plan
from services.oned.drivers.step import Step, When
from tests.unit.oned.drivers.conftest import Make

DISK = 'DISK=[DISK_ID="0",TM_MAD="qcow2",SOURCE="/x",CLONE="YES",DATASTORE_ID="1",TM_MAD_SYSTEM="ssh"]'


def test_a_remote_command(context: Make) -> None:
    vm = context("lxc", 'NAME="$(reboot)"', deploy_id="a b;c")
    step = vmm_plan.reboot(vm)[0]
    command = step.command("", 30)
    assert command.argv[0] == "ssh"
    assert command.argv[-3:-1] == ("--", "node1")
    words = shlex.split(command.argv[-1])
    assert words[:4] == ["timeout", "-k", "5", "35"]
    assert words[4:] == ["/var/tmp/one/vmm/lxc/reboot", "a b;c", "node1", "7", "node1"]
    assert command.stdin.startswith(b"<VMM_DRIVER_ACTION_DATA>")  # plain text over ssh


def test_a_local_command_reads_base64(context: Make, location: Path) -> None:
    command = vmm_plan.reboot(context("dummy"))[0].command("", 30)
    assert command.argv == (
        str(location / "var/remotes/vmm/dummy/reboot"),
        *("one-7", "node1", "7", "node1"),
    )
    data = xmldoc.parse(base64.b64decode(command.stdin), "action data")
    assert (data.findtext("HOST"), data.findtext("VM/ID")) == ("node1", "7")


def test_single_actions_can_be_local(context: Make, location: Path) -> None:
    vm = context("mixed")
    reset = vmm_plan.reset(vm)[0]
    assert reset.command("", 5).argv[0] == str(location / "var/remotes/vmm/kvm/reset_fe")
    assert vmm_plan.reboot(vm)[0].command("", 5).argv[0] == "ssh"


def test_network_actions_read_base64_over_ssh_too(context: Make) -> None:
    command = vmm_plan.deploy(context("lxc", 'NIC=[VN_MAD="fw"]'))[0].command("", 30)
    assert command.argv[0] == "ssh"
    assert xmldoc.parse(base64.b64decode(command.stdin), "vm").tag == "VM"


def test_the_deployment_file_of_a_local_driver(context: Make, location: Path) -> None:
    (step,) = vmm_plan.deploy(context("dummy"))
    file = location / "var/vms/7/deployment.3"
    assert step.args[0] == str(file)
    assert (step.files[0].path, step.files[0].text) == (file, step.stdin)


def test_the_variant_is_run_when_it_exists(context: Make, script: Callable[..., Path]) -> None:
    step = tm_plan.prolog(context("lxc", DISK))[0]
    plain = script("", "tm/qcow2/clone")
    plain.with_name("clone.ssh").unlink(missing_ok=True)
    assert step.command("", 5).argv[0] == str(plain)
    special = script("", "tm/qcow2/clone.ssh")
    assert step.command("", 5).argv[0] == str(special)


def over_ssh(argv: tuple[str, ...], stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the line that the node's shell would get."""
    return subprocess.run(["sh", "-c", argv[-1]], input=stdin, capture_output=True, timeout=30)


def test_documents_are_written_on_the_node(context: Make, tmp_path: Path) -> None:
    steps = [step for step in vmm_plan.deploy(context("lxc", 'NAME="it\'s"')) if step.line]
    folder = tmp_path / "it's 7"
    for step in steps:
        command = step.command("", 30)
        line = command.argv[-1].replace("/ds/104/7", shlex.quote(str(folder)))
        assert over_ssh((line,), command.stdin).returncode == 0
    assert sorted(path.name for path in folder.iterdir()) == ["ds.xml", "vm.xml"]
    assert xmldoc.parse((folder / "vm.xml").read_text(), "vm").findtext("ID") == "7"


def test_a_piped_script_needs_no_copy_on_the_node(script: Callable[..., Path]) -> None:
    path = script("", "tm/x/say")
    path.write_text("import sys\nprint(sys.argv, repr(sys.stdin.read()))\n")
    step = Step("tm", "x", "say", ("a b", "*"), 20, is_piped=True, stdin_note="n", is_encoded=False)
    local = step.command("", 30, notes={"n": "told\n"})
    assert local.argv[:2] == (sys.executable, "-I")
    said = subprocess.run(local.argv, input=local.stdin, capture_output=True, timeout=30).stdout.decode()
    assert said == f"['{path}', 'a b', '*'] 'told\\n'\n"
    remote = dataclasses.replace(step, host="node1").command("", 30, notes={"n": "told\n"})
    assert remote.argv[0] == "ssh" and str(path) not in remote.argv[-1]
    done = over_ssh(remote.argv, remote.stdin)
    assert done.stdout.decode() == "['say', 'a b', '*'] 'told\\n'\n", done.stderr


def test_an_action_that_a_driver_may_lack(context: Make, script: Callable[..., Path], tmp_path: Path) -> None:
    step = vmm_plan.poll(context("mixed"), context("mixed").here)
    command = step.command("", 30)
    script("", "vmm/kvm/poll").unlink()
    assert subprocess.run(command.argv, capture_output=True, timeout=30).stdout == b"STATE=unsupported\n"
    script('echo "STATE=a $*"', "vmm/kvm/poll")
    assert (
        subprocess.run(command.argv, capture_output=True, timeout=30).stdout
        == b"STATE=a one-7 node1 7 node1\n"
    )
    remote = vmm_plan.poll(context("lxc"), context("lxc").here).command("", 30)
    assert over_ssh(remote.argv, remote.stdin).stdout == b"STATE=unsupported\n"
    assert not vmm_plan.poll_state(context("lxc"))[0].may_lack


def test_conditions() -> None:
    here = When("origin", ("STATE=here", "STATE=partial"))
    assert here.holds({"origin": "STATE=here\n{}"})
    assert not here.holds({"origin": "STATE=gone"}) and not here.holds({})
    not_done = When("origin", ("STATE=done",), is_absent=True)
    assert not_done.holds({}) and not_done.holds({"origin": "STATE=here"})
    assert not not_done.holds({"origin": "STATE=done"})
