#!/bin/sh
# small.sh RUNS: the 30 runs of the first table, two at a time, a thread each; then its figures.
set -e
python -m lta.run -m seed=0,1,2,3,4 experiment=air_trunk,air_gap,air_att3_pc,air_att3_dp,air_att3_additive,air_att3_uniform \
    model.width=0.5 recipe.epochs=4 recipe.lr=3.0 ++recipe.first_bias_epochs=1 data.batch_size=128 logger=csv \
    hydra.launcher.slots=2 hydra.sweep.dir="$1/small"
cd "$1"
python -m lta.report small --against air --title "Attention on a compact trunk" --out report
