"""How clusters are listed and shown."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from services.cli import kinds
from services.cli.documents import ids_of, number_of, text_of
from services.cli.listing import ListView
from services.cli.table import Column
from services.cli.views.common import Page, counted, plain

LIST = ListView(
    kinds.CLUSTER,
    [
        Column("ID", "number of the cluster", 4, plain("ID"), adjust=True),
        Column("NAME", "its name", 15, plain("NAME"), left=True, expand=-1),
        Column("HOSTS", "number of its hosts", 10, counted("HOSTS")),
        Column("VNETS", "number of its networks", 10, counted("VNETS")),
        Column("DATASTORES", "number of its datastores", 10, counted("DATASTORES")),
    ],
    "ID NAME HOSTS VNETS DATASTORES",
)


def show(cluster: Element, inv: Any) -> list[str]:
    """The lines of ``onecluster show``."""
    page = Page(inv, 18)
    page.head(f"CLUSTER {text_of(cluster, 'ID')} INFORMATION")
    page.field("ID", text_of(cluster, "ID"))
    page.field("NAME", text_of(cluster, "NAME"))
    page.blank()
    page.head("CLUSTER RESOURCES")
    hosts = set(ids_of(cluster, "HOSTS"))
    if hosts:
        page.add(_resources(hosts, inv))
    page.blank()
    page.template("CLUSTER TEMPLATE", cluster.find("TEMPLATE"))
    for tag in ("HOSTS", "VNETS", "DATASTORES"):
        page.blank()
        page.id_list(tag, cluster, tag)
    return page.lines


def _resources(ids: set[str], inv: Any) -> list[str]:
    """CPUs and memory (GB) of the hosts, in all and given to machines."""
    shares: list[Element] = []

    def use(host: Element) -> None:
        share = host.find("HOST_SHARE")
        if host.findtext("ID") in ids and share is not None:
            shares.append(share)

    inv.visit(kinds.HOST, use)
    lines = []
    for name, total_tag, used_tag, unit in (
        ("CPUs", "TOTAL_CPU", "CPU_USAGE", 100),
        ("RAM", "TOTAL_MEM", "MEM_USAGE", 1024 * 1024),
    ):
        total = sum(number_of(share, total_tag) // unit for share in shares)
        used = sum(number_of(share, used_tag) // unit for share in shares)
        lines += [
            f"TOTAL {name}: {total}",
            f"OCCUPIED {name}: {used}",
            f"AVAILABLE {name}: {total - used}",
            "",
        ]
    return lines[:-1]
