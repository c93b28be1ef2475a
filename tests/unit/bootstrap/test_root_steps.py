"""The container's own steps (SSH, TLS, patch, explain) with their folders below a temporary one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bootstrap import files, fronts, given, params, places, programs, ssh_keys, tls
from bootstrap.context import Context, StepError
from bootstrap.explain import explain
from bootstrap.steps import Step, applicable, configure, install, own_changes, ssh
from bootstrap.steps import tls as tls_step
from services.common import config
from tests.unit.bootstrap import material

HOST = {"OPENNEBULA_HOST": "cloud.example.org", "ONEBOX_DB": "sqlite"}


@pytest.fixture
def root(prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of a container below a temporary one; owners stay who runs the tests."""
    monkeypatch.setattr(Context, "owner", lambda self, user: None)
    monkeypatch.setattr(places, "ssh_host_keys", lambda: tmp_path / "host-keys")
    monkeypatch.setattr(places, "tls", lambda: tmp_path / "tls")
    for folder in (prefix / "var", prefix / "var/run", prefix / "etc", places.supervisor()):
        folder.mkdir(parents=True, exist_ok=True)
    return tmp_path


def context(lines: list[str] | None = None, /, **environ: str) -> Context:
    """A run with these parameters, in which the core runs."""
    settings = params.read(HOST | environ, further=given.faults)
    say = (lines if lines is not None else []).append
    made = Context(settings, False, say)
    made.programs = [programs.load_all()[name] for name in ("opennebula", "stunnel")]
    return made


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in folder.rglob("*")
        if path.is_file()
    }


# -- SSH ---------------------------------------------------------------------------------------------------
def _ssh(**environ: str) -> list[str]:
    lines: list[str] = []
    run = context(lines, **environ)
    ssh.server(run)
    ssh.key_pair(run)
    ssh.client(run)
    return lines


def test_ssh_keys_are_made_once(root: Path) -> None:
    _ssh()
    before = snapshot(root)
    lines = _ssh()
    assert snapshot(root) == before
    assert any(line.endswith("the key that was there") for line in lines)
    assert "port 22, host keys are there" in lines
    modes = {path.name: path.stat().st_mode & 0o777 for path in (places.ssh(), places.ssh() / "id_rsa")}
    assert modes == {".ssh": 0o700, "id_rsa": 0o600}
    assert {mode for name, (_, mode) in before.items() if "ssh_host" in name and ".pub" not in name} == {
        0o600
    }


def test_an_own_ssh_key_replaces_the_one_that_was_made(root: Path) -> None:
    _ssh()
    authorized = places.ssh() / "authorized_keys"
    authorized.write_text(authorized.read_text() + "ssh-rsa AAAA somebody\n")
    made = (places.ssh() / "id_rsa.pub").read_text().strip()
    own = ssh_keys.generate("ed25519")
    packed = material.packed(own.private.encode())
    _ssh(ONEADMIN_SSH_PRIVKEY_BASE64=packed)
    assert (places.ssh() / "id_rsa").read_text() == own.private
    lines = authorized.read_text().splitlines()
    assert lines == ["ssh-rsa AAAA somebody", own.public] and made not in lines
    # Without the parameter it stays.
    _ssh()
    assert (places.ssh() / "id_rsa").read_text() == own.private


def test_a_spoilt_key_is_named(root: Path) -> None:
    _ssh()
    (places.ssh() / "id_rsa").write_text("spoilt")
    with pytest.raises(StepError, match=r"id_rsa: the private key cannot be read.*remove both files"):
        _ssh()


def test_any_ssh_port(root: Path) -> None:
    _ssh(OPENNEBULA_SSH_PORT="2222", OPENNEBULA_SSH_HOST="ssh.example.org", ONEBOX_NODE_SSH_PORT="2022")
    assert "\nPort 22\nPort 2222\n" in places.sshd_conf().read_text()
    for host, port in (("ssh.example.org", "2222"), ("node1", "2022")):
        asked = ["ssh", "-G", "-F", str(places.ssh() / "config"), host]
        found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
        assert f"port {port}" in found
        assert "stricthostkeychecking accept-new" in found
    known = (places.ssh() / "known_hosts").read_text().splitlines()
    assert len(known) == len(ssh_keys.HOST_KEYS)
    assert known[0].startswith("[ssh.example.org]:2222,[localhost]:2222 ssh-ed25519 ")


def test_an_operators_own_client_settings_stay(root: Path) -> None:
    places.ssh().mkdir()
    (places.ssh() / "config").write_text("Host *\n  Port 7\n")
    lines = _ssh()
    assert (places.ssh() / "config").read_text() == "Host *\n  Port 7\n"
    assert any("left as it is" in line for line in lines)


def test_public_parts_reach_the_server_in_another_container(root: Path) -> None:
    places.ssh_copyback().mkdir()
    _ssh()
    assert sorted(file.name for file in places.ssh_copyback().iterdir()) == [
        "authorized_keys", "config", "id_rsa.pub",
    ]  # fmt: skip


# -- TLS ---------------------------------------------------------------------------------------------------
def _tls(**environ: str) -> str:
    lines: list[str] = []
    run = context(lines, **environ)
    tls_step.certificate(run)
    tls_step.proxy(run)
    return lines[0]


def _installed() -> tls.Pair:
    folder = places.tls()
    return tls.check((folder / "cert.pem").read_bytes(), (folder / "cert.key").read_bytes())


def test_a_self_signed_certificate_is_made_once(root: Path) -> None:
    assert "self-signed, made now" in _tls()
    before = snapshot(root)
    assert "self-signed, for *, cloud.example.org, localhost" in _tls()
    assert snapshot(root) == before
    assert (places.tls() / "cert.key").stat().st_mode & 0o777 == 0o640


def test_it_is_made_anew_for_other_names_or_another_time(root: Path) -> None:
    _tls()
    assert "made anew for other names" in _tls(TLS_DOMAIN_LIST="a.example.org 10.0.0.1")
    assert _installed().names == ("a.example.org", "10.0.0.1")
    said = _tls(TLS_DOMAIN_LIST="a.example.org 10.0.0.1", TLS_VALID_DAYS="10")
    assert "made anew for another time" in said
    assert 9 < _installed().days_left() <= 10
    assert "unchanged" in _tls(TLS_DOMAIN_LIST="a.example.org 10.0.0.1", TLS_VALID_DAYS="10")


def test_an_own_certificate_replaces_it_and_stays(root: Path) -> None:
    _tls()
    certificate, key = material.pair(days=60)
    own = {"TLS_CERT_BASE64": material.packed(certificate), "TLS_KEY_BASE64": material.packed(key)}
    assert "your own certificate, for own.example.org" in _tls(**own)
    assert "the certificate that was given before" in _tls()
    assert _installed().names == ("own.example.org",)


def test_one_that_has_expired_meanwhile_is_replaced(root: Path) -> None:
    certificate, key = material.pair(days=-1)
    places.tls().mkdir()
    (places.tls() / "cert.pem").write_bytes(certificate)
    (places.tls() / "cert.key").write_bytes(key)
    assert "made anew (the certificate expired on" in _tls()
    assert _installed().is_self_made


def test_fronts_are_opened_where_their_program_runs(root: Path) -> None:
    _tls()
    text = places.stunnel_conf().read_text()
    assert "accept = 2634\nconnect = 127.0.0.1:2633\n" in text and "2475" not in text
    names = {front.name for front in fronts.wanted({front.program for front in fronts.FRONTS})}
    assert names == {"oned", "oneflow", "onegate"}
    assert [(front.port, front.backend_port) for front in fronts.FRONTS] == [
        (2634, 2633), (2475, 2474), (5031, 5030),
    ]  # fmt: skip


def test_without_the_proxy_there_is_no_certificate(root: Path) -> None:
    assert _tls(TLS_PROXY_ENABLED="no") == "not needed, TLS_PROXY_ENABLED=no"
    assert not places.tls().exists()
    chosen = programs.select(
        programs.load_all().values(),
        "all",
        native=False,
        inner_mysql=False,
        maintenance=False,
        tls_proxy=False,
    )
    assert "stunnel" not in [program.name for program in chosen]


# -- patch, configuration ----------------------------------------------------------------------------------
def _patched(root: Path, text: str, **environ: str) -> list[str]:
    file = root / "patch"
    file.write_text(text)
    lines: list[str] = []
    run = context(lines, OPENNEBULA_ONECFG_PATCH=str(file), **environ)
    install.stock_files(run)
    own_changes.apply_patch(run)
    configure.oned(run)
    return lines


def test_a_patch_is_applied_and_may_be_repeated(root: Path, prefix: Path) -> None:
    text = (
        "/etc/one/oned.conf set DEFAULT_COST/CPU_COST 0.1\n/etc/one/sched.conf set SCHED_INTERVAL 10\n"
        "/etc/one/oned.conf rm DEFAULT_COST/DISK_COST\n"
    )
    for _ in range(2):
        lines = _patched(root, text)
        assert config.read(prefix / "etc/sched.conf").get("SCHED_INTERVAL") == "10"
    assert any("3 of 3 changes; changed: nothing" in line for line in lines)
    # What parameters decide stays decided.
    assert config.read(prefix / "etc/oned.conf").get("HOSTNAME") == "cloud.example.org"


def test_a_patch_that_cannot_be_applied_names_its_line_and_changes_nothing(root: Path, prefix: Path) -> None:
    install.stock_files(context())
    before = snapshot(prefix / "etc")
    good = "/etc/one/sched.conf set SCHED_INTERVAL 10\n"
    for bad, message in (
        ("/etc/one/nothing.conf set A 1", "nothing.conf"),
        ("/etc/one/oned.conf explode PORT 1", "line 2|explode"),
        ("/etc/one/oned.conf rm NO_SUCH_THING/AT_ALL", "line 2"),
    ):
        (root / "patch").write_text(good + bad + "\n")
        run = context(OPENNEBULA_ONECFG_PATCH=str(root / "patch"))
        with pytest.raises(StepError, match=message):
            own_changes.apply_patch(run)
        assert snapshot(prefix / "etc") == before


def test_a_onegate_elsewhere_is_advertised(root: Path, prefix: Path) -> None:
    _patched(
        root, "/etc/one/oned.conf set LOG/DEBUG_LEVEL 2\n", OPENNEBULA_ONEGATE_HOST="gate", ONEGATE_PORT="5"
    )
    assert config.read(prefix / "etc/oned.conf").get("ONEGATE_ENDPOINT") == "https://gate:5"


# -- explain -----------------------------------------------------------------------------------------------
def _quick(service: str) -> list[Step]:
    return [step for step in applicable(False, service) if step.name != "ssh server"]


def test_explain_says_what_would_be_written_and_writes_nothing(root: Path) -> None:
    (root / "patch").write_text("/etc/one/sched.conf set SCHED_INTERVAL 10\n")
    hook = root / "hook"
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    environ = {
        "OPENNEBULA_ONECFG_PATCH": str(root / "patch"), "OPENNEBULA_PREBOOTSTRAP_HOOK": str(hook),
        "MYSQL_PASSWORD": "Geheim-1", "ONEADMIN_PASSWORD": "Geheim-2", "ONEBOX_DB": "mysql",
    }  # fmt: skip
    before = snapshot(root)
    lines: list[str] = []
    explain(context(None, **environ), _quick("all"), lines.append)
    assert snapshot(root) == before
    text = "\n".join(lines)
    assert "Geheim" not in text and "PRIVATE" not in text
    assert f"new file {root}/one/etc/oned.conf (mode 0640)" in text
    assert f"would run {hook}" in text and "-SCHED_INTERVAL" in text.replace(" ", "")
    assert "(hidden)" in text, "a changed setting with a secret is shown without it"


def test_explain_of_a_second_start_has_nothing_to_write(root: Path) -> None:
    quick = [step for step in _quick("all") if step.name not in ("update supervisor", "note state")]
    run = context()
    for step in quick:
        step.action(run)
    lines: list[str] = []
    explain(context(), quick, lines.append)
    assert [line for line in lines if line.startswith(("  new", "  change", "  folder"))] == []


# -- parameters of programs --------------------------------------------------------------------------------
def test_parameters_reach_the_programs_that_ask_for_them(root: Path, prefix: Path) -> None:
    from bootstrap import start
    from bootstrap.steps import programs as program_steps

    run = context(ONED_DB_BACKUP_ENABLED="no", ONEBOX_ENDPOINT="https://x:1/RPC2")
    program_steps.select(run)
    program_steps.note_state(run)
    known = programs.load_all()
    assert start._own_environment(known["opennebula"])["ONED_DB_BACKUP_ENABLED"] == "no"
    assert start._own_environment(known["opennebula-configure"]) == {
        "ONEBOX_ENDPOINT": "https://x:1/RPC2",
        "OPENNEBULA_BATCH_FILE": "",
        "SSH_AUTH_SOCK": str(prefix / "var/run/ssh-agent.sock"),
    }
    assert "PASSWORD" not in json.dumps(json.loads(places.state().read_text()))


def test_a_locked_folder_is_waited_for_until_a_deadline(tmp_path: Path) -> None:
    with (
        files.locked(tmp_path, 1),
        pytest.raises(TimeoutError, match="another container"),
        files.locked(tmp_path, 0),
    ):
        pass
