# Sourced by the other scripts: finds Python, makes .venv, installs the pinned packages once.
# Functions only; nothing happens on sourcing.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${RMS_VENV:-$ROOT/.venv}

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 2; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11, 3.12 or 3.13 is needed; install one, or name it: PYTHON=/path/to/python3.12 $0"
}

# need_packages PACKAGE... - Debian packages, installed where we are root and told about where not.
need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null 2>&1 || die "these packages are needed, by whatever name this system has them: ${missing[*]}"
    [ "$(id -u)" -eq 0 ] || die "run this first: sudo apt-get install ${missing[*]}"
    say "installing ${missing[*]} ..."
    # First with the lists that are there: where they are missing or old, this fails at once.
    { apt_install "${missing[@]}" || { apt-get update -qq && apt_install "${missing[@]}"; }; } >/dev/null 2>&1 \
        || die "apt-get could not install ${missing[*]}"
}

apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@"; }

# need_live_packages - a domain controller for the tests, and what building python-ldap takes (extra [ad]).
need_live_packages() {
    local python headers=()
    python=$(find_python) || exit 2
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' \
        || headers=(python3-dev)
    need_packages samba samba-ad-provision samba-dsdb-modules winbind krb5-user ldb-tools \
        gcc libldap2-dev libsasl2-dev libkrb5-dev libsasl2-modules-gssapi-mit "${headers[@]}"
}

# need_soap_stacks - SOAP stacks of other people's that the tests drive, and a compiler for one of them.
need_soap_stacks() {
    need_packages mono-devel php-cli php-soap gsoap libgsoap-dev g++
}

# make_environment [EXTRA,...] - .venv with rmsserver and its pinned packages; does nothing where that is up to date.
make_environment() {
    local extra=${1:-} python stamp wanted
    python=$(find_python) || exit 2
    stamp=$VENV/.installed${extra:+-$extra}
    wanted=$("$python" -V; cat "$ROOT/setup.cfg" "$ROOT/constraints.txt" "$ROOT/pyproject.toml" | cksum)
    if [ -x "$VENV/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    say "making the environment in $VENV (once; about a minute) ..."
    "$python" -m venv "$VENV" 2>/dev/null || { need_packages python3-venv; "$python" -m venv "$VENV"; } \
        || die "could not make a virtual environment in $VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -c "$ROOT/constraints.txt" \
        -e "$ROOT${extra:+[$extra]}" >"$VENV/install.log" 2>&1 \
        || { tail -n 5 "$VENV/install.log" >&2; die "the packages could not be installed; the whole story is in $VENV/install.log"; }
    printf '%s' "$wanted" >"$stamp"
}
