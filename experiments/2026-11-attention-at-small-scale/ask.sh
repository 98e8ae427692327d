#!/bin/sh
# ask.sh RUNS HORSES: the questions to the networks that train.sh made; HORSES holds images/, masks/ and LABELS.csv.
set -e
ask() { python -m lta.evaluate wandb=false "$@"; }
for group in "*_att*" "*_gap+*"; do
    ask checkpoint="$1/networks/$group" evaluator=localisation evaluator.localisation.explanations=[] data=mask_folder data.root="$2"
done
ask checkpoint="$1/networks/*_att*" evaluator=faithfulness
ask checkpoint="$1/networks/*_att*+seed-0" evaluator=query
ask checkpoint="$1/networks/*+seed-0" evaluator=classification,robustness
