#!/usr/bin/env bash
# From nothing to a trained version and what it is worth on problems it has never seen:
# self-play and training in two rounds, a control with random rewards, and paired comparisons.
#   learn.sh MODEL FOLDER       a run that was interrupted goes on where it was
# Environment: FAMILIES, MINUTES (of self-play, a round), EPOCHS, LIMIT (problems of a suite's entry;
# 0: all), SUITE, TRAINER.
set -euo pipefail
cd "$(dirname "$0")/.."

model="$1" folder="$2"
families="${FAMILIES:-chain_sum,products,letter_counting,gcd}"
minutes="${MINUTES:-6}" epochs="${EPOCHS:-1}" limit="${LIMIT:-0}"
suite="${SUITE:-share/suites/easy.json}"
polyphon=build/release/polyphon
trainer="${TRAINER:-build/release/polyphon-train}"
mkdir -p "$folder"

say() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }

# Streams end by themselves, so that each counts for what it says.
printf '[reason.agreement]\nenabled = false\n[reason.collapse]\nenabled = false\n' >"$folder/eval.toml"

play() { # NAME [OPTIONS]
  say "self-play $1"
  [ -e "$folder/$1.done" ] || "$polyphon" selfplay --model "$model" --families "$families" \
    --output "$folder/$1" --minutes "$minutes" "${@:2}"
  touch "$folder/$1.done"
}

data() { # NAME FOLDERS AND OPTIONS
  say "data $1"
  "$polyphon" data build --model "$model" --output "$folder/$1.jsonl" --worked-below 0.8 \
    --worked-per-cell 100 --most-per-cell 100 "${@:2}"
}

train() { # NAME
  say "training $1"
  [ -e "$folder/$1/version.json" ] || "$polyphon" train --model "$model" --data "$folder/$1.jsonl" \
    --output "$folder/$1" --trainer "$trainer" --epochs "$epochs" --resume
}

evaluate() { # NAME [OPTIONS]
  say "evaluation of $1"
  "$polyphon" eval --model "$model" --suite "$suite" --limit "$limit" --arms vote --baseline vote \
    --streams 8 --tokens 96 --max-answer-tokens 8 --parallel 4 --config "$folder/eval.toml" \
    --output "$folder/$1.eval.jsonl" "${@:2}" >/dev/null
}

compare() { "$polyphon" eval --compare "$folder/$1.eval.jsonl" "$folder/$2.eval.jsonl"; }

play round-1
data version-1 "$folder/round-1"
train version-1
play round-2 --version "$folder/version-1" --seed 2
data version-2 "$folder/round-1" "$folder/round-2"
data control "$folder/round-1" "$folder/round-2" --random-rewards
train version-2
train control
evaluate base
for version in version-1 version-2 control; do
  evaluate "$version" --version "$folder/$version"
done
for version in version-1 version-2 control; do
  printf '\n%s against the base\n\n' "$version"
  compare base "$version"
done
