#!/usr/bin/env bash
# One problem thought through twice with the same number of tokens: by eight streams at once, shown
# as they think, and by one long chain. Then both times.  demo.sh [MODEL]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/terminal.sh
. scripts/terminal.sh

model="${1:-SmolLM2-135M}"
problem="Pens come in boxes of 12. A school needs 150 pens. How many boxes must it buy, and how many
pens are left over?"
parallel=8x96
sequential=1x768
answer="$(mktemp)"
trap 'rm -f "$answer"' EXIT

seconds() { awk -v from="$1" -v to="$2" 'BEGIN { printf "%.1f s", (to - from) / 1e9 }'; }

say "Problem: $problem"
say ""
start=$(date +%s%N)
build/release/polyphon think --model "$model" --topology $parallel --merge kv "$problem"
middle=$(date +%s%N)

say ""
say "The same tokens in one chain ..."
build/release/polyphon think --model "$model" --topology $sequential --json "$problem" >"$answer"
end=$(date +%s%N)

say ""
say "  $parallel  eight streams at once   $(seconds "$start" "$middle")"
say "  $sequential  one chain              $(seconds "$middle" "$end")"
say "(wall clock, with loading of the model)"
