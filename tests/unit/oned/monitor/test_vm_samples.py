"""Samples of VMs: reading what agents measure, and the documents made of it."""

from __future__ import annotations

import base64
import time

import pytest

from services.common import xmldoc
from services.common.template import Template, TemplateError
from services.oned.monitor.vm_samples import entries, measured, merged, sample

TEXT = (
    'TIMESTAMP=17\nCPU=1.5\nMEMORY="2048"\nDISK_SIZE=[ID="0",SIZE="20"]\nDISK_SIZE = [ ID = 1, SIZE = 30 ]\n'
)


def monitor(vm_id: int, text: str, **more: str) -> str:
    parts = {"ID": str(vm_id), "MONITOR": base64.b64encode(text.encode()).decode(), **more}
    return "VM = [ " + ", ".join(f'{name}="{value}"' for name, value in parts.items()) + " ]\n"


@pytest.mark.parametrize(
    "text",
    [
        *(TEXT, "", "\n\n", "A=1", "A=1\n\n  B=2", 'A=""\nB=[C="",D=1]', "A=1 # c\nB=2\n", "a=1\nB=x\n"),
        *('A="two\nlines"\n', 'A="q\\"q"\n', 'A="<b>&amp;"\n', "XMLNS=1\n", 'A=[B="]"]\n', "A=[B=1,B=2]\n"),
    ],
)
def test_the_short_way_reads_what_the_long_one_does(text: str) -> None:
    assert Template(entries(text)) == Template.parse(text)


@pytest.mark.parametrize("text", ["A", "A=[", "A=[B]", "<x>", "VM=[ID=1"])
def test_what_is_no_template(text: str) -> None:
    with pytest.raises(TemplateError):
        entries(text)


@pytest.mark.parametrize("part", ["A=1,", '"', "[", "=", " ", "\n ", "A=[B=1", "A =", 'A="'])
def test_hostile_texts_take_no_time_to_refuse(part: str) -> None:
    """A text that is read again from each of its places would take hours."""
    started = time.process_time()
    try:
        entries(part * (60_000 // len(part)))
    except TemplateError:
        pass
    assert time.process_time() - started < 30


def test_machines_of_a_report() -> None:
    text = (
        monitor(3, TEXT, UUID="u") + monitor(-1, "CPU=1\n", DEPLOY_ID="wild") + monitor(4, "") + "VM=[ID=5]\n"
    )
    found = measured(text)
    assert [(vm_id, deploy_id) for vm_id, deploy_id, _ in found] == [(3, ""), (None, "wild")]
    assert dict(found[0].values)["MEMORY"] == "2048"


@pytest.mark.parametrize("broken", ["CPU=", "=1", "[", "\xff"])
def test_one_broken_machine_does_not_hide_the_others(broken: str) -> None:
    found = measured(monitor(1, f"A=[{broken}") + 'VM=[ID="2",MONITOR="%%%"]\n' + monitor(3, "CPU=1"))
    assert [vm_id for vm_id, _, _ in found] == [3]


def test_the_document_is_openNebulas() -> None:
    assert sample(7, 99, [("MEMORY", "5"), ("TIMESTAMP", "1"), ("DISK_SIZE", {"SIZE": "2", "ID": "0"})]) == (
        "<MONITORING><DISK_SIZE><ID><![CDATA[0]]></ID><SIZE><![CDATA[2]]></SIZE></DISK_SIZE>"
        "<ID><![CDATA[7]]></ID><MEMORY><![CDATA[5]]></MEMORY><TIMESTAMP><![CDATA[99]]></TIMESTAMP></MONITORING>"
    )


def test_hostile_values_stay_values() -> None:
    text = sample(1, 2, entries('A="]]></A></MONITORING><X>"\nB="\x01&lt;"\n'))
    root = xmldoc.parse(text)
    assert [child.tag for child in root] == ["A", "B", "ID", "TIMESTAMP"]
    assert root.findtext("A") == "]]></A></MONITORING><X>"


def test_what_is_not_said_again_is_carried_over() -> None:
    before = sample(1, 10, entries(TEXT + 'NOTE="<CPU> ]]> </NOTE>"\n'))
    values = merged(entries("CPU=9\n"), before)
    after = Template.from_element(xmldoc.parse(sample(1, 20, values)))
    assert (after.get("CPU"), after.get("MEMORY"), after.get("TIMESTAMP")) == ("9", "2048", "20")
    assert [vector["ID"] for vector in after.vectors("DISK_SIZE")] == ["0", "1"]
    assert after.get("NOTE") == "<CPU> ]]> </NOTE>"
    assert merged(entries(TEXT), before)[: len(entries(TEXT))] == entries(TEXT)
