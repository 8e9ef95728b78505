#!/usr/bin/env bash
# From nothing to a trained version and what it is worth on problems it has never seen:
# two rounds of self-play and training, the same with random rewards as a control, and paired
# comparisons with the base.
#   learn.sh MODEL FOLDER       a run that was interrupted goes on where it was
# Environment: FAMILIES, MINUTES (of self-play, a round), WORKED (solutions a cell for the cold
# start), LIMIT (problems of a suite's entry; 0: all), SUITE, TRAINER, THREADS (0: all cores).
set -euo pipefail
cd "$(dirname "$0")/.."

model="$1" folder="$2"
families="${FAMILIES:-chain_sum,products,letter_counting,gcd}"
minutes="${MINUTES:-3}" worked="${WORKED:-200}" limit="${LIMIT:-0}"
suite="${SUITE:-share/suites/easy.json}" threads="${THREADS:-0}"
polyphon=build/release/polyphon
trainer="${TRAINER:-build/release/polyphon-train}"
mkdir -p "$folder"

say() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }

# Streams end by themselves, so that each counts for what it says.
printf '[polyphon]\nagreement = false\ncollapse_watch = false\n' >"$folder/eval.toml"

play() { # NAME [OPTIONS]
  say "self-play $1"
  [ -e "$folder/$1.done" ] || "$polyphon" selfplay --model "$model" --families "$families" \
    --output "$folder/$1" --minutes "$minutes" --threads "$threads" "${@:2}"
  touch "$folder/$1.done"
}

# Worked solutions stand in where the model has few successes of its own.
data() { # NAME FOLDER [OPTIONS]
  say "data $1"
  "$polyphon" data build "$2" --model "$model" --output "$folder/$1.jsonl" --worked-below 0.8 \
    --most-per-cell 100 "${@:3}"
}

train() { # NAME [OPTIONS]
  say "training $1"
  [ -e "$folder/$1/version.json" ] || "$polyphon" train --model "$model" --data "$folder/$1.jsonl" \
    --output "$folder/$1" --trainer "$trainer" --threads "$threads" --resume "${@:2}"
}

# A cold start; self-play with what came of it; training on from there, on what its streams had right
# and on the answers that follow their merge.
learn() { # NAME [OPTIONS of data build]
  data "$1-cold" "$folder/round-1" --worked-per-cell "$worked" "${@:2}"
  train "$1-cold" --learning-rate 1e-3
  play "$1-round-2" --version "$folder/$1-cold" --seed 2
  data "$1" "$folder/$1-round-2" --worked-per-cell "$((worked / 4))" --seed 2 --whole-sessions \
    --answers-per-cell 60 "${@:2}"
  train "$1" --learning-rate 5e-4 --from "$folder/$1-cold/adapter.gguf"
}

compare() { # NAME, with the base, whose samples are kept
  say "evaluation of $1"
  "$polyphon" eval --compare base "$folder/$1" --model "$model" --suite "$suite" --limit "$limit" \
    --arms vote,kv --streams 8 --tokens 96 --max-answer-tokens 32 --parallel 4 \
    --config "$folder/eval.toml" --threads "$threads" --output "$folder/compared"
}

play round-1
learn trained
learn control --random-rewards
for version in trained-cold trained control; do compare "$version"; done
say "done"
