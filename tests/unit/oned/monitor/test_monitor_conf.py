"""monitord.conf: what is read, what is refused, and what agents are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common import xmldoc
from services.common.config import ConfigError
from services.oned.monitor import conf
from tests.support.zone import ROOT


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "monitord.conf"
    file.write_text(text)
    return file


def test_the_stock_file_holds_the_defaults(tmp_path: Path) -> None:
    stock = conf.load(ROOT / "share/etc/monitord.conf")
    bare = conf.load(tmp_path / "none")
    assert (stock.timer_s, stock.silence_s, stock.port, stock.address) == (15, 180, 4124, "0.0.0.0")
    assert (stock.host_expiration_s, stock.vm_expiration_s) == (43_200, 43_200)
    assert stock.periods == bare.periods and stock.periods["STATE_VM"] == 5
    assert set(stock.drivers) == {"kvm", "qemu", "lxd", "lxc", "firecracker", "vcenter"}
    kvm, vcenter = stock.drivers["kvm"], stock.drivers["vcenter"]
    assert (kvm.is_local, kvm.threads, kvm.timeout_s) == (False, 15, 90)
    assert vcenter.is_local
    assert set(bare.drivers) == {"kvm", "qemu"}


def test_what_agents_are_told(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN RSA PUBLIC KEY-----\nMII&B<\n-----END RSA PUBLIC KEY-----\n")
    found = conf.load(
        written(
            tmp_path,
            f'NETWORK = [ MONITOR_ADDRESS = "a<b", PORT = 5000, PUBKEY = "{key}", PRIKEY = "/secret/key" ]\n'
            "PROBES_PERIOD = [ STATE_VM = 7 ]\n",
        )
    )
    text = found.for_agents(12, "/data/stores")
    root = xmldoc.parse(text)
    assert root.tag == "MONITOR_CONFIGURATION"
    assert [root.findtext(path) for path in ("HOST_ID", "DATASTORE_LOCATION")] == ["12", "/data/stores"]
    assert root.findtext("NETWORK/MONITOR_ADDRESS") == "a<b" and root.findtext("NETWORK/PORT") == "5000"
    assert root.findtext("NETWORK/PUBKEY") == key.read_text()
    periods = {child.tag: child.text for child in root.iterfind("PROBES_PERIOD/*")}
    assert periods == {
        "BEACON_HOST": "30", "MONITOR_HOST": "120", "MONITOR_VM": "30",
        "STATE_VM": "7", "SYNC_STATE_VM": "180", "SYSTEM_HOST": "600",
    }  # fmt: skip
    assert "secret" not in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MANAGER_TIMER = 0", "MANAGER_TIMER must lie between"),
        ("MONITORING_INTERVAL_HOST = soon", "MONITORING_INTERVAL_HOST must be a whole number, found 'soon'"),
        ("NETWORK = [ PORT = 70000 ]", "NETWORK/PORT must lie between"),
        ('NETWORK = [ ADDRESS = "example.org" ]', "NETWORK/ADDRESS must be an IP address"),
        ('NETWORK = [ PUBKEY = "/nowhere" ]', "/nowhere cannot be read"),
        ("PROBES_PERIOD = [ STATE_VM = 0 ]", "PROBES_PERIOD/STATE_VM must lie between"),
        ('IM_MAD = [ EXECUTABLE = "one_im_ssh" ]', "NAME is missing"),
        ('IM_MAD = [ NAME = "x", EXECUTABLE = "/bin/sh" ]', "EXECUTABLE must be one of"),
        ('IM_MAD = [ NAME = "x", ARGUMENTS = "-w many x" ]', "-w must be a whole number, found 'many'"),
        ('IM_MAD = [ NAME = "x", ARGUMENTS = "--odd x" ]', "unknown option '--odd'"),
        ('IM_MAD = [ NAME = "x", ARGUMENTS = "-r" ]', "-r must be a whole number"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    file = written(tmp_path, text + "\n")
    with pytest.raises(ConfigError) as refusal:
        conf.load(file)
    assert says in str(refusal.value) and str(file) in str(refusal.value)


def test_a_private_key_is_not_sent_to_nodes(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n")
    with pytest.raises(ConfigError, match="must hold one public RSA key"):
        conf.load(written(tmp_path, f'NETWORK = [ PUBKEY = "{key}" ]\n'))
