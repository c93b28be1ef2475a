"""Answers of cluster, host, datastore and template methods fit OpenNebula's XSDs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.common import xmldoc
from services.common.template import Template
from services.oned.monitor.host import apply_host_report
from tests.support.core import Core

REPORT = Template.parse(
    "TOTALCPU=400\nTOTALMEMORY=4000\nFREECPU=300\nUSEDCPU=100\nFREEMEMORY=1\nUSEDMEMORY=3\nNETRX=1"
)
ANSWERS = [
    ("cluster.info", (0,), "cluster"),
    ("clusterpool.info", (), "cluster_pool"),
    ("host.info", (0,), "host"),
    ("hostpool.info", (), "host_pool"),
    ("datastore.info", (1,), "datastore"),
    ("datastorepool.info", (), "datastore_pool"),
    ("template.info", (0,), "vmtemplate"),
    ("templatepool.info", (-2, -1, -1), "vmtemplate_pool"),
]


@pytest.fixture(scope="module")
def schemas(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The XSDs in a form that libxml2 accepts.

    It refuses "any element, VCENTER_... elements, any element" as ambiguous; "any element" means the same.
    """
    folder = tmp_path_factory.mktemp("xsd")
    for schema in (shared_folder / "spec/xsd").glob("*.xsd"):
        text = re.sub(r'<xs:element name="VCENTER_[^>]*/>', "", schema.read_text())
        text = re.sub(r"(<xs:any [^>]*/>)\s*<xs:any [^>]*/>", r"\1", text)
        (folder / schema.name).write_text(text)
    return folder


@pytest.mark.parametrize(("method", "args", "schema"), ANSWERS, ids=[answer[0] for answer in ANSWERS])
def test_answers_fit(core: Core, schemas: Path, method: str, args: tuple[int, ...], schema: str) -> None:
    core.call("host.allocate", "n1", "dummy", "dummy", 0)
    core.call("host.allocate", "n2", "dummy", "dummy", 0)
    core.store.run(lambda tx: apply_host_report(tx, 0, True, REPORT, "", 1000))
    core.call("template.allocate", "NAME=t\nCPU=1\nMEMORY=1\nDISK=[SIZE=1]")
    core.call("template.lock", 0, 1)
    checker = xmldoc.etree.XMLSchema(xmldoc.etree.parse(str(schemas / f"{schema}.xsd")))
    text = core.call(method, *args)
    checker.assertValid(
        xmldoc.etree.fromstring(
            re.sub(r"<(\w+)", r'<\1 xmlns="http://opennebula.org/XMLSchema"', text, count=1)
        )
    )
