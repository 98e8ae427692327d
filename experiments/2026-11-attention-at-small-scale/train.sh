#!/bin/sh
# train.sh RUNS: the page's networks, two at a time, a thread each. The same command goes on after an interruption.
set -e
run="python -m lta.run -m logger=csv hydra.launcher.slots=2 trainer.precision=32-true"
$run seed=0,1,2 'experiment=glob(small_*)' hydra.sweep.dir="$1/networks"
$run seed=3,4 \
    experiment=small_vgg_late,small_vgg_gap,small_vgg_att2_pc,small_vgg_att2_uniform,small_vgg_att3_pc,small_vgg_att3_additive,small_vgg_att3_uniform \
    hydra.sweep.dir="$1/networks"
$run seed=0,1,2 'experiment=glob(ladder_0*)' model.width=0.125 model.dropout=0 recipe.epochs=4 ++schedule.of_epochs=300 \
    hydra.sweep.dir="$1/ladder"
$run seed=0,1,2 experiment=ladder_10_cosine model.width=0.125 model.dropout=0 recipe.epochs=4 hydra.sweep.dir="$1/ladder_cosine"
