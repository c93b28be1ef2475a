"""Reading an image from a web server: redirects, proxies, a limit on speed, going on where it was cut off.

Proxies come from the environment (http_proxy, https_proxy, no_proxy), certificates are checked unless
etc/datastore/datastore.conf says VERIFY_TLS=no. Passwords in addresses never appear in messages.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

import ds_settings
from driver import DriverError

_ATTEMPTS = 5  # in a row without a single byte
_WAIT_S = (0, 1, 2, 4, 8)
_SILENCE_S = 60.0
_SILENCE_QUICK_S = 15.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_NO_WEB = "the server redirects to what is no web address"
_FAULTS = (OSError, http.client.HTTPException, ValueError)


class HttpSource:
    """What a web server sends for an address."""

    def __init__(self, url: str, *, rate_bytes_s: float = 0.0, is_quick: bool = False) -> None:
        self._url, self._login = _address(url)
        self.label = self._url
        self._rate_bytes_s = rate_bytes_s
        self._attempts = 1 if is_quick else _ATTEMPTS
        self._silence_s = _SILENCE_QUICK_S if is_quick else _SILENCE_S
        self._opener = _opener()
        self._at = 0
        self._started_at = time.monotonic()
        self._mark = ""  # of this version of the file, for If-Range
        self._reply = self._open()
        self.size_bytes: int | None = self._length()
        mark = self._reply.headers.get("ETag") or ""
        self._mark = (
            mark if mark and not mark.startswith("W/") else self._reply.headers.get("Last-Modified", "")
        )

    def _length(self) -> int | None:
        text = (self._reply.headers.get("Content-Length") or "").strip()
        return int(text) if text.isascii() and text.isdigit() else None

    def read(self, size: int) -> bytes:
        """See Source."""
        fault = "the connection ended early"
        for attempt in range(self._attempts):
            try:
                if attempt:
                    self._again(attempt)
                part = bytes(self._reply.read(size))
            except DriverError:
                raise
            except _FAULTS as error:
                fault = _reason(error)
                continue
            if part:
                self._at += len(part)
                self._pace()
                return part
            if self.size_bytes is None or self._at >= self.size_bytes:
                return b""
        raise DriverError(
            f"{self.label} was cut off after {self._at} of {self.size_bytes or '?'} bytes: {fault}"
        )

    def close(self) -> None:
        """See Source."""
        self._reply.close()

    def _again(self, attempt: int) -> None:
        """Ask for the rest of the same file. Raises DriverError when the server sends anything else."""
        self._reply.close()
        time.sleep(_WAIT_S[attempt])
        self._reply = self._open()
        if self._at == 0:
            return
        found = _RANGE.match(self._reply.headers.get("Content-Range") or "")
        if self._reply.status == 206 and found and int(found[1]) == self._at:
            if self.size_bytes is None or found[2] in ("*", str(self.size_bytes)):
                return
        raise DriverError(
            f"{self.label} was cut off after {self._at} bytes, "
            "and the server does not send the rest of the same file"
        )

    def _open(self) -> http.client.HTTPResponse:
        request = urllib.request.Request(
            self._url, headers={"User-Agent": "Onebox", "Accept-Encoding": "identity"}
        )
        if self._login:
            # Not for the servers that it may redirect to.
            request.add_unredirected_header("Authorization", f"Basic {self._login}")
        if self._at:
            request.add_header("Range", f"bytes={self._at}-")
            if self._mark:
                request.add_header("If-Range", self._mark)
        fault = ""
        for attempt in range(self._attempts):
            time.sleep(_WAIT_S[attempt])
            try:
                reply = self._opener.open(request, timeout=self._silence_s)
                assert isinstance(reply, http.client.HTTPResponse)
                return reply
            except urllib.error.HTTPError as error:
                error.close()
                fault = _reason(error)
                if error.code not in _PASSING:
                    break
            except _FAULTS as error:
                fault = _reason(error)
                if isinstance(error, (http.client.InvalidURL, ValueError)) or _is_refused(error):
                    break
        raise DriverError(f"{self.label} cannot be read: {fault}")

    def _pace(self) -> None:
        if self._rate_bytes_s:
            ahead_s = self._at / self._rate_bytes_s - (time.monotonic() - self._started_at)
            if ahead_s > 0:
                time.sleep(ahead_s)


def _address(url: str) -> tuple[str, str]:
    """The address without name and password, and these in base64. Raises DriverError."""
    shown = _hide(url)
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise DriverError(f"{shown!r} is no web address: blanks and line ends must be written as %20")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DriverError(f"{shown!r} is no web address: {error}") from None
    if not parts.hostname:
        raise DriverError(f"{shown!r} is no web address: it names no host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        raise DriverError(f"{shown!r} is no web address: its host cannot be a name") from None
    place = host if port is None else f"{host}:{port}"
    path = quote(parts.path or "/", safe="/%:=&?~#+!$,;'@()*[]")
    query = quote(parts.query, safe="/%:=&?~+!$,;'@()*[]")
    bare = urlunsplit(SplitResult(parts.scheme.lower(), place, path, query, ""))
    if parts.username is None:
        return bare, ""
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return bare, base64.b64encode(login.encode()).decode()


def _hide(url: str) -> str:
    """An address for messages: without what stands before the host, and not too long."""
    return re.sub(r"(?<=//)[^/?#]*@", "", url)[:200]


def _reason(error: BaseException) -> str:
    """Why something failed, in a few words and on one line."""
    if isinstance(error, urllib.error.HTTPError):
        text = f"the server answers {error.code} {error.reason}"
        if error.code in (301, 302, 303, 307, 308):
            is_elsewhere = "not allowed" in str(error.reason)
            text = _NO_WEB if is_elsewhere else "too many redirects, or in a loop"
    elif isinstance(error, urllib.error.URLError):
        return _reason(error.reason) if isinstance(error.reason, BaseException) else _line(str(error.reason))
    elif isinstance(error, TimeoutError):
        text = "no answer in time"
    elif isinstance(error, ssl.SSLCertVerificationError):
        text = f"its certificate is not trusted ({error.verify_message}), see VERIFY_TLS in datastore.conf"
    elif isinstance(error, http.client.IncompleteRead):
        text = "the connection ended early"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    else:
        text = str(error) or type(error).__name__
    return _line(text)


def _line(text: str) -> str:
    return _hide(" ".join(text.split()))


def _is_refused(error: BaseException) -> bool:
    """Whether trying again is of no use: the certificate, or a scheme that a redirect leads to."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return isinstance(reason, (str, ssl.SSLCertVerificationError))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to web servers only: no redirect leads to a file or another kind of server."""

    max_redirections = 10
    max_repeats = 2

    def redirect_request(  # type: ignore[no-untyped-def]
        self, req, fp, code, msg, headers, newurl
    ):
        if urlsplit(newurl).scheme.lower() not in ("http", "https"):
            raise urllib.error.URLError(_NO_WEB)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """What opens addresses: web servers alone, through the proxies of the environment."""
    context = ssl.create_default_context()
    if ds_settings.read("datastore/datastore.conf").get("VERIFY_TLS", "yes").lower() in ("no", "false", "0"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.OpenerDirector()
    proxies = {
        name: value
        for name, value in urllib.request.getproxies_environment().items()
        if name in ("http", "https")
    }
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
