#!/bin/sh
# tune.sh RUNS: the two runs of the table, one after the other, a thread; then their figures. 26 TFLOP each.
set -e
export OMP_NUM_THREADS=1
common="experiment=air_att3_pc model.width=0.5 recipe.epochs=3 data.batch_size=512 logger=csv trainer=cpu"
python -m lta.run $common hydra.run.dir="$1/sgd"
python -m lta.run $common ++recipe.muon_lr=0.17 ++recipe.muon_bfloat16=true ++recipe.muon_rounds=3 \
    schedule.start=1.0 schedule.peak=0.0 schedule.end=0.0 recipe.lookahead=false hydra.run.dir="$1/muon"
cd "$1"
python -m lta.report sgd muon --title "The official pixels" --out report
