"""Every wrong command ends with a status that is not 0, in one clear line, and loses nothing."""

from pathlib import Path

import pytest
from commands import TINY, assert_refused, lta_run
from PIL import Image

MODELS = (
    "air, air_att1, air_att2, air_att3, air_gap, air_wide, air_wide_att3, air_wide_gap, backbone_att1, backbone_att2, "
    "backbone_att3, backbone_gap, rn164, rn_att1, rn_att2, vgg, "
    "vgg_att1, vgg_att2, vgg_att2_two_globals, vgg_att3, vgg_att3_three_globals"
)

# arguments, what the line must say
WRONG = [
    (["model=vgg_att9"], f"model=vgg_att9 is unknown (did you mean vgg_att3?); choose one of {MODELS}"),
    (["data=imagenet"], "data=imagenet is unknown; choose one of"),
    (["compat=cosine"], "compat=cosine is unknown; choose one of additive, dp, frozen, pc, scaled_dp, uniform"),
    (["head=mean"], "head=mean is unknown; choose one of concat, indep"),
    (["experiment=slowstart"], "experiment=slowstart is unknown; the nearest of "),
    (["logger=mlflow"], "logger=mlflow is unknown; choose one of csv, none, tensorboard, wandb"),
    (["recipe=slow"], "recipe=slow is unknown"),
    (["trainer=tpu"], "trainer=tpu is unknown"),
    (["modle=vgg"], "there is no setting modle here: did you mean model?"),
    (["model.widht=1"], "there is no setting model.widht here: did you mean model.width?"),
    (["+modle=vgg"], "there is no setting modle: did you mean model?"),
    (["+nonsense=1"], "there is no setting nonsense; the settings are augment, author, callbacks, "),
    (["++data.train_sizes=9"], "there is no setting data.train_sizes: did you mean data.train_size?"),
    (["model="], "model= is unknown; choose one of air"),
    (["+model=vgg"], "+model=vgg adds a second choice; model=vgg replaces the present one"),
    (["foo"], "foo: settings are given as key=value, for example recipe.epochs=5; see --help"),
    (
        ["model=vgg,vgg_att2"],
        "model=vgg,vgg_att2 gives several values where one is expected (a sweep over them needs -m; a list",
    ),
    (["=3"], "=3: settings are given as key=value"),
    (["-m", "foo"], "foo: settings are given as key=value"),
    (["--epochs=5"], "--epochs is unknown: settings are given as key=value"),
    (["model.init=author"], "model.init=author must be given by its parts"),
    (["model.levels=5"], "model.levels=5 must be a list"),
    (["model.levels=[A]"], "model.levels=['A'] must contain C, the deepest level"),
    (["model.normaliser=[softmax]"], "model.normaliser="),
    (["model.prune_inert_query=no"], "model.prune_inert_query=no must be true or false"),
    (["compat=scaled_dp", "compat.scaled=no"], "compat.scaled=no must be true or false"),
    (["data.scenes_seed=abc"], "data.scenes_seed=abc must be"),
    (["callbacks.telemetry.grad_every=0"], "callbacks.telemetry.grad_every=0 must be"),
    (["callbacks.last_checkpoint=null"], "test_checkpoint=last needs callbacks.last_checkpoint"),
    (["seed=99999999999"], "99999999999"),
    (["+model.colour=red"], "error: there is no setting model.colour\n"),
    (["data=cifr10"], "data=cifr10 is unknown (did you mean cifar10?); choose one of box_folder, cifar10, "),
    (["~modle"], "~modle: there is no setting modle: did you mean model?"),
    (["+hydra/launcher=basic"], "+hydra/launcher=... adds a second choice"),
    (["seed=1", "-m", "model=vgg_att9"], "model=vgg_att9 is unknown"),
    ([""], "'': settings are given as key=value"),
    (["hydra.run.dir="], "hydra.run.dir= must name a directory"),
    (["+hydra.callbacks.x._target_=os.system"], "only yaml files can choose code that Hydra itself calls"),
    (["+hydra.callbacks={x: {_target_: os.system}}"], "only yaml files can choose code that Hydra itself calls"),
    (["model._target_=os.system"], "model._target_=os.system: no conf/model of lta"),
    (["+callbacks.x={_target_: os.system, command: ls}"], "callbacks.x._target_=os.system: no conf/callbacks of lta"),
    (["+model.compat.deep._target_=os.system"], "model.compat.deep._target_=os.system: no conf/compat of lta"),
    (["trust=os"], "trust=os must be the full name of a class or function"),
    (["+trainer.colour=red"], "there is no setting trainer.colour"),
    (["model.width=[1"], "'[1'"),
    (["model.width=0"], "model.width=0 must be a number in (0, 64)"),
    (["model.width=-1"], "model.width=-1 must be"),
    (["model.width=wide"], "model.width=wide must be"),
    (["model.width=0.001"], "model.width=0.001 leaves 0.064 of 64 channels"),
    (["model.dropout=2"], "model.dropout=2 must be a number in [0, 2)"),
    (["model.levels=[D]"], "model.levels=['D'] must be a list of different levels from A, B, C"),
    (["model.levels=[]"], "model.levels=[] must be a list"),
    (["model.normaliser=tanh"], "model.normaliser=tanh is unknown; choose one of softmax, sigmoid"),
    (["model.init.scorer=ones"], "model.init.scorer=ones is unknown; choose one of zero, author"),
    (
        ["model.prune_inert_query=true", "compat=dp"],
        "model.prune_inert_query=true is only for networks with an inert query",
    ),
    (["recipe.epochs=0"], "recipe.epochs=0 must be a whole number, at least 1"),
    (["recipe.epochs=-3"], "recipe.epochs=-3 must be"),
    (["recipe.epochs=1.5"], "recipe.epochs=1.5 must be"),
    (["recipe.lr=-1"], "recipe.lr=-1 must be a number in (0, 100)"),
    (["recipe.lr=fast"], "recipe.lr=fast must be"),
    (["recipe.momentum=1"], "recipe.momentum=1 must be a number in [0, 1)"),
    (["data.batch_size=0"], "data.batch_size=0 must be a whole number, at least 1"),
    (["data.batch_size=100"], "data.batch_size=100 is more than the 64 training images"),
    (["data.train_size=0"], "data.train_size=0 must be"),
    (["data.val_size=-1"], "data.val_size=-1 must be"),
    (["data.val_size=0", "test_checkpoint=best"], "test_checkpoint=best needs a validation set"),
    (["test_checkpoint=first"], "test_checkpoint=first is unknown; choose one of last, best"),
    (["seed=-1"], "seed=-1 must be a whole number, at least 0"),
    (["seed=many"], "seed=many must be"),
    (["augment.shift=-1"], "augment.shift=-1 must be"),
    (["augment.shift=32"], "augment.shift=32 and augment.cutout=0 must be below the pictures' 32 pixels"),
    (["augment.flip=2"], "augment.flip=2 must be"),
    (["trainer.accelerator=tpu"], "trainer.accelerator=tpu is unknown; choose one of auto, cpu, gpu, mps"),
    (["trainer.accelerator=cpu", "trainer.precision=16-mixed"], "trainer.precision=16-mixed needs a GPU"),
    (["++recipe.muon_momentum=0.5"], "recipe.muon_momentum=0.5 has no effect without recipe.muon_lr"),
    (["recipe=muon", "recipe.muon_lr=null"], "recipe.muon_momentum=0.6 has no effect without recipe.muon_lr"),
    (["recipe=muon", "recipe.muon_lr=0"], "recipe.muon_lr=0 must be a number in (0, 10)"),
    (["trainer.precision=8"], "trainer.precision=8 is unknown; choose one of auto, 32-true, bf16-mixed"),
    (["trainer.devices=0"], "trainer.devices=0 must be"),
    (["trainer.num_nodes=0"], "trainer.num_nodes=0 must be"),
    (["trainer.strategy=telepathy"], "'telepathy'"),
    (["callbacks.attention_maps.images=0"], "callbacks.attention_maps.images=0 must be"),
    (["callbacks.attention_maps.upsampling=cubic"], "callbacks.attention_maps.upsampling=cubic is unknown"),
    (["logger=wandb", "logger.wandb.mode=sometimes"], "logger.wandb.mode=sometimes is unknown; choose one of auto, online"),
    (["data=image_folder"], "data.root must be given"),
    (["data=mask_folder"], "data=mask_folder is only for evaluation and has no training images: train on another data set"),
    (["data=composites", "data.root=pictures"], "data=composites is only for evaluation and has no training images"),
]

WRONG_WITH_THE_FAMILY = [
    (["model.gates=[B]"], "model.query=shared does not go with model.gates=['B']"),
    (["model.gates=[C]", "model.query=own"], "model.gates=['C'] must be levels from A, B (all but the deepest)"),
    (["model=vgg_att1", "model.gates=[B]"], "model.gates=['B'] must be empty: there is one level"),
    (["model.query=none"], "model.query=none is unknown; choose one of shared, own"),
    (["model.project=up"], "model.project=up is unknown; choose one of query, local"),
    (["model.pools=imagenet"], "model.pools=imagenet is unknown; choose one of cifar, cub"),
    (["model.dropout_kind=row"], "model.dropout_kind=row is unknown; choose one of element, channel"),
    (["model.bn_eps=0"], "model.bn_eps=0 must be a number in (0, 1)"),
    (["model.init.conv=xavier"], "model.init.conv=xavier is unknown; choose one of fan_out, fan_in"),
    (["model.normaliser={A: sigmoid}"], "model.normaliser={'A': 'sigmoid'} must name each of the levels A, B, C"),
    (["model=rn_att2", "model.depth=50"], "model.depth=50 must be 9 n + 2"),
    (["model=rn_att1", "model.depth=11"], "model.depth=11 must be at least 20"),
    (["head=indep", "head.combine=vote"], "head.combine=vote is unknown; choose one of product, sum_ce, average"),
    (["recipe.decay_vectors=no"], "recipe.decay_vectors=no must be true or false"),
    (["recipe.average_gradients=1"], "recipe.average_gradients=1 must be true or false"),
    (["recipe.dampening=0.9"], "recipe.nesterov=true needs momentum and no dampening"),
    (["recipe.warmup=0.1"], "there is no setting recipe.warmup"),
    (["recipe.schedule=cosine"], "recipe.schedule=cosine is not how it is chosen; give schedule=cosine"),
    (["schedule=null"], "schedule=null: a choice is needed here; choose one of author, author_resnet, cosine"),
    (["schedule=author", "schedule.every=0"], "schedule.every=0 must be a whole number, at least 1"),
    (["model.compat=dp"], "model.compat=dp is not how it is chosen; give compat=dp"),
    (["model.head=indep"], "model.head=indep is not how it is chosen; give head=indep"),
    (
        ["model=vgg_att2", "model.project=local"],
        "model.project=local is not used: the levels B, C have the query's channels",
    ),
    (["model.project=local", "model.query=own"], "model.project=local is not used with model.query=own"),
    (["model=rn_att2", "model.bare_end=no"], "model.bare_end=no must be true or false"),
    (
        ["model=vgg_pan", "model.normaliser={D: sigmoid}"],
        "there is no setting model.normaliser here, or it has no such entry",
    ),
    (["data.batch_size=1"], "data.batch_size=1 must be at least 2"),
    (["recipe=author", "schedule.changes=25"], "schedule.changes=25 must be pairs of epoch and factor"),
    (["recipe=author", "schedule.changes=[[25, half]]"], "schedule.changes: factor at epoch 25=half must be a number"),
    (
        ["recipe=author_resnet"],
        "recipe=author_resnet does not go with data=digit_scenes; it has settings for cifar10, cifar100",
    ),
    (["augment=flip_half_crop", "augment.batch_shift=32"], "augment.batch_shift=32 must be below the pictures' 32 pixels"),
    (["test_each_epoch=yes"], "test_each_epoch=yes must be true or false"),
    (["callbacks.best_checkpoint.monitor=test_each_epoch/error"], "a checkpoint can't be chosen by the test set"),
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.delenv("LTA_DATA_ROOT", raising=False)


def words(value):
    return " ".join(value) if isinstance(value, list) else ""


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=words)
def test_wrong_values_end_in_one_line(capsys, arguments, says):
    given = {argument.partition("=")[0] for argument in arguments}
    kept = [argument for argument in TINY if argument.partition("=")[0] not in given]
    if "data" in given:
        kept = [argument for argument in kept if not argument.startswith("data.")]
    assert_refused(lta_run(capsys, [*kept, *arguments]), says)
    begun = [argument for argument in arguments if argument.startswith("logger.")]  # they are built last
    assert begun or not list(Path().glob("runs/*")), "nothing is left of what never began"


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "says"), WRONG_WITH_THE_FAMILY, ids=words)
def test_wrong_values_of_the_family_and_its_recipes_end_in_one_line(capsys, arguments, says):
    test_wrong_values_end_in_one_line(capsys, arguments, says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["model=vgg", "compat=dp"], "compat=dp is not used by model=vgg; it goes with model=air_att1, air_att2, air_att3"),
        (["model=rn164", "head=indep"], "head=indep is not used by model=rn164"),
        (["model=vgg_late", "compat=pc"], "compat=pc is not used by model=vgg_late"),
        (["model=vgg", "+compat=dp"], "compat is not used by this model"),
        (["model=vgg_gap", "head=indep"], "head=indep is not used by model=vgg_gap"),
    ],
)
def test_choices_that_the_model_does_not_use_are_refused(capsys, arguments, says):
    assert_refused(lta_run(capsys, arguments), says)


def test_an_output_that_cannot_be_made(capsys, tmp_path):
    (tmp_path / "file").write_text("kept")
    assert_refused(lta_run(capsys, [*TINY, f"hydra.run.dir={tmp_path}/file/run"]), f"hydra.run.dir={tmp_path}/file/run: ")
    assert_refused(lta_run(capsys, ["-m", "seed=1", "hydra.sweep.dir=file"]), "hydra.sweep.dir=file: File exists")
    assert (tmp_path / "file").read_text() == "kept"


def test_the_full_traceback_on_request(capsys, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(Exception, match=r"width=0") as raised:
        lta_run(capsys, [*TINY, "model.width=0"])
    assert raised.type is not SystemExit


def picture(path, colour=128):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), (colour, 0, 0)).save(path)


def folder(root, without=(), broken=None):
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(0 if name in without else 8):
            picture(root / name / f"{number}.png", 10 * number)
    if broken is not None:
        (root / "cat" / "3.png").write_bytes(broken)


def with_no_data(here):
    (here / "data").mkdir()
    return ["data=cifar10", "data.download=false"], f"{here}/data"


def with_a_corrupt_archive(here):
    (here / "data").mkdir()
    (here / "data" / "cifar-10-python.tar.gz").write_bytes(b"cut off")
    return ["data=cifar10", "data.download=false"], "cifar-10-python.tar.gz"


def with_too_few_classes(here):
    picture(here / "data" / "cifar10" / "train" / "cat" / "0.png")
    picture(here / "data" / "cifar10" / "test" / "cat" / "0.png")
    return ["data=cifar10"], "holds only one class, cat"


def with_no_folder(here):
    return ["data=image_folder", f"data.root={here}/nowhere"], f"data.root={here}/nowhere"


def with_an_empty_folder(here):
    (here / "mine").mkdir()
    return ["data=image_folder", f"data.root={here}/mine"], f"{here}/mine"


def with_a_class_without_images(here):
    folder(here / "mine", without=("dog",))
    return ["data=image_folder", f"data.root={here}/mine"], " of dog; add some or remove the class folder"


def with_a_png_that_is_none(here):
    folder(here / "mine", broken=b"no picture")
    return ["data=image_folder", f"data.root={here}/mine"], "cat/3.png"


def with_an_empty_png(here):
    folder(here / "mine", broken=b"")
    return ["data=image_folder", f"data.root={here}/mine"], "cat/3.png"


def with_a_file_as_root(here):
    picture(here / "mine.png")
    return ["data=image_folder", f"data.root={here}/mine.png"], "mine.png"


@pytest.mark.parametrize(
    "situation",
    [
        with_no_data,
        with_a_corrupt_archive,
        with_too_few_classes,
        with_no_folder,
        with_an_empty_folder,
        with_a_class_without_images,
        with_a_png_that_is_none,
        with_an_empty_png,
        with_a_file_as_root,
    ],
)
def test_data_that_is_missing_or_broken(capsys, tmp_path, situation):
    arguments, says = situation(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    kept = [argument for argument in TINY if not argument.startswith("data.")]
    ended = lta_run(capsys, [*kept, *arguments, "hydra.run.dir=out"])
    assert_refused(ended, says)
    assert {path: path.read_bytes() for path in before} == before, "nothing that was there is lost"
