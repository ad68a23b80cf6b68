#!/usr/bin/env bash
# Writes the lock files anew from pyproject.toml. Needs uv (pip install uv). Arguments go to uv, for example --upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() { # file, then what goes into it
  local file=$1
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --output-file "$file" "$@" >/dev/null
}

lock requirements.txt pyproject.toml --group build "$@"
lock requirements-dev.txt pyproject.toml --group dev --constraint requirements.txt "$@"
lock requirements-client16.txt --group client16 "$@"

if grep -nE '^-|://|@ ' requirements*.txt; then
  echo "A lock names where packages come from: see the lines above." >&2
  exit 1
fi
