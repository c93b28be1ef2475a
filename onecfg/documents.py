"""Opening a text in its format."""

from __future__ import annotations

from onecfg.document import Document
from onecfg.errors import OnecfgError

FORMATS = ("oned", "shell", "yaml", "yaml-strict", "simple")


def parse(text: str, format_name: str) -> Document:
    """The document of a text; ``format_name`` is one of FORMATS. Raises ParseError naming the line."""
    # A reader is loaded when it is needed: the YAML library alone costs more than the rest of the command.
    if format_name == "oned":
        from onecfg.oned import OnedDocument

        return OnedDocument(text)
    if format_name == "shell":
        from onecfg.shell import ShellDocument

        return ShellDocument(text)
    if format_name in ("yaml", "yaml-strict"):
        from onecfg.yaml_file import StrictYamlDocument, YamlDocument

        return YamlDocument(text) if format_name == "yaml" else StrictYamlDocument(text)
    if format_name == "simple":
        from onecfg.simple import SimpleDocument

        return SimpleDocument(text)
    raise OnecfgError(f"format {format_name!r}: expected one of {', '.join(FORMATS)}")
