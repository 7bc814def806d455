#!/usr/bin/env bash
# Builds the images, each with a list of what is in it (images/*/sbom.cdx.json, CycloneDX); with --push also images/digests.json.
# usage: images/build.sh [--registry R] [--push] [--base IMAGE] [--ca BUNDLE] [--no-cache] [data|torch ...]
#   --registry R   host and path, for instance registry.example.org/patina: the images are R/data and R/torch, too
#   --push         pushes them there and writes the digests that the registry knows them by
#   --base IMAGE   another base: any Debian-like image with Python 3.11 and its venv module
#   --ca BUNDLE    certificates of an institution's proxy; the build then uses this machine's network
# DOCKER names another client than the first `docker` of the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
uv=$(command -v uv || echo .uv/bin/uv)
export DOCKER_BUILDKIT=1

fail() { echo "build.sh: $1" >&2; exit 2; }

registry='' push='' options=() images=()
while [ $# -gt 0 ]; do
    case $1 in
        --push) push=yes; shift; continue ;;
        --no-cache) options+=(--no-cache); shift; continue ;;
        data | torch) images+=("$1"); shift; continue ;;
        --registry | --base | --ca) [ $# -gt 1 ] || fail "$1 needs a value. See the head of this file." ;;
        *) fail "unknown argument '$1'. See the head of this file." ;;
    esac
    case $1 in
        --registry) registry=$2 ;;
        --base) options+=(--build-arg "BASE_IMAGE=$2") ;;
        --ca) [ -s "$2" ] || fail "--ca: no certificates in $2."; options+=(--network host --secret "id=ca,src=$2") ;;
    esac
    shift 2
done
[ ${#images[@]} -gt 0 ] || images=(data torch)
[ -z "$push" ] || [ -n "$registry" ] || fail "--push needs --registry, the host and path to push to."
"$docker" version > /dev/null || fail "no Docker engine answers. Start one, or say by DOCKER_HOST where it is."

revision=$(git describe --always --abbrev=40 --dirty 2> /dev/null || echo unknown)

# The name in the components: `patina run --engine docker` finds the image by it.
reference() { sed -nE "s|^[A-Z]+ = \"(.*/$1:.*)\"\$|\1|p" components/patina/core/containers.py; }

for image in "${images[@]}"; do
    name=$(reference "$image")
    rm -rf "images/$image/dist"
    "$uv" build --quiet --wheel --out-dir "images/$image/dist" .
    "$docker" build --quiet --tag "$name" --build-arg "VERSION=${name##*:}" --build-arg "REVISION=$revision" \
        ${options[@]+"${options[@]}"} "images/$image" > /dev/null
    # Written beside and renamed: a broken build leaves no half list.
    "$docker" run --rm --network none --interactive "$name" python3 - < images/contents.py > "images/$image/sbom.tmp"
    "$uv" run --quiet --no-project --script images/sbom.py "$name" < "images/$image/sbom.tmp" > "images/$image/sbom.cdx.tmp"
    mv "images/$image/sbom.cdx.tmp" "images/$image/sbom.cdx.json"
    rm "images/$image/sbom.tmp"
    echo "$name $("$docker" image inspect --format '{{.Id}} {{.Size}} bytes' "$name")"
    [ -z "$registry" ] || "$docker" tag "$name" "$registry/$image:${name##*:}"
    [ -z "$push" ] || "$docker" push --quiet "$registry/$image:${name##*:}"
done
[ -n "$push" ] || exit 0

# An image has a digest in a registry only after a push; a local id is another number, and a cluster that is given one pulls nothing.
lines=()
for image in data torch; do
    name=$(reference "$image")
    digest=$("$docker" image inspect --format '{{join .RepoDigests "\n"}}' "$name" 2> /dev/null | sed -n "s|^${registry#docker.io/}/$image@||p" | head -n 1)
    [ -z "$digest" ] || lines+=("\"$image\": \"$digest\"")
done
(IFS=,; echo "{${lines[*]}}") > images/digests.tmp
mv images/digests.tmp images/digests.json
cat images/digests.json
