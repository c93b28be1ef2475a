"""The downloader: reads an image from a file or an address for drivers of others, checked and decompressed.

Source: options of the downloader of release 6.0.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

import driver
import ds_copy
import ds_format
import ds_settings
import ds_store
from driver import DriverError
from ds_decompress import Source
from ds_places import Places
from ds_source import open_source, scheme
from ds_ssh import SshSource


def main(argv: Sequence[str]) -> None:
    """Copy FROM to TO ('-': standard output). Raises DriverError; no file is left then."""
    options = _options(argv)
    signal.signal(signal.SIGTERM, _end)
    sums = {name: getattr(options, name.lower()) or "" for name in ds_copy.CHECKSUMS}
    if options.max_size is not None and any(sums.values()):
        raise DriverError("a checksum cannot be compared with --max-size: only a part is read")
    source = ds_copy.Metered(_source(options), sums, "downloader")
    try:
        body, _ = ds_copy.content(source, keeps_compressed=options.nodecomp)
        if options.max_size is not None:
            body = _First(body, options.max_size)
        if options.target == "-":
            _print(body)
            source.verify()
        else:
            _store(body, source, options)
    finally:
        source.close()


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="downloader", description="Copy an image from a file or an address."
    )
    parser.add_argument("-m", "--md5")
    parser.add_argument("-s", "--sha1")
    parser.add_argument("--sha256")
    parser.add_argument("--sha512")
    parser.add_argument("-n", "--nodecomp", action="store_true", help="do not decompress")
    parser.add_argument("-l", "--limit", default="", help="bytes per second, with k, m or g")
    parser.add_argument("-c", "--max-size", type=int, help="stop after so many bytes")
    parser.add_argument("--convert", choices=("raw", "qcow2"), help="the format to bring the image to")
    parser.add_argument("source", help="a path, or an address: http, https, file, data, ssh")
    parser.add_argument("target", help="a path, or - for standard output")
    options = parser.parse_args(argv)
    if options.convert and options.target == "-":
        raise DriverError("--convert needs a file to write to, not standard output")
    return options


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(143)


def _source(options: argparse.Namespace) -> Source:
    rate = ds_settings.rate_bytes_s(options.limit)
    if scheme(options.source) == "ssh":
        return SshSource(options.source)
    path = options.source if scheme(options.source) else os.path.abspath(options.source)
    # Whoever calls has decided that it may be read; the actions of the fs driver do so by SAFE_DIRS.
    return open_source(path, Places(("/",), ()), rate_bytes_s=rate)


class _First:
    """The first bytes of a source."""

    def __init__(self, source: Source, size: int) -> None:
        self.label, self.size_bytes = source.label, source.size_bytes
        self._source, self._left = source, size

    def read(self, size: int) -> bytes:
        """See Source."""
        if self._left <= 0:
            return b""
        part = self._source.read(min(size, self._left))
        self._left -= len(part)
        return part

    def close(self) -> None:
        """See Source."""
        self._source.close()


def _print(body: Source) -> None:
    try:
        while part := body.read(ds_format.MB):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise DriverError("standard output was closed before the end") from None


def _store(body: Source, source: ds_copy.Metered, options: argparse.Namespace) -> None:
    target = os.path.abspath(options.target)
    part = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.part")
    ds_store.remove(part)
    try:
        ds_copy.write(body, part)
        source.verify()
        if options.convert:
            found = ds_format.of_file(part, source.label).name
            if found != options.convert:
                ds_format.convert(part, found, options.convert, part + ".tmp", source.label)
                os.replace(part + ".tmp", part)
        ds_store.finish(part, target)
    finally:
        ds_store.remove(part)
        ds_store.remove(part + ".tmp")


def run() -> None:
    """The program."""
    driver.main(main)
