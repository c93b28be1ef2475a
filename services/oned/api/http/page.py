"""The readable page of the interface: one HTML text that needs nothing from elsewhere."""

from __future__ import annotations

from html import escape

from services.oned.api.http import problems, values
from services.oned.api.http.routes import Route
from services.oned.api.registry import KINDS, REQUIRED, Param

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1d2530}
h1{margin-bottom:0}h2{margin-top:2.2rem;border-bottom:1px solid #d5dbe2}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem}
tr:nth-child(even){background:#f5f7f9}code,pre{font:13px/1.5 ui-monospace,monospace}
pre{background:#f5f7f9;padding:.8rem;overflow:auto}td:first-child{font-weight:600;white-space:nowrap}
nav a{margin-right:.8rem;white-space:nowrap}.o{color:#66707c}
@media(prefers-color-scheme:dark){body{background:#14181d;color:#d8dee6}a{color:#7db4ff}
tr:nth-child(even),pre{background:#1c2229}h2{border-color:#333b45}.o{color:#909aa6}}
"""
_INTRO = """
<p>The methods of the XML-RPC interface as JSON over HTTP: the same users, rights, ids and error codes.
For programs: <a href="{prefix}/openapi.json">openapi.json</a>.</p>
<pre>
API=http://localhost:2633{prefix} JSON="Content-Type: application/json"
curl -u alice:secret "$API/vms?size=50"
curl -H "Authorization: Bearer alice:$TOKEN" $API/vms/7
curl -u alice:secret -H "$JSON" -d '{{"template": {{"CPU": 1, "MEMORY": 512}}, "hold": true}}' $API/vms
curl -u alice:secret -H "Content-Type: text/plain" --data-binary @web.tmpl "$API/vms?hold=true"
curl -u alice:secret -H "$JSON" -d '{{"host_id": 3}}' $API/vms/7/actions/deploy
curl -u alice:secret -H "$JSON" -d '[7]' $API/methods/one.vm.info
</pre>
<h2>How it works</h2>
<ul>
<li><b>Authentication</b>: HTTP Basic with user and password or login token, or <code>Authorization:
Bearer user:token</code>. Pages of other sites are refused.</li>
<li><b>Bodies</b> are JSON objects of the arguments below; <code>…/template</code> and
<code>…/quotas</code> take the attributes themselves. A template is an object or OpenNebula text; as
<code>text/plain</code> it may be the body of its own, with the other arguments in the query.</li>
<li><b>Answers</b>: a document, <code>{{"items": […], "next_offset": n}}</code> for a list, or
<code>{{"result": value}}</code>. Names are OpenNebula's, lists are always lists, whole numbers are numbers
(null when empty), attributes of templates are texts. <code>Accept: application/xml</code> gives documents
in XML.</li>
<li><b>Lists</b> take <code>size</code> and <code>offset</code>, and where <code>filter</code> is named:
<code>all</code>, <code>mine</code>, <code>mine-and-groups</code>, <code>group</code> or a user's id.</li>
<li><b>Every method</b> is also <code>POST {prefix}/methods/&lt;name&gt;</code>, with its arguments as a
list or by name.</li>
<li><b>Refusals</b> are <code>application/problem+json</code> with the code of the XML-RPC interface:</li>
</ul>
"""


def html(routes: dict[str, dict[str, Route]], prefix: str) -> str:
    """The page."""
    groups: dict[str, list[Route]] = {}
    for path in sorted(routes):
        groups.setdefault(path.split("/")[1], []).extend(routes[path].values())
    links = "".join(f'<a href="#{name}">{name}</a>' for name in groups)
    sections = "".join(_section(name, members) for name, members in groups.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Onebox API</title><style>{_STYLE}</style></head><body><h1>Onebox API</h1>"
        f"{_INTRO.format(prefix=prefix)}{_codes()}<h2>Resources</h2><nav>{links}</nav>{sections}</body></html>\n"
    )


def _codes() -> str:
    rows = "".join(
        f"<tr><td>{int(status)}</td><td><code>0x{int(code):04X}</code></td><td>{code.name}</td></tr>"
        for code, status in problems.STATUS.items()
    )
    return f"<table><tr><th>status</th><th>code</th><th>name</th></tr>{rows}</table>"


def _section(name: str, routes: list[Route]) -> str:
    rows = "".join(_row(route) for route in routes)
    return (
        f'<h2 id="{name}">{name}</h2><table><tr><th></th><th>path</th><th>arguments</th><th>what it does</th>'
        f"<th>method</th></tr>{rows}</table>"
    )


def _row(route: Route) -> str:
    shown = [_argument(param, route) for param in route.params]
    if route.is_list:
        shown += [f'<span class="o">{name}</span>' for name in ("size", "offset")]
        if route.is_paged:
            shown.append('<span class="o">filter</span>')
        if route.row.name == "one.vmpool.info":
            shown += [f'<span class="o">{name}</span>' for name in ("extended", "ids")]
    if route.body == "template":
        shown = ["the attributes"]
    return (
        f"<tr><td>{route.verb}</td><td><code>{escape(route.path)}</code></td><td>{', '.join(shown)}</td>"
        f"<td>{escape(route.row.doc.partition(chr(10))[0])}</td><td><code>{route.row.name}</code></td></tr>"
    )


def _argument(param: Param, route: Route) -> str:
    kind = "template" if values.is_template(param) else KINDS[param.kind][0]
    name = "filter" if param.name == "filter_flag" and route.body == "none" else param.name
    optional = param.default is not REQUIRED or param.name in route.defaults
    return f'<span class="o">{name}: {kind}</span>' if optional else f"{name}: {kind}"
