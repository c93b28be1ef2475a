#!/bin/sh
# Name a Debian base image on the last line of standard output, making one when there is none.
#
# usage: image/base/build.sh [--engine docker|podman]
#
# Order: an image that is already here, a pull, mmdebstrap with the machine's own Debian mirror.
set -eu

suite=bookworm
wanted=debian:$suite-slim
made=onebox-base:$suite
engine=docker
pull_timeout_s=${ONEBOX_PULL_TIMEOUT_S:-60}

while [ $# -gt 0 ]; do
    case $1 in
        --engine) engine=${2:?--engine needs docker or podman}; shift 2 ;;
        *) echo "image/base/build.sh: unknown argument: $1" >&2; exit 2 ;;
    esac
done

say() { echo "base: $*" >&2; }
have() { "$engine" image inspect "$1" >/dev/null 2>&1; }

# The Debian sources of this machine, when it runs the same release: a site's mirror is used without being named here.
host_sources() {
    [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = "$suite" ] || return 0
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.list /etc/apt/sources.list.d/debian.sources; do
        if [ -s "$file" ] && grep -q "$suite" "$file"; then echo "$file"; fi
    done
}

if have "$wanted"; then
    say "using the local image $wanted"
    echo "$wanted"
    exit 0
fi
if have "$made"; then
    say "using the local image $made"
    echo "$made"
    exit 0
fi
if timeout "$pull_timeout_s" "$engine" pull -q "$wanted" >/dev/null 2>&1; then
    say "pulled $wanted"
    echo "$wanted"
    exit 0
fi

if ! command -v mmdebstrap >/dev/null; then
    say "$wanted is not here and cannot be pulled; to make a base image instead: apt-get install mmdebstrap"
    exit 1
fi
say "$wanted is not here and cannot be pulled: making $made with mmdebstrap"

# apt reads proxies from the environment; those set only in apt's configuration are handed over this way, so that they
# stay out of the image.
proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy 2>/dev/null || true)
if [ -n "$proxy" ] && [ -z "${http_proxy:-}" ]; then export http_proxy="$proxy"; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The image keeps the sources that it was made from: the machine's Debian mirror, else mmdebstrap's default.
# The dpkg options stay in the image as those of Debian's own slim images do: later packages come without manuals too.
# shellcheck disable=SC2046  # a list of file names without spaces
mmdebstrap --quiet --variant=minbase \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/groff/*' \
    --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-include=/usr/share/locale/locale.alias' \
    --customize-hook='rm -f "$1"/etc/hostname "$1"/etc/resolv.conf' \
    "$suite" "$work/base.tar" $(host_sources) >&2
"$engine" import "$work/base.tar" "$made" >/dev/null
say "made $made"
echo "$made"
