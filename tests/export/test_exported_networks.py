"""Every network, score, normaliser, head and preprocessing of the project gives in both formats what it gives itself."""

import pytest
import torch
from networks import composed, network, tiny
from sklearn.datasets import load_sample_image

from lta.cli.plugins import CONF
from lta.export import check, program
from lta.instantiate import build, plain

AUTHOR = "model.init.scorer=author"
"""Maps that are not uniform."""

CASES = [
    ("vgg", "model.pools=cub", "preprocess=yuv_lcn"),
    ("vgg_late",),
    ("vgg_gap",),
    ("vgg_att1", "compat=dp", "preprocess=gcn_zca"),
    ("vgg_att2", "compat=additive", AUTHOR, "model.normaliser=sigmoid", "head=indep", "head.combine=average"),
    ("vgg_att3", AUTHOR, "model.pools=cub", "model.prune_inert_query=true"),
    ("vgg_att3_three_globals", "compat=scaled_dp", "head=indep", "head.combine=sum_ce"),
    ("vgg_att3_upprojecting", AUTHOR),
    ("vgg_pan", AUTHOR),
    ("air",),
    ("air_gap", "model.taps=early"),
    ("air_att1", "compat=uniform"),
    ("air_att2", "compat=frozen", "model.taps=early"),
    ("air_wide_att3", AUTHOR, "head=indep"),
    ("backbone_att2", AUTHOR, "model.query=deepest"),
    ("backbone_att3", AUTHOR, "preprocess=pretrained"),
    ("backbone_gap",),
    ("rn164",),
    ("rn_att1", AUTHOR),
    ("rn_att2", AUTHOR, "compat=dp", "preprocess=yuv_lcn"),
]
"""Models that are not here are settings of the same classes, each of which is here: an export takes up to 20 s."""


pytestmark = pytest.mark.usefixtures("shapes_unchecked")


def settings(*choices):
    """Of the model: its class, and what is chosen by a word, turned on or not empty."""
    model = plain(composed(*choices).model)
    return {(key, value if isinstance(value, str | bool) else bool(value)) for key, value in model.items()}


def test_nothing_is_left_out():
    chosen = {override for _, *overrides in CASES for override in overrides}
    for group in ("compat", "head", "preprocess"):
        defaults = {"compat=pc", "head=concat", "preprocess=standardize"}
        assert {f"{group}={path.stem}" for path in (CONF / group).glob("*.yaml")} <= chosen | defaults
    exported = set.union(*(settings(f"model={model}", *overrides) for model, *overrides in CASES))
    for path in (CONF / "model").glob("*.yaml"):
        assert settings(f"model={path.stem}") - exported == set(), path.stem


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_an_exported_network_gives_what_it_gives(case):
    name, *overrides = case
    side = 80 if "model.pools=cub" in overrides else 64 if name.startswith("backbone") else 32
    choices = (f"model={name}", *tiny(name), *overrides)
    whole, preprocess = network(*choices), build(composed(*choices).preprocess)
    photograph = torch.from_numpy(load_sample_image("china.jpg").copy())
    preprocess.fit(torch.stack([photograph[k : k + side, 2 * k : 2 * k + side] for k in range(0, 200, 2)]).numpy())
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():  # in training mode: running statistics as of a network that has seen pictures
        whole(preprocess(torch.randint(0, 256, (16, 3, side, side), generator=random, dtype=torch.uint8)))
    model = program.Exportable(preprocess, whole.to(memory_format=torch.channels_last)).eval()
    with program._raise_in_one_line(name):
        traced = program.trace(model, (side, side))
        outputs = list(model(torch.zeros(1, 3, side, side, dtype=torch.uint8)))
        files = program.to_onnx(traced, outputs, {}), program.to_torch_export(traced, {})
    assert traced.any_size == ("preprocess=gcn_zca" not in overrides and not name.startswith("backbone"))
    assert outputs == ["logits", "probabilities", *(f"map_{level}" for level in whole.levels)]
    batches = list(check.make_images((side, side), traced.any_size))
    if traced.any_size:  # all that pools and strides can leave over
        sizes = ((side + k, side + (7 * k + 3) % 20) for k in range(20))
        batches += [torch.randint(0, 256, (1, 3, *size), generator=random, dtype=torch.uint8) for size in sizes]
    for run, content in zip((check.load_with_onnxruntime, check.load_with_torch), files, strict=True):
        apart = check.measure_differences(run(content), model, batches)
        assert list(apart) == outputs
        assert max(apart.values()) < program.TOLERANCE, apart
