"""Driver sections of oned.conf: where actions run, limits, time limits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.common.config import ConfigError
from services.common.template import Template
from services.oned.config import OnedConf, from_settings
from services.oned.drivers.arguments import parse
from services.oned.drivers.table import ACTIONS, Drivers, Takeover, UnknownDriver
from services.oned.store.job_limits import Lane
from tests.unit.oned.drivers.conftest import ROOT


def test_arguments() -> None:
    made = parse("-t 20 --retries=3 -p -l migrate,poll=poll_fe -d migrate -s sh -w 90 kvm", "VM_MAD kvm")
    assert (made.threads, made.timeout_s, made.is_parallel, made.folder) == (20, 90, True, "kvm")
    assert made.local == {"migrate": "migrate", "poll": "poll_fe"}
    assert parse("", "x").threads == 15


@pytest.mark.parametrize("text", ["-t", "-t many", "-t 0", "--what kvm", '-t "1'])
def test_broken_arguments_name_the_section(text: str) -> None:
    with pytest.raises(ConfigError, match="VM_MAD kvm/ARGUMENTS"):
        parse(text, "VM_MAD kvm")


def test_where_actions_run(conf: OnedConf) -> None:
    drivers = Drivers(conf)
    assert drivers.vmm("dummy").is_local and drivers.vmm("cloud").is_local
    assert not drivers.vmm("lxc").is_local
    assert drivers.vmm("mixed").folder == "kvm"
    assert drivers.vmm("dummy").simulates == {"tm", "vnm"} and not drivers.vmm("lxc").simulates


def test_dummy_needs_no_section_others_do() -> None:
    drivers = Drivers(from_settings(Template()))
    assert drivers.vmm("dummy").is_local
    with pytest.raises(UnknownDriver, match="no VM_MAD section named 'xen'"):
        drivers.vmm("xen")


def test_an_unknown_executable_is_refused() -> None:
    drivers = Drivers(from_settings(Template.parse('VM_MAD=[NAME="x",EXECUTABLE="/bin/x"]')))
    with pytest.raises(ConfigError, match="EXECUTABLE must be one_vmm_exec"):
        drivers.vmm("x")


def test_a_simulation_can_be_switched_off() -> None:
    text = 'VM_MAD=[NAME="dummy",EXECUTABLE="one_vmm_dummy",SIMULATE="NO"]'
    assert not Drivers(from_settings(Template.parse(text))).vmm("dummy").simulates


def test_limits(conf: OnedConf) -> None:
    drivers = Drivers(conf)
    assert drivers.lane_limit(Lane("vmm", "mixed")) == 6
    assert drivers.host_limit(Lane("vmm", "mixed")) == 2  # -p: several, but never all
    assert drivers.host_limit(Lane("vmm", "lxc")) == 1
    assert drivers.host_limit(Lane("vmm", "dummy")) == 21
    assert drivers.lane_limit(Lane("tm", "ssh")) == 15
    assert drivers.host_limit(Lane("tm", "ssh")) == 5
    assert drivers.lane_limit(Lane("vmm", "xen")) == 15


def test_time_limits(conf: OnedConf) -> None:
    drivers = Drivers(conf)
    assert drivers.timeout_s("vmm", "deploy") == ACTIONS["vmm", "deploy"].timeout_s
    assert drivers.timeout_s("vmm", "deploy", drivers.vmm("mixed").options) == 77


def test_what_starts_or_stops_a_machine_is_probed() -> None:
    probed = {row.name: row.takeover for row in ACTIONS.values() if row.takeover is not Takeover.RERUN}
    assert probed == {
        "deploy": Takeover.ACTIVE,
        "restore": Takeover.ACTIVE,
        "shutdown": Takeover.GONE,
        "cancel": Takeover.GONE,
        "save": Takeover.GONE,
        "migrate": Takeover.ACTIVE,
        "premigrate": Takeover.ACTIVE,
        "snap_create": Takeover.DONE,
        "snap_create_live": Takeover.DONE,
        "snap_delete": Takeover.DONE,
    }


def test_settings_of_the_drivers_have_a_file(
    conf: OnedConf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_LOCATION", str(tmp_path))
    default = Drivers(conf)
    assert default.live_disk_snapshots == {"kvm-qcow2", "kvm-ceph", "kvm-ssh"}
    assert default.local_network_actions == {"elastic-post", "elastic-clean"}
    file = tmp_path / "etc/vmm_exec/vmm_execrc"
    file.parent.mkdir(parents=True)
    shutil.copy(ROOT / "share/etc/vmm_exec/vmm_execrc", file)
    stock = Drivers(conf)
    assert (stock.live_disk_snapshots, stock.local_network_actions) == (
        default.live_disk_snapshots,
        default.local_network_actions,
    )
    file.write_text(
        "# LIVE_DISK_SNAPSHOTS=no\nexport LIVE_DISK_SNAPSHOTS='lxc-zfs  kvm-x' # mine\nVNMAD_LOCAL_ACTIONS=\n"
    )
    own = Drivers(conf)
    assert (own.live_disk_snapshots, own.local_network_actions) == ({"lxc-zfs", "kvm-x"}, set())


def test_which_actions_are_delegated(conf: OnedConf) -> None:
    drivers = Drivers(conf)
    assert drivers.vmm("kvm").delegates("migrate") and not drivers.vmm("kvm").delegates("deploy")
