"""The command: what it prints, its exit codes, and that a failure changes nothing."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from onecfg import cli
from tests.unit.onecfg.conftest import ROOT, Command, tree

# The example of the requirements (SR1.3), as it stands there.
EXAMPLE = r"""/etc/one/oned.conf set PORT 2633
/etc/one/oned.conf set LISTEN_ADDRESS "\"127.0.0.1\""
/etc/one/oned.conf set DB/BACKEND "\"mysql\""
/etc/one/oned.conf ins DB/SERVER "\"localhost\""
/etc/one/oned.conf ins DB/USER "\"oneadmin\""
/etc/one/oned.conf ins DB/PASSWD "\"secret_password\""
/etc/one/oned.conf ins DB/NAME "\"opennebula\""
"""
BACKUP = r"ANY   : Backup stored in '(.*/var/lib/one/backups/config/\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d_\d+)'"
GUIDE = """
    /etc/one/sched.conf set SCHED_INTERVAL 10
    /var/lib/one/remotes/etc/vmm/kvm/kvmrc set SHUTDOWN_TIMEOUT 60
    /etc/one/oned.conf set DEFAULT_COST/CPU_COST 0.1
    /etc/one/oned.conf set DEFAULT_COST/MEMORY_COST 0.1
    /etc/one/oned.conf set DEFAULT_COST/DISK_COST 0.1
"""


def test_the_example_of_the_requirements(onecfg: Command, root: Path) -> None:
    before = (root / "etc/one/oned.conf").read_text()
    done = onecfg("patch", "--verbose", "--format", "line", stdin=EXAMPLE)
    lines = done.stderr.splitlines()
    assert done.returncode == 0 and done.stdout == ""
    assert lines[0] == "INFO  : Applying patch to 1 files"
    backup = re.fullmatch(BACKUP, lines[1])
    assert backup and len(lines) == 4
    assert lines[2:] == [
        "INFO  : Patched '/etc/one/oned.conf' with 7/7 changes",
        "INFO  : Applied 7/7 changes",
    ]
    assert (Path(backup[1]) / "etc/one/oned.conf").read_text() == before
    assert (Path(backup[1]) / "var/lib/one/remotes/etc/vmm/kvm/kvmrc").is_file()
    assert Path(backup[1]).stat().st_mode & 0o777 == 0o700
    got = json.loads(onecfg("get", "/etc/one/oned.conf", "DB").stdout)
    assert got == {
        "BACKEND": '"mysql"',
        "TIMEOUT": "2500",
        "SERVER": '"localhost"',
        "USER": '"oneadmin"',
        "PASSWD": '"secret_password"',
        "NAME": '"opennebula"',
    }


def test_the_example_of_the_guide(onecfg: Command, root: Path) -> None:
    done = onecfg("patch", "-d", stdin=GUIDE)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "Patched" in line] == [
        "INFO  : Patched '/etc/one/sched.conf' with 1/1 changes",
        "INFO  : Patched '/var/lib/one/remotes/etc/vmm/kvm/kvmrc' with 1/1 changes",
        "INFO  : Patched '/etc/one/oned.conf' with 3/3 changes",
    ]
    kvmrc = (root / "var/lib/one/remotes/etc/vmm/kvm/kvmrc").read_text()
    assert "\nexport SHUTDOWN_TIMEOUT=60\n" in kvmrc


def test_without_verbose_only_the_backup_is_told(onecfg: Command) -> None:
    done = onecfg("patch", stdin=GUIDE)
    assert re.fullmatch(BACKUP + "\n", done.stderr)


def test_some_changes_give_1_and_are_saved(onecfg: Command) -> None:
    patch = '/etc/one/oned.conf set PORT 2634\n/etc/one/oned.conf set VM_MAD/"none"/TYPE "\\"x\\""\n'
    done = onecfg("patch", "-d", stdin=patch)
    assert done.returncode == 1
    assert "INFO  : Patched '/etc/one/oned.conf' with 1/2 changes" in done.stderr
    assert "WARN  : line 2: Patch path 'VM_MAD/\"none\"' not found" in done.stderr
    assert onecfg("get", "/etc/one/oned.conf", "PORT").stdout == '"2634"\n'


def test_all_or_nothing(onecfg: Command, root: Path) -> None:
    before = tree(root)
    patch = '/etc/one/oned.conf set PORT 2634\n/etc/one/oned.conf set VM_MAD/"none"/TYPE "\\"x\\""\n'
    done = onecfg("patch", "-d", "--all", stdin=patch)
    assert done.returncode == 255
    assert done.stderr.splitlines()[-1] == "ERROR : Modifications not saved due to 1 unapplied changes!"
    assert tree(root) == before and not (root / "var/lib/one/backups").exists()


def test_no_change_applied_gives_255(onecfg: Command, root: Path) -> None:
    before = tree(root)
    done = onecfg("patch", stdin='/etc/one/oned.conf ins VM_RESTRICTED_ATTR "\\"RAW\\""\n')
    assert (done.returncode, done.stderr) == (255, "ERROR : No changes applied\n")
    assert onecfg("patch", stdin="# nothing\n\n").stderr == "ERROR : No changes to apply\n"
    assert tree(root) == before


def test_noop_changes_nothing(onecfg: Command, root: Path) -> None:
    before = tree(root)
    done = onecfg("patch", "-n", "-d", stdin=EXAMPLE)
    assert done.returncode == 0 and tree(root) == before
    assert done.stderr.splitlines()[-1] == "INFO  : Changes ARE NOT saved in no-op mode!"
    assert not (root / "var/lib/one/backups").exists()


def test_the_report_of_each_change_hides_secrets(onecfg: Command) -> None:
    done = onecfg("patch", "--debug", "--noop", stdin=EXAMPLE)
    assert "DEBUG : --- PATCH REPORT '/etc/one/oned.conf' ---" in done.stderr
    assert 'DEBUG : Patch [OK] replace set LISTEN_ADDRESS "\\"127.0.0.1\\""' in done.stderr
    assert 'DEBUG : Patch [OK] ins DB/PASSWD "***"' in done.stderr and "secret_password" not in done.stderr


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("/etc/one/oned.conf\n", "FATAL : FAILED - Invalid format at line: 1."),
        (
            "# x\n\n/etc/one/none.conf set A 1",
            "Unknown or missing file to patch '/etc/one/none.conf' at line 3",
        ),
        ("/etc/one/../one/oned.conf set A 1", "Unknown or missing file to patch '/etc/one/../one/oned.conf'"),
        ("/etc/passwd set A 1", "Unknown or missing file to patch '/etc/passwd' at line 1"),
        ("/etc/one/oned.conf add A 1", "Invalid patch action 'add' at line 1: expected ins, set or rm"),
        ("/etc/one/oned.conf set A 'x'", "Invalid JSON value at line 1, column 1"),
        (
            '/etc/one/oned.conf set "A 1',
            "Invalid format at line 1: the quotes around the path are not closed",
        ),
        ("/etc/one/oned.conf set", "Invalid format at line 1: expected FILE CMD PATH [VALUE]"),
        ("/etc/one/oned.conf set A 1e999", "Invalid JSON value at line 1"),
        ("/etc/one/oned.conf set A NaN", "Invalid JSON value at line 1"),
    ],
)
def test_a_faulty_patch_is_named_by_line(onecfg: Command, root: Path, patch: str, message: str) -> None:
    before = tree(root)
    done = onecfg("patch", stdin=patch)
    assert done.returncode == 255 and message in done.stderr and done.stderr.count("\n") == 1
    assert tree(root) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("oned.conf set PORT", "line 1: PORT needs text or a number, found no value"),
        ("oned.conf set PORT [1]", "found a list"),
        ('oned.conf set HOSTNAME "a b"', "needs quotes of its own"),
        ('oned.conf set HOSTNAME "\\"a"', "the quotes of the value are not closed"),
        ("oned.conf set DB 1", "DB is a section: expected DB/KEY"),
        ("oned.conf set PORT/A 1", "PORT is a single value, not a section"),
        ("oned.conf set A/B/C 1", "expected KEY or SECTION/KEY"),
        ("oned.conf set VM_MAD 1", "VM_MAD is a section: expected VM_MAD/KEY"),
        ('oned.conf rm VM_MAD/"kvm"/NAME', "NAME tells sections apart"),
        ("sunstone-server.conf set :port/:x 1", "Expected Hash but got a single value at ':port'"),
        ("defaultrc set A/B 1", "expected the name of one variable"),
        ('defaultrc set A "$(id)"', "one word of the shell"),
        ('defaultrc set A "x; id"', "one word of the shell"),
    ],
)
def test_a_senseless_change_is_named(onecfg: Command, root: Path, line: str, message: str) -> None:
    before = tree(root)
    done = onecfg("patch", stdin=f"/etc/one/{line}\n")
    assert done.returncode == 255 and done.stderr.startswith(
        f"ERROR : Failed to patch file '/etc/one/{line.split()[0]}'"
    )
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert tree(root) == before


def test_diff_in_three_formats(onecfg: Command) -> None:
    onecfg("patch", stdin=EXAMPLE.splitlines()[1] + "\n/etc/one/cli/onehost.yaml set :CLUSTER/:size 15\n")
    assert onecfg("diff").stdout == (
        "/etc/one/cli/onehost.yaml\n- set :CLUSTER/:size 15\n\n"
        '/etc/one/oned.conf\n- set LISTEN_ADDRESS "\\"127.0.0.1\\""\n'
    )
    assert onecfg("diff", "--format", "line").stdout == (
        "/etc/one/cli/onehost.yaml set :CLUSTER/:size 15\n"
        '/etc/one/oned.conf set LISTEN_ADDRESS "\\"127.0.0.1\\""\n'
    )
    assert onecfg("diff", "--format", "line", "/etc/one/sched.conf").stdout == ""
    done = onecfg("diff", "--format", "yaml")
    assert done.stdout.startswith("---\npatches:\n  /etc/one/cli/onehost.yaml:\n    class: Yaml::Strict\n")
    assert "      value: 15\n      old: 10\n      state: set\n      extra: {}\n" in done.stdout


@pytest.mark.parametrize("form", ["line", "yaml"])
def test_a_diff_makes_the_same_files_of_the_stock_files(onecfg: Command, root: Path, form: str) -> None:
    pristine = tree(root)
    onecfg("patch", stdin=EXAMPLE + GUIDE)
    changed = tree(root)
    found = onecfg("diff", "--format", form).stdout
    for name, content in pristine.items():
        (root / name).write_bytes(content)
    done = onecfg("patch", "--all", stdin=found)  # the format is seen
    assert done.returncode == 0 and tree(root) == changed != pristine


def test_validate(onecfg: Command, root: Path) -> None:
    done = onecfg("validate", "--verbose")
    assert done.returncode == 0 and f"INFO  : File '{root}/etc/one/oned.conf' - OK" in done.stderr
    (root / "etc/one/oned.conf").write_text('PORT = 1\nDB = [ PASSWD = "geheim\n')
    (root / "etc/one/onegate-server.conf").write_text(":a: [\n")
    done = onecfg("validate")
    assert done.returncode == 1 and "geheim" not in done.stderr
    assert [line[: line.index(" - ")] for line in done.stderr.splitlines()] == [
        "ERROR : Unable to process file '/etc/one/oned.conf'",
        "ERROR : Unable to process file '/etc/one/onegate-server.conf'",
    ]


def test_status(onecfg: Command, root: Path) -> None:
    assert onecfg("status").returncode == 0
    assert "No updates available." in onecfg("status").stdout
    (root / "etc/onecfg.conf").write_text("---\n:version: 5.10.0\n")
    done = onecfg("status")
    assert done.returncode == 255 and "ERROR: Unsupported config version 5.10.0" in done.stdout
    (root / "etc/onecfg.conf").unlink()
    folder = root / "state"
    folder.mkdir()
    (folder / "onecfg.conf").write_text("version: 4.0.0\n")
    assert onecfg("status", env={"ONECFG_ETC_DIR": str(folder)}).returncode == 255


@pytest.mark.parametrize("command", [("init", "--force"), ("upgrade", "--from", "5.10.0"), ("init",)])
def test_what_is_not_available_says_so(onecfg: Command, command: tuple[str, ...]) -> None:
    done = onecfg(*command)
    assert done.returncode == 255 and "is not available in this version" in done.stderr


def test_get(onecfg: Command) -> None:
    assert (
        onecfg("get", "/etc/one/sunstone-server.conf", ":support_fs").stdout
        == '["ext4", "ext3", "ext2", "xfs"]\n'
    )
    assert onecfg("get", "/etc/one/oned.conf", 'VM_MAD/"kvm"/ARGUMENTS').stdout == '"\\"-t 15 -r 0 kvm\\""\n'
    done = onecfg("get", "/etc/one/oned.conf", "NONE")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ERROR : Patch path 'NONE' not found\n")
    assert onecfg("get", "/etc/shadow", "root").returncode == 255


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["patch", "--bogus"], ["patch", "a", "b"], ["get"]])
def test_wrong_use_gives_255(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 255
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--help" in error


def test_unknown_formats_give_255(onecfg: Command) -> None:
    done = onecfg("patch", "--format", "xml", stdin=EXAMPLE)
    assert (done.returncode, done.stderr) == (
        255,
        "Unsupported format 'xml'. Available formats - line, yaml\n",
    )
    done = onecfg("diff", "--format", "xml")
    assert (done.returncode, done.stderr) == (
        255,
        "Unsupported format 'xml'. Available formats - text, line, yaml\n",
    )


def test_a_terminal_is_no_patch(root: Path) -> None:
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "onecfg", "patch", "--prefix", str(root)],
            stdin=follower, capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
    finally:
        os.close(leader)
        os.close(follower)
    assert (done.returncode, done.stderr) == (255, "No patch file or data on standard input found.\n")


def test_a_patch_file_and_the_backup_folder(onecfg: Command, root: Path, tmp_path: Path) -> None:
    (tmp_path / "patch").write_text(GUIDE)
    done = onecfg("patch", str(tmp_path / "patch"), env={"ONECFG_BACKUP_DIR": str(tmp_path / "saved")})
    assert done.returncode == 0 and f"Backup stored in '{tmp_path}/saved/" in done.stderr
    assert onecfg("patch", str(tmp_path / "missing")).stderr == (
        f"FATAL : FAILED - {tmp_path}/missing: cannot be read: No such file or directory\n"
    )


def test_the_installed_command(root: Path) -> None:
    environment = os.environ | {"ONEBOX_PYTHON": sys.executable}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "bin/onecfg"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd="/")

    done = run("get", "/etc/one/sched.conf", "SCHED_INTERVAL", "--prefix", str(root))
    assert (done.returncode, done.stdout, done.stderr) == (0, '"15"\n', "")
    assert run("--help").returncode == 0


def test_a_prefix_of_its_own_installation(root: Path) -> None:
    """With ONE_LOCATION the files lie in etc and var of it; the names in a patch stay."""
    location = root / "location"
    (location / "etc").mkdir(parents=True)
    (location / "etc/oned.conf").write_text("PORT = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "onecfg", "patch", "-d"], input="/etc/one/oned.conf set PORT 2\n", text=True,
        capture_output=True, cwd=ROOT, env=os.environ | {"ONE_LOCATION": str(location)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (location / "etc/oned.conf").read_text() == "PORT = 2\n"
    assert list((location / "var/backups/config").iterdir())
