#!/bin/sh
# downloader.sh [OPTIONS] FROM TO: the downloader, under the name that drivers of others know.
exec "${0%/*}/downloader" "$@"
