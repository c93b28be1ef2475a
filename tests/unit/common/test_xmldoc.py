"""Reading XML safely, without refusing text that only looks dangerous."""

from __future__ import annotations

import pytest

from services.common import xmldoc
from services.common.template import Template


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '\n<?xml version="1.0"?>\n<!-- x --><!DOCTYPE a><a/>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a x="&c;"/>',
        '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a +AFsAXQA+-+ADw-a/+AD4-',
        "\ufeff<!DOCTYPE a><a/>",
    ],
)
def test_document_types_are_refused(text: str) -> None:
    with pytest.raises(xmldoc.XmlError):
        xmldoc.parse(text)


@pytest.mark.parametrize(
    "value", ["<!DOCTYPE html><p>", '<!ENTITY a "b">', "]]>", "&lt;", "\x00\x1fa", "<?php ?>"]
)
def test_values_may_say_anything(value: str) -> None:
    """A value that looks like a document type must not make its document unreadable."""
    document = Template([("NOTE", value)]).to_xml()
    assert Template.parse(document).get("NOTE") == xmldoc.clean(value)


def test_errors_say_where() -> None:
    with pytest.raises(xmldoc.XmlError, match="template: not well-formed at line 2"):
        xmldoc.parse("<a>\n<b></a>", "template")
