"""Networks by name, and which can't be shown."""

import pytest
import torch
from pretended_page import networks
from untrained_run import untrained_run

from lta.demo.networks import load_networks, merge_levels, shorten_paths


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["runs/a"], ["a"]),
        (["runs/a", "runs/b"], ["a", "b"]),
        (["one/run", "two/run"], ["one/run", "two/run"]),
        (["runs/a/checkpoints/last.ckpt"], ["a/checkpoints/last.ckpt"]),
        (["runs/a/checkpoints/last.ckpt", "runs/a"], ["a/checkpoints/last.ckpt", "a"]),
        (["runs/a", "runs/a"], ["runs/a", "runs/a"]),
        (["/r/a", "/r/b/a"], ["r/a", "b/a"]),
        (["/last.ckpt"], ["/last.ckpt"]),
        (["/runs/a/checkpoints/.."], ["a"]),
        (["runs/a/"], ["a"]),
    ],
)
def test_names_are_as_short_as_they_can_be(paths, expected):
    assert shorten_paths(paths) == expected


def test_where_the_query_acts(tmp_path):
    pc, dp = networks(tmp_path, "pc", "dp")
    assert (pc.acting, dp.acting) == ((), ("A", "B", "C"))
    pan = untrained_run(tmp_path / "pan", "model=vgg_pan", "model.init.scorer=author")
    (gated,) = load_networks([str(pan)], "last", torch.device("cpu"))
    assert gated.query_note == "The query acts at B, not at C."
    gap = untrained_run(tmp_path / "gap", "model=vgg_gap")
    (pooled,) = load_networks([str(gap)], "last", torch.device("cpu"))
    assert (pooled.levels, pooled.acting) == (("C",), ())
    assert pooled.query_note == "These maps are made without a query."
    assert merge_levels([dp, gated]) == ("A", "B", "C")


def test_a_network_without_maps_is_refused(tmp_path):
    run = str(untrained_run(tmp_path / "run", "model=vgg"))
    with pytest.raises(ValueError, match=f"checkpoint={run}: this network has no attention maps"):
        load_networks([run], "last", torch.device("cpu"))
