# Sourced by the other scripts: where the cache is, and how they speak.
# shellcheck shell=bash

# shellcheck disable=SC2034  # read by the scripts that source this file
cache="${POLYPHON_CACHE:-$HOME/.cache/polyphon}"

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: $*"
  exit 1
}

# minutes SECONDS: as a person says it.
minutes() {
  if [ "$1" -lt 90 ]; then echo "$1 seconds"; else echo "about $((($1 + 30) / 60)) minutes"; fi
}

# progress LOG SECONDS: how far the command that writes LOG is, where ninja counts its steps in it.
# The time left is as long a step as so far. It is not said before a tenth is done: the first steps
# can be the longest.
progress() {
  local counter='^\[([0-9]+)/([0-9]+)\]' line
  line="$(grep -aE "$counter" "$1" 2>/dev/null | tail -n 1)"
  if ! [[ $line =~ $counter ]]; then
    echo "$(minutes "$2") so far"
    return
  fi
  local done=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
  if [ $((done * 10)) -lt "$all" ]; then
    echo "$done of $all, $(minutes "$2") so far"
  else
    echo "$done of $all, $(minutes $(($2 * (all - done) / done))) left"
  fi
}

# watched LOG COMMAND...: runs a command quietly into LOG and says how far it is: on a terminal each
# second in the same line, else every 30 seconds in a line of its own.
watched() {
  local log=$1 status=0 reporter
  shift
  : >"$log"
  (
    begin=$SECONDS pause=30 format='      %s\n' nap=
    [ ! -t 2 ] || pause=1 format='\r\033[K      %s'
    trap 'kill "$nap" 2>/dev/null; exit 0' TERM
    while kill -0 $$ 2>/dev/null; do
      sleep "$pause" &
      nap=$!
      wait "$nap"
      # shellcheck disable=SC2059  # one of the two above
      printf "$format" "$(progress "$log" $((SECONDS - begin)))" >&2
    done
  ) &
  reporter=$!
  "$@" >"$log" 2>&1 || status=$?
  kill "$reporter" 2>/dev/null || true
  wait "$reporter" 2>/dev/null || true
  [ ! -t 2 ] || printf '\r\033[K' >&2
  return "$status"
}
