#!/bin/sh
# horses.sh RUNS DATA: a VGG and the compact trunk on CIFAR-10 for as long, side by side, a thread each; then where their maps lie
# on pictures of horses. DATA: the folder that holds cifar10/ and weizmann_horse/ (images/, masks/, LABELS.csv).
export OMP_NUM_THREADS=1 LTA_DATA_ROOT="$2"
for seed in 0 1; do
    python -m lta.run experiment=small_vgg_att3_pc seed=$seed logger=csv hydra.run.dir="$1/horses/vgg_att3_seed$seed"
done &
for seed in 0 1; do
    python -m lta.run experiment=air_att3_pc model.taps=early model.width=0.5 recipe.epochs=5 recipe.lr=3.0 \
        recipe.first_bias_epochs=1 data.batch_size=128 seed=$seed logger=csv hydra.run.dir="$1/horses/air_att3_early_seed$seed"
done &
wait
python -m lta.evaluate checkpoint="$1/horses/*" evaluator=localisation data=mask_folder data.root="$2/weizmann_horse" wandb=false
