"""What probes print is template text, whatever names there are; settings that cannot be read are refused."""

from __future__ import annotations

import im_text
import pytest
from driver import DriverError

from services.common.template import Template


@pytest.mark.parametrize(
    "value", ['a"b', "a\\", 'a\\"', "a]b", "a,b=c", "a\nX=1", "$(x); `y`", "ü", "", "-x"], ids=repr
)
def test_any_value_is_one_value(value: str) -> None:
    """Read by the front-end's own parser, nothing of a value becomes another attribute."""
    text = im_text.vector("VM", {"A": value, "B": "2"}) + im_text.line("C", value) + im_text.line("D", "3")
    found = Template.parse(text)
    vector = found.vectors("VM")[0]
    assert sorted(vector) == ["A", "B"] and vector["B"] == "2"
    assert [name for name, _ in found] == ["VM", "C", "D"]
    assert found.get("D") == "3"


def test_numbers_are_bare() -> None:
    """As monitord's fast path likes them; a number with a unit is text."""
    assert im_text.line("A", 12) == "A=12\n"
    assert im_text.line("A", "12 M") == 'A="12 M"\n'


def test_yaml_forms() -> None:
    """All forms that pci.conf documents."""
    lists = "# no\n:filter:\n  - '10de:*'  # all\n  - \"8086::0c03\"\n:short_address: []\n"
    text = lists + ":device_name: ['a b', c]\n:x: 5 # five\n"
    assert im_text.yaml_settings(text, "pci.conf") == {
        "filter": ["10de:*", "8086::0c03"],
        "short_address": [],
        "device_name": ["a b", "c"],
        "x": "5",
    }


@pytest.mark.parametrize("text", ["- a", ":a: [b", ":a: 'b", "nonsense", ":a: b\n- c"])
def test_other_yaml_is_refused(text: str) -> None:
    """With the file and the line."""
    with pytest.raises(DriverError, match=r"pci.conf, line \d+: expected"):
        im_text.yaml_settings(text, "pci.conf")


def test_shell_settings() -> None:
    """kvmrc: the last one holds, comments do not."""
    text = (
        '#LIBVIRT_URI=no\nexport LIBVIRT_URI=qemu:///system\nLIBVIRT_URI="qemu:///session" # why\nOTHER=\'x'
    )
    assert im_text.shell_setting(text, "LIBVIRT_URI") == "qemu:///session"
    assert im_text.shell_setting(text, "NONE") == ""
