# shellcheck shell=bash disable=SC2034
# What the scripts share. Each of them is run from the repository's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=$PWD/.tools

say() { printf '%s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command silently; its output is shown when it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

# Whether this user may install the distribution's packages.
can_apt() { [[ $(id -u) == 0 ]] && has apt-get; }

apt_install() {
  can_apt || return 1
  say "installing with apt: $*"
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || quietly apt-get update -qq
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@")
  "${install[@]}" >/dev/null 2>&1 && return
  # The lists may be older than the archive.
  quietly apt-get update -qq && quietly "${install[@]}"
}

# Without a Chinese font, pictures of pages in Chinese show empty boxes.
chinese_font() {
  { has fc-list && [[ -n $(fc-list :lang=zh) ]]; } || apt_install fontconfig fonts-droid-fallback || say "no Chinese font"
}

# The same for a server, without letting the distribution start it.
apt_without_start() {
  can_apt || return 1
  local policy=/usr/sbin/policy-rc.d status=0
  [[ ! -e $policy ]] || { apt_install "$@"; return; }
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  apt_install "$@" || status=$?
  rm -f "$policy"
  return "$status"
}

# python_venv FOLDER: an empty private Python there.
python_venv() {
  has python3 || apt_install python3 || die "Python 3.10 or newer is needed. $(apt_hint python3 python3-venv)"
  rm -rf "$1"
  python3 -m venv "$1" 2>/dev/null || { apt_install python3-venv && python3 -m venv --clear "$1"; } ||
    die "Python's venv is needed. $(apt_hint python3-venv)"
}

# `want` for a person, from the distribution's packages.
apt_hint() { printf 'On Debian or Ubuntu: sudo apt-get install %s' "$*"; }

# build_programs [cargo's features]: the project's programs, in target/debug. With a test among what is asked for, cargo gives the
# dependencies the features that the tests need: these and the tests then share all they are made of.
build_programs() { cargo build --bins --test tidy "$@"; }
