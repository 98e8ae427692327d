#!/bin/sh
# digits.sh RUNS: vgg_att3 and the compact trunk on digit_scenes, side by side, a thread each; seven epochs of the trunk take as
# long as five of the VGG.
export OMP_NUM_THREADS=1
for seed in 0 1 2; do
    python -m lta.run experiment=quickstart seed=$seed logger=csv evaluator=localisation hydra.run.dir="$1/digits/vgg_att3_seed$seed"
done &
for seed in 0 1 2; do
    python -m lta.run model=air_att3 compat=pc data=digit_scenes recipe=air model.taps=early model.width=0.5 \
        recipe.epochs=7 recipe.lr=3.0 data.batch_size=128 seed=$seed logger=csv evaluator=localisation \
        hydra.run.dir="$1/digits/air_att3_early_seed$seed"
done &
wait
