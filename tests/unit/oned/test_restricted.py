"""Restricted attributes: what counts as setting or changing one."""

from __future__ import annotations

import pytest

from services.common.template import Template
from services.oned.model import restricted

SETTINGS = Template.parse(
    'VM_RESTRICTED_ATTR="RAW"\nVM_RESTRICTED_ATTR="NIC/MAC"\nVM_RESTRICTED_ATTR="nic/vlan_id"'
)
NAMES = restricted.names(SETTINGS, "VM_RESTRICTED_ATTR")


def test_names() -> None:
    # SCRIPT is one whatever oned.conf says, and NIC_DEFAULT says the same of every interface.
    of_nics = {"MAC", "VLAN_ID", "SCRIPT"}
    assert dict(NAMES) == {"RAW": set(), "NIC": of_nics, "NIC_DEFAULT": of_nics}
    assert restricted.names(SETTINGS, "IMAGE_RESTRICTED_ATTR") == {}


@pytest.mark.parametrize("listed", [("NIC",), ("NIC", "NIC/MAC"), ("NIC/MAC", "nic")])
def test_the_whole_is_more_than_its_parts(listed: tuple[str, ...]) -> None:
    settings = Template.parse("\n".join(f'VM_RESTRICTED_ATTR="{name}"' for name in listed))
    found = restricted.names(settings, "VM_RESTRICTED_ATTR")
    assert found == {"NIC": set(), "NIC_DEFAULT": set()}
    assert restricted.first_set(Template.parse("NIC=[NETWORK=a]"), found) == "NIC"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CPU=1", None),
        ("NIC=[NETWORK=a]", None),
        ("NIC=[NETWORK=a]\nNIC=[MAC=b]", "NIC/MAC"),
        ("NIC=[SCRIPT=/usr/bin/systemctl,TARGET=poweroff]", "NIC/SCRIPT"),
        ("NIC_DEFAULT=[SCRIPT=x]", "NIC_DEFAULT/SCRIPT"),
        ("NIC_DEFAULT=[VLAN_ID=7]", "NIC_DEFAULT/VLAN_ID"),
        ("RAW=x", "RAW"),
        ("RAW=[TYPE=kvm,DATA=x]", "RAW"),
        ("NIC=text", None),
    ],
)
def test_what_a_new_template_sets(text: str, found: str | None) -> None:
    assert restricted.first_set(Template.parse(text), NAMES) == found


@pytest.mark.parametrize(
    ("text", "base", "found"),
    [
        ("CPU=1", "RAW=x", None),
        ("RAW=x", "RAW=x", None),
        ("RAW=y", "RAW=x", "RAW"),
        ("RAW=x", "CPU=1", "RAW"),
        ("RAW=[DATA=x]", "RAW=[DATA=y]", "RAW"),
        ("NIC=[NETWORK=b,MAC=m]", "NIC=[NETWORK=a,MAC=m]", None),
        ("NIC=[NETWORK=b]", "NIC=[NETWORK=a,MAC=m]", "NIC"),
        ("NIC=[MAC=n]", "NIC=[MAC=m]", "NIC"),
        ("CPU=1", "NIC=[MAC=m]", None),
    ],
)
def test_what_a_change_touches(text: str, base: str, found: str | None) -> None:
    assert restricted.first_changed(Template.parse(text), Template.parse(base), NAMES) == found


def test_what_an_administrator_set_survives_a_replacement() -> None:
    template = Template.parse("CPU=1")
    assert restricted.first_changed(template, Template.parse("RAW=[DATA=x]\nRAW=y"), NAMES) is None
    assert template.get_all("RAW") == [{"DATA": "x"}, "y"]
