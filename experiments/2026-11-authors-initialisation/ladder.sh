#!/usr/bin/env bash
# The authors' recipe shortened, then with one quirk turned off in turn: ladder.sh OUT. Needs real CIFAR-10 (LTA_DATA_ROOT).
set -u
out=$1
base="recipe=author data=cifar10 model=vgg_att3 compat=pc model.width=0.125 model.dropout=0 data.val_size=1000
test_each_epoch=false recipe.epochs=4 +trainer.limit_train_batches=60 logger=none callbacks.best_checkpoint=null"
run() {
    name=$1
    shift
    [ -f "$out/$name/results.json" ] || python -m lta.run $base "$@" hydra.run.dir="$out/$name"
}
run author
run zero_scorer model.init.scorer=zero
run unit_gamma model.init.batchnorm=one
run true_gradient recipe.average_gradients=false
run undamped recipe.dampening=0 recipe.lr=0.1
run no_decay_of_vectors recipe.decay_vectors=false
run standardize preprocess=standardize
run flip_crop augment=flip_crop
run cosine schedule=cosine
run lower_rate recipe.lr=0.1
run dropout model.dropout=1
run bn_eps_1e-5 model.bn_eps=1.0e-5
run zero_scorer_unit_gamma model.init.scorer=zero model.init.batchnorm=one
run fast recipe=fast
