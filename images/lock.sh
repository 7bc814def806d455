#!/usr/bin/env bash
# Writes images/*/requirements.txt from pyproject.toml; `--upgrade` takes newer versions, else the pins stay where they can.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .uv/bin/uv)
kfp=$(sed -nE 's/^ *"(kfp==[^"]+)".*/\1/p' pyproject.toml)

lock() { # lock LIST ARGUMENT...: the platform is the images', whatever machine this runs on
    "$uv" pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
        --python-platform x86_64-manylinux_2_28 --output-file "$@" > /dev/null
}

lock images/torch/requirements.txt pyproject.toml --extra torch "$@"
# Both images read each other's files: one version of every library that they share.
lock images/data/requirements.txt pyproject.toml --constraints images/torch/requirements.txt "$@"

alone=$(mktemp)
trap 'rm -f "$alone"' EXIT
# kfp stands alone: at run time its executor needs none of its dependencies (Kubernetes and cloud clients).
lock "$alone" --no-deps --no-annotate - "$@" <<< "$kfp"
for image in data torch; do
    cat "$alone" >> "images/$image/requirements.txt"
done
