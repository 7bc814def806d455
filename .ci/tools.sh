#!/usr/bin/env bash
# Builds what some tests need (a Kubernetes API server: about 5 minutes once on 2 idle cores; an S3 server: one minute) into the cache
# of this machine's user, so that these minutes do not count as the tests'. Without Go nothing is built, and those tests say "Go: ...".
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v go > /dev/null && [ -x tests/manifests/kube-api ]; then
    tools="${XDG_CACHE_HOME:-$HOME/.cache}/patina-tools"
    tests/manifests/kube-api build "$tools"
    # The version that the object store was tried with.
    [ -x "$tools/bin/versitygw" ] || GOBIN="$tools/bin" go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
fi
