"""sched.conf: values, defaults and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.config import ConfigError
from services.scheduler.config import SchedConf, load

ROOT = Path(__file__).resolve().parents[3]


def read(folder: Path, text: str) -> SchedConf:
    file = folder / "sched.conf"
    file.write_text(text)
    return load(file)


def test_the_stock_file_has_opennebulas_values_and_nothing_unknown() -> None:
    conf = load(ROOT / "share/etc/sched.conf")
    assert (conf.interval_s, conf.max_vm, conf.max_dispatch, conf.max_host) == (15, 5000, 30, 1)
    assert (conf.host_rank, conf.datastore_rank) == ("- RUNNING_VMS", "FREE_MB")
    assert (conf.timeout_s, conf.memory_system_ds_scale, conf.debug_level) == (60, 0, 3)
    assert conf.unknown == ()


def test_an_empty_file_gives_the_built_in_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "") == SchedConf()
    assert (SchedConf().interval_s, SchedConf().max_vm) == (30, 300)


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("DEFAULT_SCHED = [ POLICY = 0 ]", "RUNNING_VMS"),
        ("DEFAULT_SCHED = [ policy = 4 ]", "PRIORITY"),
        ("DEFAULT_SCHED = [ POLICY = 2 ]", "FREE_CPU"),
        ('DEFAULT_SCHED = [ POLICY = 3, RANK = "A * 2" ]', "A * 2"),
    ],
)
def test_host_policies(tmp_path: Path, text: str, rank: str) -> None:
    assert read(tmp_path, text).host_rank == rank


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("DEFAULT_DS_SCHED = [ POLICY = 0 ]", "- FREE_MB"),
        ('DEFAULT_DS_SCHED = [ POLICY = 2, RANK = "- ID" ]', "- ID"),
        ("DEFAULT_DS_SCHED = [ POLICY = 3 ]", "PRIORITY"),
    ],
)
def test_datastore_policies(tmp_path: Path, text: str, rank: str) -> None:
    assert read(tmp_path, text).datastore_rank == rank


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("DEFAULT_NIC_SCHED = [ POLICY = 0 ]", "- USED_LEASES"),
        ("DEFAULT_NIC_SCHED = [ POLICY = 1 ]", "USED_LEASES"),
        ('DEFAULT_NIC_SCHED = [ POLICY = 2, RANK = "BW - USED_LEASES" ]', "BW - USED_LEASES"),
        ("DEFAULT_NIC_SCHED = [ policy = 3 ]", "PRIORITY"),
    ],
)
def test_network_policies(tmp_path: Path, text: str, rank: str) -> None:
    assert read(tmp_path, text).network_rank == rank


def test_migration_and_networks(tmp_path: Path) -> None:
    found = read(tmp_path, 'LIVE_RESCHEDS = 1\nCOLD_MIGRATE_MODE = 2\nDIFFERENT_VNETS = "no"\n')
    assert (found.live_rescheds, found.cold_migrate_mode, found.different_vnets) == (True, 2, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MAX_HOST = many", "MAX_HOST must be a whole number, found 'many'"),
        ("SCHED_INTERVAL = 0", "SCHED_INTERVAL must lie between 1 and 86400, found 0"),
        ("MEMORY_SYSTEM_DS_SCALE = -2", "MEMORY_SYSTEM_DS_SCALE must lie between -1"),
        ("COLD_MIGRATE_MODE = 3", "COLD_MIGRATE_MODE must lie between 0 and 2, found 3"),
        ("DEFAULT_SCHED = [ POLICY = 5 ]", "DEFAULT_SCHED/POLICY must lie between 0 and 4, found '5'"),
        ("DEFAULT_DS_SCHED = [ POLICY = 4 ]", "DEFAULT_DS_SCHED/POLICY must lie between 0 and 3, found '4'"),
        (
            "DEFAULT_NIC_SCHED = [ POLICY = x ]",
            "DEFAULT_NIC_SCHED/POLICY must lie between 0 and 3, found 'x'",
        ),
        ("DEFAULT_SCHED = [ POLICY = 3 ]", "DEFAULT_SCHED/POLICY = 3 needs a RANK beside it"),
        ('DEFAULT_SCHED = [ POLICY = 3, RANK = "1 +" ]', "DEFAULT_SCHED/RANK: expected a number"),
        ("DEFAULT_SCHED = 1", "DEFAULT_SCHED must be a vector"),
        ("DIFFERENT_VNETS = perhaps", "DIFFERENT_VNETS must be YES or NO, found 'perhaps'"),
        ("LOG = [ DEBUG_LEVEL = 9 ]", "LOG/DEBUG_LEVEL must lie between 0 and 5, found '9'"),
        ("MAX_VM = [", "line 1"),
    ],
)
def test_refusals_name_file_setting_and_value(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "sched.conf" in str(caught.value)


def test_all_faults_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"MAX_VM.*MAX_HOST"):
        read(tmp_path, "MAX_VM = a\nMAX_HOST = b")


def test_unknown_settings_are_named(tmp_path: Path) -> None:
    assert read(tmp_path, 'MAX_HOSTS = 3\nHTTP_PROXY = "x"').unknown == ("HTTP_PROXY", "MAX_HOSTS")
