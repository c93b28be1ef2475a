"""The stock files: every key and default is the one of release 6.0, or of our list of differences."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onecfg import catalog, compare
from onecfg.change import Change
from onecfg.documents import parse
from onecfg.oned_text import unquoted
from services.common import config

ROOT = Path(__file__).resolve().parents[3]
TABLE = Path(__file__).parent / "stock_defaults.csv"
# Files whose keys other tests hold (columns of lists; directory servers).
_ELSEWHERE = re.compile(r"/etc/one/(cli/.*|auth/ldap_auth\.conf)")
NAMES = [name for name in compare.stock_names() if not _ELSEWHERE.fullmatch(name)]

# Where ours is another one than that of OpenNebula's own files, and why.
DIFFERENT = {
    ("oned", "MESSAGE_SIZE"): "8 MiB: a request is held in memory several times over",
    ("oned", "AUTH_MAD/AUTHZ"): "a setting that the start refuses",
    ("sched", "DEFAULT_SCHED/RANK"): "explained with the policies",
    ("sched", "DEFAULT_DS_SCHED/RANK"): "explained with the policies",
    ("sched", "DEFAULT_NIC_SCHED/RANK"): "explained with the policies",
    ("fireedge", "oneflow_server"): "2474: nothing listens on 2472",
    ("fireedge", "langs"): "the interface knows its languages",
    ("sunstone", ":encode_user_password"): "no default: a comment shows its form",
    ("sunstone", ":max_upload_file_size"): "a comment",
}
SPEC = {
    "oned_conf.csv": "/etc/one/oned.conf",
    "sched_conf.csv": "/etc/one/sched.conf",
    "monitord_conf.csv": "/etc/one/monitord.conf",
    "oneflow_conf.csv": "/etc/one/oneflow-server.conf",
    "onegate_conf.csv": "/etc/one/onegate-server.conf",
    "sunstone_conf.csv": "/etc/one/sunstone-server.conf",
    "fireedge_conf.csv": "/etc/one/fireedge-server.conf",
    "econe_conf.csv": "/etc/one/econe.conf",
    "hem_conf.csv": "/etc/one/onehem-server.conf",
}


@pytest.fixture(scope="module")
def spec() -> Path:
    """The folder with the lists of OpenNebula's settings, which lies beside some checkouts only."""
    folder = Path(os.environ.get("ONEBOX_SHARED", ROOT.parent / "shared")) / "spec"
    if not folder.is_dir():
        pytest.skip("left out: no ../shared/spec beside this checkout (set ONEBOX_SHARED)")
    return folder


def _settings(name: str) -> Iterator[tuple[str, str]]:
    """Path and value (JSON) of every setting of a stock file, repeated ones once for each value."""
    entry = catalog.find(name)
    assert entry is not None
    document = parse(compare.stock(name).read_text(encoding="utf-8"), entry.format)
    for change in parse("", entry.format).diff(document):
        yield from _leaves(change)


def _leaves(change: Change) -> Iterator[tuple[str, str]]:
    def walk(path: tuple[str, ...], value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                yield from walk((*path, key), item)
        else:
            yield "/".join(path), json.dumps(value)

    yield from walk(change.full_path, change.value)


def _comments(name: str) -> set[str]:
    """Names of the settings that a file has as comments."""
    text = compare.stock(name).read_text(encoding="utf-8")
    found = set(re.findall(r"(?m)^# ?(?:export )?(:?[A-Za-z_0-9]+) ?[=:]", text))
    for section in re.findall(r"(?ms)^# ([A-Z_]+ = \[.*?\])$", text):
        lines = re.sub(r"(?m)^# *", "", section)
        for change in parse(lines, "oned").diff(parse("", "oned")):
            found.add(change.full_path[0])
            for key in re.findall(r"([A-Z_]+) *= *[^\[ ]", lines):
                found.add(f"{change.full_path[0]}/{key}")
    return found


def test_the_table_of_all_keys_and_defaults() -> None:
    """After a meant change, ``python -m tests.unit.onecfg.test_stock_files`` writes the table anew."""
    with TABLE.open(newline="") as file:
        wanted = [(row["file"], row["path"], row["value"]) for row in csv.DictReader(file)]
    assert _rows() == wanted


def _rows() -> list[tuple[str, str, str]]:
    return [(name, *setting) for name in NAMES for setting in _settings(name)]


@pytest.mark.parametrize("table", SPEC)
def test_every_key_of_release_6_0(spec: Path, table: str) -> None:
    name = SPEC[table]
    program = table.removesuffix("_conf.csv")
    settings: dict[str, list[str]] = {}
    for path, value in _settings(name):
        settings.setdefault(path, []).append(value)
    comments = _comments(name)
    missing, other = [], []
    with (spec / table).open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        key, default = row["key"], row["default"]
        if row["active"] == "n/a" or (program, key) in DIFFERENT:
            continue
        if row["active"] != "yes":
            plain = key.removesuffix("[]")
            path = _path(key, row.get("instance", ""))
            if not {plain, plain.split("/")[0]} & comments and path not in settings:
                missing.append(f"{key} (as a comment)")
            continue
        path = _path(key, row.get("instance", ""))
        if path not in settings:
            missing.append(path)
        elif not any(_is_default(value, default, key) for value in settings[path]):
            other.append((path, default, settings[path]))
    assert (missing, other) == ([], [])


def _path(key: str, instance: str) -> str:
    section, _, part = key.partition("/")
    return f'{section}/"{instance}"/{part}' if instance and part else key.removesuffix("[]")


def _is_default(value: str, default: str, key: str) -> bool:
    found = json.loads(value)
    if isinstance(found, list):
        return default in [str(item) for item in found]
    if isinstance(found, bool):
        return default in (("yes", "true") if found else ("no", "false"))
    if key == ":datastore_id":
        return found is None
    return default == ("" if found is None else unquoted(str(found)))


def test_the_defaults_for_production() -> None:
    """Requirement SR1.3: values that releases before 6.0 had otherwise."""
    kvm = dict(_settings("/etc/one/vmm_exec/vmm_exec_kvm.conf"))
    kvmrc = dict(_settings("/var/lib/one/remotes/etc/vmm/kvm/kvmrc"))
    assert dict(_settings("/etc/one/sched.conf"))["SCHED_INTERVAL"] == '"15"'
    assert json.loads(kvm["FEATURES/GUEST_AGENT"]) == '"yes"'
    assert json.loads(kvm["FEATURES/VIRTIO_SCSI_QUEUES"]) == '"1"'
    assert json.loads(kvm["DISK/DISCARD"]) == '"unmap"'
    assert (kvmrc["SHUTDOWN_TIMEOUT"], kvmrc["FORCE_DESTROY"], kvmrc["SYNC_TIME"]) == (
        '"180"',
        '"yes"',
        '"yes"',
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".conf") and name.count("/") < 5])
def test_the_programs_own_reader_agrees(name: str) -> None:
    entry = catalog.find(name)
    assert entry is not None
    if entry.format != "oned":
        pytest.importorskip("yaml")
        return
    read = config.read(compare.stock(name))
    for path, value in _settings(name):
        keys = path.split("/")
        if len(keys) == 1 and not path.endswith("_ATTR"):
            assert read.get(path) == unquoted(json.loads(value))
        elif len(keys) == 2:
            assert (read.get_vector(keys[0]) or {})[keys[1]] == unquoted(json.loads(value))


def test_the_index_names_every_file_of_the_release(spec: Path) -> None:
    """A file that is not shipped is named with the reason, in docs/onecfg.md."""
    page = (ROOT / "docs/onecfg.md").read_text(encoding="utf-8")
    left_out = page[page.index("## Files that are not shipped") :]
    shipped = set(compare.stock_names())
    with (spec / "stock_config_files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        path = row["path"]
        entry = catalog.find(path)
        if row["onecfg_class"] != "uncatalogued" and "*" not in path:
            assert entry is not None, path
            assert (entry.owner, entry.group, f"{entry.mode:04o}") == (
                row["owner"],
                row["group"],
                row["mode"],
            )
            assert entry.format == row["onecfg_class"], path
        if path in shipped:
            assert f"`{path}`" not in left_out, path
        elif path.startswith("/etc/one/cli/"):
            # They come with their commands.
            assert not (ROOT / "bin" / Path(path).stem).exists(), path
        else:
            assert f"`{path}`" in left_out, path


def test_the_index_names_every_shipped_file() -> None:
    page = (ROOT / "docs/onecfg.md").read_text(encoding="utf-8")
    table = page[page.index("## Stock files") : page.index("## Files that are not shipped")]
    for name in compare.stock_names():
        if not name.startswith("/etc/one/cli/"):
            assert f"`{name}`" in table, name


if __name__ == "__main__":
    with TABLE.open("w", newline="") as table_file:
        csv.writer(table_file, lineterminator="\n").writerows([("file", "path", "value"), *_rows()])
