"""The shell functions that drivers of others source: same names, and no surprises with odd words."""

from __future__ import annotations

import base64
import subprocess

from tm_rig import REMOTES, Rig

_SCRIPT = """
. "$1/tm/tm_common.sh"
ssh_make_path node1 "$2/9/a b" ssh
ssh_exec_and_log node1 "echo word > '$2/9/a b/file'"
echo "host=$(arg_host node1:/a//b/) path=$(arg_path node1:/a//b/) disk=$(is_disk /x/disk.3)$(is_disk /x)"
there=$(ssh_monitor_and_log node1 "cat '$2/9/.monitor'")
echo "relative=$(make_relative /a/b/c /a/d) state=$(lcm_state 42) there=$there"
contains a,b,c b , && ! contains a,b d , && echo contained
mkfs_command "/a b" qcow2 5 ext4,xfs ext4
exec_and_set_error "false" "it failed"; echo "error=$ERROR"
DRV_ACTION=$3
get_disk_information DISK_ID=1
echo "disk=$VMID,$DISK_TARGET,$DEVICE,$ORDER"
exec_and_log false "for the user"
"""
_ACTION = (
    "<VMM_DRIVER_ACTION_DATA><VM><ID>7</ID><TEMPLATE><DISK><DISK_ID>1</DISK_ID><TARGET>vda</TARGET>"
    "<TYPE>CDROM</TYPE><ORDER>2</ORDER></DISK></TEMPLATE></VM></VMM_DRIVER_ACTION_DATA>"
)


def test_functions_of_opennebula(rig: Rig) -> None:
    rig.lcm_state = 7
    (rig.folder / "vm.xml").write_text(rig.document())
    (rig.folder / "fe/var/remotes").symlink_to(REMOTES)
    action = base64.b64encode(_ACTION.encode()).decode()
    done = subprocess.run(
        ["bash", "-c", _SCRIPT, "mine", str(REMOTES), str(rig.datastores), action],
        env={**rig.environment, "HOME": str(rig.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "host=node1 path=/a/b disk=10",
        "relative=../b/c state=7 there=ssh",
        "contained",
        "qemu-img create -f raw /a\\ b 5M",
        "mkfs -t ext4 -F  /a\\ b",
        "qemu-img convert -f raw -O qcow2 /a\\ b /a\\ b.qcow2",
        "mv /a\\ b.qcow2 /a\\ b",
        "error=it failed",
        "disk=7,vda,cdrom,2",
    ], done.stderr
    assert done.returncode == 1
    assert done.stderr.endswith("ERROR MESSAGE --8<------\nfor the user\nERROR MESSAGE ------>8--\n")
    assert (rig.on("node1") / "9/a b/file").read_text() == "word\n"
