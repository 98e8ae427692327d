#!/bin/sh
# train.sh RUNS: the page's networks, two at a time (5 min a pair where two cores are free, or nearly).
set -e
run="python -m lta.run -m experiment=quickstart recipe.epochs=4 logger=csv hydra.launcher.slots=2"
$run model=vgg_att3 compat=pc,dp,additive seed=0,1,2,3,4 hydra.sweep.dir="$1/attention"
$run model=vgg_gap seed=0,1,2,3,4 hydra.sweep.dir="$1/gap"
# Rates for dp and scaled_dp, chosen by validation error with a seed that is not used again.
$run model=vgg_att3 compat=dp seed=100 recipe.lr=0.005,0.01,0.02,0.04 hydra.sweep.dir="$1/dp_search"
$run model=vgg_att3 compat=scaled_dp seed=100 recipe.lr=0.04,0.16 hydra.sweep.dir="$1/scaled_search"
$run model=vgg_att3 compat=scaled_dp recipe.lr=0.04 seed=0,1,2,3,4 hydra.sweep.dir="$1/scaled_dp"
