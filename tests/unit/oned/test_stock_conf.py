"""The stock oned.conf can be used as it is, and its driver sections are complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.common.template import Template
from services.oned import config
from services.oned.model.datastore import Datastore
from services.oned.model.datastore_drivers import settle_new

CONF = config.load(Path(__file__).resolve().parents[3] / "share/etc/oned.conf")


def _names(section: str) -> list[str]:
    return [vector["NAME"] for vector in CONF.settings.vectors(section)]


def _listed(section: str, option: str) -> list[str]:
    """The drivers behind an option (``-d``) of a section's ARGUMENTS."""
    vector = CONF.settings.get_vector(section) or {}
    words = vector["ARGUMENTS"].split()
    return words[words.index(option) + 1].split(",")


def test_values() -> None:
    assert (CONF.port, CONF.message_size_bytes, CONF.default_umask, CONF.db.backend) == (
        2633,
        8 * 1024 * 1024,
        0o177,
        "sqlite",
    )
    assert CONF.enable_other_permissions
    assert set(_names("VM_MAD")) == {"kvm", "qemu", "lxd", "lxc", "firecracker", "vcenter", "dummy"}


def test_every_listed_driver_has_a_section() -> None:
    assert set(_listed("TM_MAD", "-d")) == set(_names("TM_MAD_CONF"))
    assert set(_listed("DATASTORE_MAD", "-d")) == set(_names("DS_MAD_CONF"))
    assert set(_listed("MARKET_MAD", "-m")) == set(_names("MARKET_MAD_CONF"))


@pytest.mark.parametrize("tm_mad", _names("TM_MAD_CONF"))
@pytest.mark.parametrize("more", ["TYPE=SYSTEM_DS", "DS_MAD=fs"])
def test_a_datastore_of_every_transfer_driver(tm_mad: str, more: str) -> None:
    store = Datastore(100, "d")
    store.template = Template.parse(f"TM_MAD={tm_mad}\n{more}")
    settle_new(store, CONF)
    assert store.tm_mad == tm_mad


def test_restricted_and_inherited_attributes_are_listed() -> None:
    for setting, one_of_them in (
        ("VM_RESTRICTED_ATTR", "RAW"),
        ("IMAGE_RESTRICTED_ATTR", "SOURCE"),
        ("VNET_RESTRICTED_ATTR", "VLAN_ID"),
        ("INHERIT_DATASTORE_ATTR", "CEPH_HOST"),
        ("INHERIT_VNET_ATTR", "MTU"),
        ("HOST_ENCRYPTED_ATTR", "VCENTER_PASSWORD"),
    ):
        assert one_of_them in CONF.settings.get_all(setting)
