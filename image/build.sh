#!/bin/sh
# Build the image from this tree, or leave it when it was built from the same tree before.
#
# usage: image/build.sh [--engine docker|podman] [--tag NAME] [--base IMAGE] [--version TEXT] [--force]
#
# The build context is a copy of the tree plus what the build stage needs from this machine (CA bundle, pip
# index); see image/host/README.md.
set -eu

engine=docker
tag=onebox:latest
base=
version=
force=no
here=$(cd "$(dirname "$0")/.." && pwd)
label=io.onebox.context

while [ $# -gt 0 ]; do
    case $1 in
        --engine) engine=${2:?--engine needs docker or podman}; shift 2 ;;
        --tag) tag=${2:?--tag needs a name}; shift 2 ;;
        --base) base=${2:?--base needs an image}; shift 2 ;;
        --version) version=${2:?--version needs a text}; shift 2 ;;
        --force) force=yes; shift ;;
        *) echo "image/build.sh: unknown argument: $1" >&2; exit 2 ;;
    esac
done

say() { echo "image: $*" >&2; }

cd "$here"
parts="Containerfile .dockerignore image bootstrap onecfg services share bin"
locks="requirements.lock requirements-mysql.lock"
for part in $parts $locks; do
    [ -e "$part" ] || { say "$here/$part is missing: not a complete checkout"; exit 1; }
done
if [ -z "$version" ]; then
    version=$(sed -n 's/^version *= *"\(.*\)"/\1/p' pyproject.toml 2>/dev/null | head -n 1)
    version=${version:-0}
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
# shellcheck disable=SC2086  # lists of names without spaces
tar --exclude=__pycache__ --exclude='*.pyc' --exclude='*.swp' -cf - $parts $locks | tar -xf - -C "$context"

# The same tree gives the same digest wherever it was cloned: names, contents and the executable bit.
digest=$(cd "$context" && {
    echo "version $version base $base"
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    find . -type f -perm -u+x -print | LC_ALL=C sort
    find . -type l -printf '%p %l\n' | LC_ALL=C sort
} | sha256sum | cut -d' ' -f1)

present=$("$engine" image inspect --format "{{index .Config.Labels \"$label\"}}" "$tag" 2>/dev/null || true)
if [ "$force" = no ] && [ "$present" = "$digest" ]; then
    say "$tag is up to date"
    exit 0
fi

if [ -z "$base" ]; then base=$(image/base/build.sh --engine "$engine" | tail -n 1); fi

bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
if [ -r "$bundle" ]; then cp -L "$bundle" "$context/image/host/ca-certificates.crt"; fi
# Only an index that a container can reach: directories of this machine mean nothing there.
{
    echo "[global]"
    python3 -m pip config list 2>/dev/null | sed -n "s/^[^.]*\.\(index-url\|extra-index-url\|trusted-host\)='\(.*\)'$/\1 = \2/p" |
        sed '/^:env:/d; / file:/d'
    if [ -n "${PIP_INDEX_URL:-}" ]; then echo "index-url = $PIP_INDEX_URL"; fi
} > "$context/image/host/pip.conf"

# Proxies are arguments every builder knows: they reach the build's commands and stay out of the image and its history.
set --
for name in http_proxy https_proxy no_proxy; do
    eval "value=\${$name:-}"
    if [ -n "$value" ]; then set -- "$@" --build-arg "$name"; fi
done
if [ "$engine" = podman ]; then set -- "$@" --format docker; fi

before=$("$engine" image inspect --format '{{.Id}}' "$tag" 2>/dev/null || true)
say "building $tag from $base"
started_s=$(date +%s)
# The classic builder is enough, and is there without a plugin.
DOCKER_BUILDKIT=0 "$engine" build "$@" --file "$context/Containerfile" --tag "$tag" --build-arg "BASE_IMAGE=$base" \
    --build-arg "VERSION=$version" --label "org.opencontainers.image.created=$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    --label "$label=$digest" --label "org.opencontainers.image.version=$version" "$context" >&2
# The image that had the tag would stay as a nameless one.
if [ -n "$before" ] && [ "$("$engine" image inspect --format '{{len .RepoTags}}' "$before" 2>/dev/null)" = 0 ]; then
    "$engine" rmi "$before" >/dev/null 2>&1 || true
fi
size_mb=$(($("$engine" image inspect --format '{{.Size}}' "$tag") / 1000000))
say "built $tag in $(($(date +%s) - started_s)) s, $size_mb MB"
