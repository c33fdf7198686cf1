#!/usr/bin/env bash
# Installs the Debian packages that tests use and that are missing; scripts/debian-packages.txt names them.
# Where it cannot, it says so and goes on; the tests then say what they miss.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

missing=()
while read -r name; do
  [ -n "$name" ] || continue
  dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
done <debian-packages.txt
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "not installed: ${missing[*]} (needs apt-get and root)" >&2
  exit 0
fi

# They are wanted as programs, not as services that start by themselves.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; }; then
  echo "not installed: ${missing[*]} (apt-get failed)" >&2
fi
