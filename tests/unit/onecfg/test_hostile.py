"""Files and patches that somebody wants to harm with: one clear line, nothing changed, nothing hung."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from onecfg import edit, files, patch
from onecfg.documents import parse
from onecfg.errors import ChangeError, OnecfgError, ParseError
from tests.unit.onecfg.conftest import Command, tree

OF_ONED = "---\npatches:\n  /etc/one/oned.conf: "
CHANGE = "/etc/one/oned.conf set PORT 1\n"


@pytest.mark.parametrize(
    ("format_name", "text", "message"),
    [
        ("oned", 'A = "x', "line 1: text in quotes has no closing quote"),
        ("oned", "\nA = [ B = 1", "line 2: expected , or ], found the end of the file"),
        ("oned", "A = \x00", "line 1: found a control character"),
        ("oned", "A = 1\r\nB = \x00", "line 2: found a control character"),
        ("oned", "= 1", "line 1: expected a name, found '='"),
        ("oned", "A 1", "line 1: expected = after A, found '1'"),
        ("oned", "VM_MAD = [ TYPE = 1 ]", "line 1: Missing NAME identification for VM_MAD"),
        ("oned", "VM_MAD = [ NAME = 1, NAME = 2 ]", "line 1: Multiple NAME identification for VM_MAD"),
        ("oned", "VM_MAD = [NAME=1]\nVM_MAD = [NAME=1]", "line 2: Duplicate identification for VM_MAD[1]"),
        ("oned", "DB = [A=1]\nDB = [A=2]", "line 2: Invalid multiple sections of DB"),
        ("shell", "A='x\nB=1", "line 1: text in quotes has no closing quote"),
        ("shell", "\nA=(1 2", "line 2: the list in brackets is not closed"),
        ("shell", "A=1\x07", "line 1: found a control character"),
        ("yaml", "a: [1", "did not find expected"),
        ("yaml", "a: 1\na: 2", "line 2: the key is there already"),
        ("yaml", "a: !ruby/object:Gem::Installer {}", "line 1: objects of a language are not allowed"),
        ("yaml", "a: !!python/object/apply:os.system [id]", "line 1: objects of a language are not allowed"),
        ("yaml", "---\na: 1\n---\nb: 1", "line 3: expected one document"),
        ("yaml", "a: " + "[" * 5000 + "]" * 5000, "line 1: nested too deeply"),
        ("yaml", "- " * 5000 + "a", "line 1: nested too deeply"),
        ("yaml", "".join(f"{' ' * at}a:\n" for at in range(3000)), "not YAML"),
        ("yaml", "? [a]\n: 1", "line 1: a key must be a word"),
        ("yaml", "a: *b", "line 1: the alias names nothing above it"),
        ("yaml", "a: &b [*b]", "line 1: the alias names nothing above it"),
    ],
)  # fmt: skip
def test_a_broken_text_is_refused_with_its_line(format_name: str, text: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text, format_name)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_aliases_that_grow_without_bounds_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ParseError, match="more than 200000 values"):
        parse("\n".join(lines), "yaml")


def test_an_alias_is_the_same_thing_at_both_places() -> None:
    document = parse("one: &x\n  a: 1 # here\n  b: 2\ntwo: *x\n", "yaml")
    document.set("two/a", 5)
    assert document.text == "one: &x\n  a: 5 # here\n  b: 2\ntwo: *x\n"
    document.set("two", 3)
    assert document.text == "one: &x\n  a: 5 # here\n  b: 2\ntwo: 3\n"
    other = parse("one: &x 1\ntwo: *x\n", "yaml")
    with pytest.raises(ChangeError, match="cannot be changed in place"):
        other.remove("one")


@pytest.mark.parametrize("content", [b"PORT = \x00 1", b"PORT = \xff\xfe", b"\n" * (files.MAX_BYTES + 1)])
def test_bytes_that_are_no_text(root: Path, content: bytes) -> None:
    (root / "etc/one/oned.conf").write_bytes(content)
    before = tree(root)
    with pytest.raises(OnecfgError) as caught:
        patch.apply(CHANGE, root=root)
    assert "\n" not in str(caught.value) and str(root / "etc/one/oned.conf") in str(caught.value)
    assert tree(root) == before


@pytest.mark.parametrize(
    "content", [b"/etc/one/oned.conf set PORT \x00", b"\xff", b"#" * (files.MAX_BYTES + 2)]
)
def test_a_patch_that_is_no_text(onecfg: Command, root: Path, content: bytes) -> None:
    before = tree(root)
    done = onecfg("patch", stdin=content)
    assert done.returncode == 255 and done.stderr.startswith("FATAL : FAILED - standard input: ")
    assert done.stderr.count("\n") == 1 and tree(root) == before


def test_messages_hold_no_line_ends_of_others(onecfg: Command) -> None:
    done = onecfg("patch", stdin="/etc/one/\x1b[31mred set A 1\r\n")
    assert done.stderr.count("\n") == 1 and "\x1b" not in done.stderr


@pytest.mark.parametrize("place", ["etc/one/oned.conf", "etc/one/cli/link", "var/lib/one/remotes/etc/vmm/x"])
def test_a_link_among_the_files_ends_it(root: Path, tmp_path: Path, place: str) -> None:
    target = tmp_path / "target"
    target.write_text("PORT = 5\n")
    (root / place).unlink(missing_ok=True)
    (root / place).symlink_to(target)
    before = tree(root)
    with pytest.raises(OnecfgError, match="Found symbolic links in '"):
        patch.apply(CHANGE, root=root)
    assert tree(root) == before and target.read_text() == "PORT = 5\n"


def test_links_among_driver_actions_are_no_obstacle(root: Path) -> None:
    action = root / "var/lib/one/remotes/vmm/dummy/deploy"
    action.parent.mkdir(parents=True)
    action.symlink_to("cancel")
    report = patch.apply(CHANGE, root=root)
    assert report.backup and (report.backup / "var/lib/one/remotes/vmm/dummy/deploy").is_symlink()


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_is_missing(root: Path, kind: str) -> None:
    path = root / "etc/one/oned.conf"
    path.unlink()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(OnecfgError, match="Unknown or missing file to patch '/etc/one/oned.conf' at line 1"):
        patch.apply(CHANGE, root=root)


def test_mode_and_owner_stay(root: Path) -> None:
    path = root / "etc/one/oned.conf"
    path.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(path, 12345, 23456)
    before = path.stat()
    report = patch.apply(CHANGE, root=root)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino  # put in place whole
    assert report.backup
    saved = (report.backup / "etc/one/oned.conf").stat()
    assert (saved.st_mode, saved.st_uid, saved.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert not [name for name in os.listdir(path.parent) if name.startswith(".")]


def test_folders_above_the_backup_belong_to_the_owner_above(root: Path) -> None:
    if os.geteuid() == 0:
        os.chown(root / "var/lib/one", 12345, 23456)
    above = (root / "var/lib/one").stat()
    patch.apply(CHANGE, root=root)
    made = (root / "var/lib/one/backups").stat()
    assert (made.st_uid, made.st_gid) == (above.st_uid, above.st_gid)
    config = (root / "var/lib/one/backups/config").stat()
    assert (config.st_uid, config.st_mode & 0o777) == (os.geteuid(), 0o700)


@pytest.mark.parametrize(
    ("format_name", "text", "path", "value", "expected"),
    [
        ("oned", "A = 1\r\nB = [ C = 2 ]\r\n", "B/C", "3", "A = 1\r\nB = [ C = 3 ]\r\n"),
        ("yaml", "a: 1\r\nb:\r\n  c: 2\r\n", "b/c", 3, "a: 1\r\nb:\r\n  c: 3\r\n"),
    ],
)
def test_line_ends_of_another_system_stay(
    format_name: str, text: str, path: str, value: object, expected: str
) -> None:
    document = parse(text, format_name)
    assert document.set(path, value) and document.text == expected


def test_when_one_file_cannot_be_written_none_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(root)
    replace = os.replace

    def fails_for_the_second(source: str, target: Path) -> None:
        if Path(target).name == "sched.conf":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_for_the_second)
    with pytest.raises(OnecfgError, match=r"sched\.conf: cannot be written: No space left on device"):
        patch.apply(CHANGE + "/etc/one/sched.conf set MAX_VM 1\n", root=root)
    assert tree(root) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without rights")
def test_somebody_without_rights_gets_one_line(root: Path, tmp_path: Path) -> None:
    """As a user who may neither read the file nor write into the folder."""
    for parent in [root, *root.parents]:
        if parent == Path("/tmp"):
            break
        parent.chmod(parent.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    path = root / "etc/one/oned.conf"
    path.chmod(0o600)
    messages = tmp_path / "messages"
    messages.touch(mode=0o666)
    messages.chmod(0o666)
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            for act in (
                lambda: edit.set_value(path, "PORT", 1),
                lambda: patch.apply("/etc/one/sched.conf set MAX_VM 1", root=root),
                lambda: edit.set_value(root / "etc/one/cli/onehost.yaml", ":ID/:size", 9),
            ):
                try:
                    act()
                except OnecfgError as error:
                    with messages.open("a") as file:
                        file.write(f"{error}\n")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    lines = messages.read_text().splitlines()
    assert lines[0] == f"{path}: cannot be read: Permission denied"
    assert "Permission denied" in lines[1]
    assert lines[2].endswith("onehost.yaml: cannot be written: Permission denied") and len(lines) == 3


def test_two_at_once_do_not_mix(root: Path) -> None:
    with files.lock(root), pytest.raises(OnecfgError, match="another onecfg is at work"):
        patch.apply(CHANGE, root=root)
    assert patch.apply(CHANGE, root=root).applied == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\n[]\n", "expected a map 'patches'"),
        ("---\npatches: []\n", "expected a map 'patches'"),
        ("---\npatches:\n  /etc/passwd: {change: []}\n", "Unknown or missing file to patch '/etc/passwd'"),
        (OF_ONED + "{change: 1}\n", "expected a list 'change'"),
        (OF_ONED + "{class: Yaml, change: []}\n", "class must be Augeas::ONE"),
        (OF_ONED + "{change: [1]}\n", "change 1 of '/etc/one/oned.conf': expected a map"),
        (OF_ONED + "{change: [{state: add}]}\n", "expected state ins, set or rm"),
        (OF_ONED + "{change: [{state: rm, path: [[]]}]}\n", "path must be a list of words"),
        (OF_ONED + "{change: [{state: rm, key: [a]}]}\n", "key must be a word"),
        (OF_ONED + "{change: [{state: rm, key: A, extra: {index: x}}]}\n", "extra must be"),
        ("---\npatches: !ruby/object:X {}\n", "Error reading yaml patch (line 2: objects of a language"),
    ],
)  # fmt: skip
def test_a_yaml_patch_is_checked(root: Path, text: str, message: str) -> None:
    before = tree(root)
    with pytest.raises(OnecfgError) as caught:
        patch.apply(text, root=root)
    assert message in str(caught.value) and "\n" not in str(caught.value) and tree(root) == before
