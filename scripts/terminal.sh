# Sourced by the other scripts: where the cache is, and how they speak.
# shellcheck shell=bash

# shellcheck disable=SC2034  # read by the scripts that source this file
cache="${POLYPHON_CACHE:-$HOME/.cache/polyphon}"

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: $*"
  exit 1
}

# counted LOG COMMAND...: runs ninja quietly into LOG; on a terminal its counter is kept in one line.
counted() {
  local log=$1 status=0
  shift
  if [ -t 2 ]; then
    "$@" 2>&1 | tee "$log" | while IFS= read -r line; do
      if [[ $line =~ ^\[[0-9]+/[0-9]+\] ]]; then printf '\r      %s' "${BASH_REMATCH[0]}"; fi
    done >&2 || status=$?
    printf '\r                    \r' >&2
  else
    "$@" >"$log" 2>&1 || status=$?
  fi
  return "$status"
}
