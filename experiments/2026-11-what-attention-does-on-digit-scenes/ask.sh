#!/bin/sh
# ask.sh RUNS: the questions, of the test scenes and (query) of scenes with two digits.
set -e
ask() { python -m lta.evaluate wandb=false "$@"; }
for group in "attention/compat-pc+seed-*" "attention/compat-additive+seed-*" "scaled_dp/seed-*"; do
    ask checkpoint="$1/$group" evaluator=classification,localisation,roles,query,robustness
    ask checkpoint="$1/$group" evaluator=query data=digit_pairs
done
ask checkpoint="$1/gap/seed-*" evaluator=classification,localisation,robustness
ask checkpoint="$1/attention/compat-dp+seed-*" evaluator=classification,query
