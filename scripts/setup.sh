# Shared by ./run and ./test, which source it with the repository as the working directory.
# Every step is remembered by a stamp of what it was made from, so that a second start does nothing.
# shellcheck shell=bash

python=.venv/bin/python

say() { printf '· %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

quietly() { # a command whose output is shown only when it fails
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [ "$status" -eq 0 ] || tail -n 40 "$log" >&2
  rm -f "$log"
  return "$status"
}

stamp_of() { cat -- "$@" | sha256sum | cut -d' ' -f1; }

is_current() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; } # stamp file, wanted stamp

system_packages() { # Debian packages, as root or through sudo; says what to do where neither works
  local root=()
  [ "$(id -u)" -eq 0 ] || root=(sudo -n)
  say "installing $* (system packages)"
  if ! command -v apt-get >/dev/null || ! quietly "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq ||
    ! quietly "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; then
    fail "could not install $* from here. Install it as an administrator (apt-get install $*), then start again."
  fi
}

find_python() { # prints the first Python 3.11 or newer that really starts
  local candidate
  for candidate in python3.13 python3.12 python3.11 python3.14 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

make_venv() {
  # A virtual environment holds absolute paths: one that was copied or moved is made again.
  if is_current .venv/.made-in "$PWD" && "$python" -m pip --version >/dev/null 2>&1; then return; fi
  local found
  found=$(find_python) || fail "Knownas needs Python 3.11 or newer, and none was found on PATH (apt-get install python3 python3-venv)."
  # Debian ships the parts that make environments in a package of their own, for each version.
  "$found" -c 'import ensurepip, venv' >/dev/null 2>&1 || system_packages "$(basename "${found/%python/python3}")-venv"
  say "making .venv with $("$found" --version)"
  rm -rf .venv
  quietly "$found" -m venv .venv || fail "$found could not make a virtual environment; its words are above."
  printf '%s' "$PWD" >.venv/.made-in
}

pip_install() { quietly "$python" -m pip install --quiet --no-input --disable-pip-version-check "$@"; }

install_lock() { # lock file
  local stamp
  stamp=$(stamp_of "$1")
  if is_current ".venv/.from-$1" "$stamp"; then return; fi
  say "installing Python packages ($1)"
  pip_install --require-hashes -r "$1" || fail "could not install $1; pip's words are above."
  printf '%s' "$stamp" >".venv/.from-$1"
}

install_knownas() {
  local stamp
  stamp=$(stamp_of pyproject.toml)
  if is_current .venv/.knownas "$stamp"; then return; fi
  pip_install --editable . --no-deps --no-build-isolation || fail "could not install Knownas itself; pip's words are above."
  printf '%s' "$stamp" >.venv/.knownas
}

install_client16() { # the older official client, beside the newer one of the same name
  local stamp
  stamp=$(stamp_of requirements-client16.txt)
  if is_current .tools/client16/.stamp "$stamp"; then return; fi
  say "installing the older official client (requirements-client16.txt)"
  rm -rf .tools/client16
  pip_install --require-hashes --target .tools/client16 -r requirements-client16.txt ||
    fail "could not install requirements-client16.txt; pip's words are above."
  printf '%s' "$stamp" >.tools/client16/.stamp
}

has_node() {
  command -v npm >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)' >/dev/null 2>&1
}

install_node_parts() { # folder with a package-lock.json
  has_node || system_packages nodejs npm
  has_node || fail "the tests need Node 18 or newer, and PATH has $(node --version 2>/dev/null || echo none)."
  local stamp
  stamp=$(stamp_of "$1/package.json" "$1/package-lock.json")
  if is_current "$1/node_modules/.stamp" "$stamp"; then return; fi
  say "installing Node packages ($1)"
  (cd "$1" && quietly npm ci --loglevel=error --no-audit --no-fund) || fail "npm could not install $1; its words are above."
  printf '%s' "$stamp" >"$1/node_modules/.stamp"
}
