#!/bin/sh
# ask.sh RUNS HORSES: the questions to the networks that train.sh made; HORSES holds images/, masks/ and LABELS.csv.
set -e
ask() { python -m lta.evaluate wandb=false "$@"; }
for seed in 0 1 2; do
    ask checkpoint="$1/networks/*_att*+seed-$seed" evaluator=query,faithfulness
    ask checkpoint="$1/networks/*+seed-$seed" evaluator=localisation data=mask_folder data.root="$2"
    ask checkpoint="$1/networks/*+seed-$seed" evaluator=classification,robustness
done
