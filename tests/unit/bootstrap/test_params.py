"""Parameters: every fault is reported, all together, and no secret is in a message."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap import params, reference
from bootstrap.params import ParameterFaults

ROOT = Path(__file__).resolve().parents[3]
HOST = {"OPENNEBULA_HOST": "cloud.example.org"}


def faults(environ: dict[str, str], *, native: bool = False) -> list[str]:
    with pytest.raises(ParameterFaults) as caught:
        params.read(environ, native=native)
    return caught.value.faults


def test_defaults_of_the_all_in_one_container() -> None:
    settings = params.read(HOST)
    assert settings["OPENNEBULA_SERVICE"] == "all"
    assert settings["MYSQL_PORT"] == "3306"
    assert settings["OPENNEBULA_SSH_HOST"] == "cloud.example.org"
    assert settings.given == {"OPENNEBULA_HOST"}
    assert not settings.is_maintenance


def test_a_container_needs_its_public_host_and_a_native_instance_does_not() -> None:
    assert faults({}) == [
        "OPENNEBULA_HOST: required with OPENNEBULA_SERVICE=all (host name or address under which clients "
        "reach the front-end), found nothing"
    ]
    assert params.read({}, native=True)["OPENNEBULA_HOST"] == "localhost"


def test_all_faults_are_reported_together() -> None:
    found = faults(
        {
            "OPENNEBULA_SERVICE": "al",
            "MYSQL_PORT": "99999",
            "MAINTENANCE_MODE": "maybe",
            "ONEADMIN_PASWORD": "x",
            "OPENNEBULA_HOST": "http://x",
        }
    )
    assert sorted(found) == [
        "MAINTENANCE_MODE: expected yes or no, found 'maybe'",
        "MYSQL_PORT: expected a whole number from 1 to 65535, found '99999'",
        "ONEADMIN_PASWORD: unknown parameter; did you mean ONEADMIN_PASSWORD?",
        "OPENNEBULA_HOST: expected a host name or an IP address, without scheme, port or path, found 'http://x'",
        "OPENNEBULA_SERVICE: expected one of all, oned, scheduler, mysqld, sshd, none, found 'al'",
    ]


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        ("oned", ["MYSQL_HOST", "MYSQL_PASSWORD", "OPENNEBULA_HOST"]),
        ("scheduler", ["ONED_HOST"]),
        ("mysqld", ["MYSQL_PASSWORD"]),
    ],
)
def test_what_a_service_alone_in_its_container_needs(service: str, missing: list[str]) -> None:
    found = faults({"OPENNEBULA_SERVICE": service})
    assert sorted(fault.split(":")[0] for fault in found) == missing


def test_an_outer_database_needs_its_password() -> None:
    assert faults(HOST | {"MYSQL_HOST": "db"})[0].startswith("MYSQL_PASSWORD: required")
    assert params.read(HOST | {"MYSQL_HOST": "db", "MYSQL_PASSWORD": "p"})["MYSQL_HOST"] == "db"


def test_a_faulty_required_value_is_one_fault_and_not_two() -> None:
    assert len(faults({"OPENNEBULA_HOST": "a b"})) == 1


@pytest.mark.parametrize(
    "param", [param for param in params.PARAMS if param.secret], ids=lambda param: param.name
)
def test_a_faulty_secret_is_not_repeated(param: params.Param) -> None:
    value = "geheim\x07wort"
    assert "geheim" not in "".join(faults(HOST | {param.name: value}))


def test_settings_do_not_show_values() -> None:
    assert "geheim" not in repr(params.read(HOST | {"ONEADMIN_PASSWORD": "geheim"}))


def test_an_older_name_is_understood_and_contradiction_is_a_fault() -> None:
    assert params.read({"OPENNEBULA_FRONTEND_HOST": "a"})["OPENNEBULA_HOST"] == "a"
    assert params.read({"OPENNEBULA_FRONTEND_HOST": "a", "OPENNEBULA_HOST": "a"})["OPENNEBULA_HOST"] == "a"
    assert faults({"OPENNEBULA_FRONTEND_HOST": "a", "OPENNEBULA_HOST": "b"}) == [
        "OPENNEBULA_HOST and OPENNEBULA_FRONTEND_HOST: given both, with different values; keep one"
    ]


def test_every_parameter_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("geheim\n")
    settings = params.read(
        HOST | {"ONEADMIN_PASSWORD_FILE": str(file), "MYSQL_ROOT_PASSWORD_FILE": str(file)}
    )
    assert settings["ONEADMIN_PASSWORD"] == settings["MYSQL_ROOT_PASSWORD"] == "geheim"


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    empty, large = tmp_path / "empty", tmp_path / "large"
    empty.touch()
    large.write_bytes(b"x" * 100_000)
    missing = tmp_path / "missing"
    assert faults(HOST | {"ONEADMIN_PASSWORD_FILE": str(missing)}) == [
        f"ONEADMIN_PASSWORD_FILE: cannot read {missing}: No such file or directory"
    ]
    assert faults(HOST | {"ONEADMIN_PASSWORD_FILE": str(empty)}) == [
        f"ONEADMIN_PASSWORD_FILE: {empty} is empty"
    ]
    assert "larger than 64 KiB" in faults(HOST | {"ONEADMIN_PASSWORD_FILE": str(large)})[0]


def test_value_and_file_that_differ_are_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("one")
    found = faults(HOST | {"ONEADMIN_PASSWORD": "two", "ONEADMIN_PASSWORD_FILE": str(file)})
    assert found == [
        "ONEADMIN_PASSWORD and ONEADMIN_PASSWORD_FILE: given both, with different values; keep one"
    ]


def test_variables_of_others_and_empty_ones_are_left_alone() -> None:
    settings = params.read(
        HOST | {"MYSQL_PWD": "x", "MYSQL_HISTFILE": "/x", "MYSQL_USER": "", "OPENNEBULA_X": ""}
    )
    assert settings["MYSQL_USER"] == "oneadmin"


@pytest.mark.parametrize("value", ["YES", "True", "1", "yes"])
def test_words_for_yes(value: str) -> None:
    assert params.read(HOST | {"MAINTENANCE_MODE": value}).is_maintenance


@pytest.mark.parametrize("value", ["10.0.0.1", "::1", "cloud", "a-b.example.org", "x_1"])
def test_hosts(value: str) -> None:
    assert params.read({"OPENNEBULA_HOST": value})["OPENNEBULA_HOST"] == value


@pytest.mark.parametrize("value", ["1.2.3", "-a", "a..b", "a:80", "a/b", "a b", "x" * 64])
def test_no_hosts(value: str) -> None:
    assert len(faults({"OPENNEBULA_HOST": value})) == 1


def test_the_database_user_is_not_root() -> None:
    assert "not the database's root" in faults(HOST | {"MYSQL_USER": "root"})[0]


@given(st.dictionaries(st.sampled_from([param.name for param in params.PARAMS]), st.text(max_size=20)))
def test_any_values_give_settings_or_faults(environ: dict[str, str]) -> None:
    try:
        settings = params.read(environ)
    except ParameterFaults as found:
        assert found.faults
    else:
        assert set(settings.values) == set(params.BY_NAME)


def test_the_reference_page_is_fresh() -> None:
    page = ROOT / "docs" / "parameters.md"
    assert page.read_text() == reference.markdown(), "run: python -m bootstrap --list > docs/parameters.md"


_HOST_VALUES = ("h.example.org", "a b")
_YES = ("yes", "perhaps")
_PATH = ("/x/y", "x/y")
_PORTS = ("8080", "65536")
_WORD = ("Wort-1", "with blank")
_PACKED = ("QUJD", "%%%")
# One good and one bad value for each parameter.
VALUES = {
    "OPENNEBULA_SERVICE": ("sshd", "onde"), "OPENNEBULA_HOST": _HOST_VALUES,
    "ONEBOX_ENDPOINT": ("https://x:1/RPC2", "ftp://x"), "OPENNEBULA_ONEGATE_HOST": _HOST_VALUES,
    "ONEGATE_PORT": _PORTS, "ONED_HOST": _HOST_VALUES, "MAINTENANCE_MODE": _YES, "ONEADMIN_PASSWORD": _WORD,
    "ONEBOX_PORT_OFFSET": ("100", "-1"), "MYSQL_HOST": _HOST_VALUES, "MYSQL_PORT": _PORTS,
    "MYSQL_DATABASE": ("one", "a-b"), "MYSQL_USER": ("one", "root"), "MYSQL_PASSWORD": _WORD,
    "MYSQL_ROOT_PASSWORD": _WORD, "ONED_DB_BACKUP_ENABLED": _YES, "ONEBOX_DB": ("sqlite", "oracle"),
    "TLS_PROXY_ENABLED": _YES, "TLS_DOMAIN_LIST": ("*.example.org 10.0.0.1", "a.*"),
    "TLS_VALID_DAYS": ("30", "0"), "TLS_KEY": _PATH, "TLS_CERT": _PATH, "TLS_KEY_BASE64": _PACKED,
    "TLS_CERT_BASE64": _PACKED, "OPENNEBULA_SSH_HOST": _HOST_VALUES, "OPENNEBULA_SSH_PORT": _PORTS,
    "ONEBOX_NODE_SSH_PORT": _PORTS, "ONEADMIN_SSH_PRIVKEY": _PATH, "ONEADMIN_SSH_PUBKEY": _PATH,
    "ONEADMIN_SSH_PRIVKEY_BASE64": _PACKED, "ONEADMIN_SSH_PUBKEY_BASE64": _PACKED,
    "OPENNEBULA_ONECFG_PATCH": _PATH, "OPENNEBULA_PREBOOTSTRAP_HOOK": _PATH,
    "OPENNEBULA_POSTBOOTSTRAP_HOOK": _PATH, "OPENNEBULA_BATCH_FILE": _PATH, "MONITORD_PORT": _PORTS,
    "OPENNEBULA_CUSTOMER_TOKEN": ("abc", "a\x07"), "SUNSTONE_HTTPS_ENABLED": ("no", "perhaps"),
    "SUNSTONE_PORT": _PORTS,
    "SUNSTONE_TLS_PORT": _PORTS, "SUNSTONE_VNC_PORT": _PORTS, "MEMCACHED_HOST": _HOST_VALUES,
    "FIREEDGE_HOST": _HOST_VALUES, "GUACD_HOST": _HOST_VALUES, "ONEFLOW_HOST": _HOST_VALUES,
    "ONEGATE_HOST": _HOST_VALUES, "ONEPROVISION_HOST": _HOST_VALUES, "DIND_ENABLED": _YES,
    "DIND_TCP_ENABLED": _YES, "DIND_HOST": _HOST_VALUES, "DIND_SOCKET": _PATH, "ETCD_HOST": _HOST_VALUES,
    "ETCD_ROOT_PASSWORD": _WORD,
}  # fmt: skip


@pytest.mark.parametrize("param", params.PARAMS, ids=lambda param: param.name)
def test_a_good_and_a_bad_value_of_each(param: params.Param, tmp_path: Path) -> None:
    good, bad = VALUES[param.name]
    needed = HOST | {"MYSQL_PASSWORD": "p"}
    for name in filter(None, (param.name, param.alias)):
        # The older name instead of today's.
        given = {key: value for key, value in needed.items() if key != param.name}
        settings = params.read(given | {name: good})
        assert settings[param.name] == good and param.name in settings.given
        [fault] = faults(given | {name: bad})
        assert fault.startswith(f"{param.name}: ") and (bad not in fault or not param.secret)
        assert any(warning.startswith(f"{name}: older name of") for warning in settings.warnings) == (
            name == param.alias
        )
        if param.missing:
            assert settings.warnings == (
                f"{name}: no effect, service {param.missing} is not part of this version",
            )
    file = tmp_path / "value"
    file.write_text(good + "\n")
    if f"{param.name}_FILE" not in params.BY_NAME:
        others = {key: value for key, value in needed.items() if key != param.name}
        assert params.read(others | {f"{param.name}_FILE": str(file)})[param.name] == good


def test_services_that_are_missing_are_named() -> None:
    [fault] = faults(HOST | {"OPENNEBULA_SERVICE": "oneflow"})
    assert fault == (
        "OPENNEBULA_SERVICE: service oneflow is not part of this version; expected one of all, oned, "
        "scheduler, mysqld, sshd, none, found 'oneflow'"
    )


def test_one_warning_for_each_missing_service() -> None:
    warnings = params.read(
        HOST | {"SUNSTONE_PORT": "81", "SUNSTONE_TLS_PORT": "444", "GUACD_HOST": "g"}
    ).warnings
    assert warnings == (
        "GUACD_HOST: no effect, service guacd is not part of this version",
        "SUNSTONE_PORT, SUNSTONE_TLS_PORT: no effect, service sunstone is not part of this version",
    )


def test_a_variable_of_another_program_is_no_fault_unless_it_looks_misspelt() -> None:
    assert params.read(HOST | {"ETCD_DATA_DIR": "/x", "TLS_MINIMUM": "1"})["ETCD_HOST"] == "localhost"
    assert faults(HOST | {"TLS_DOMAINLIST": "x"}) == [
        "TLS_DOMAINLIST: unknown parameter; did you mean TLS_DOMAIN_LIST?"
    ]


def test_without_a_container_some_have_no_effect() -> None:
    [warning] = params.read({"TLS_CERT": "/x", "OPENNEBULA_SSH_PORT": "2222"}, native=True).warnings
    assert warning == "TLS_CERT, OPENNEBULA_SSH_PORT: without a container no effect"


def test_only_defaults_name_other_parameters() -> None:
    assert params.read(HOST | {"ONEADMIN_PASSWORD": "${MYSQL_USER}"})["ONEADMIN_PASSWORD"] == "${MYSQL_USER}"
    settings = params.read(HOST | {"ONEBOX_ENDPOINT": "https://${OPENNEBULA_HOST}:2633/RPC2"})
    assert settings["ONEBOX_ENDPOINT"] == "https://cloud.example.org:2633/RPC2"
    assert len(faults(HOST | {"ONEBOX_ENDPOINT": "https://${ONEADMIN_PASSWORD}/"})) == 1
