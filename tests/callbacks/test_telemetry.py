"""See also test_attention_maps.test_two_processes_log_what_one_does."""

import pytest
import torch
from attention_run import TinyClassifier, TinyData, fit
from torch import nn

from lta.callbacks.telemetry import AttentionTelemetry
from lta.layers.compatibility import Parametrised
from lta.measures.map_statistics import agreement, centre_bias, effective_positions, entropy, peak
from lta.models.vgg_family import vgg, vgg_attention

GRADIENT = "attention/query_grad_norm/C"


def batch(split) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(split.images).permute(0, 3, 1, 2), torch.from_numpy(split.labels)


def test_means_over_the_validation_set_and_no_more(tmp_path):
    """Batches of 4 and 3 images: a mean of batch means would differ. The sanity check's images count for nothing."""
    module = fit(tmp_path, AttentionTelemetry(), epochs=1)
    with torch.no_grad():
        attn = module.eval()(batch(TinyData().load()[2])[0]).attn
    expected = {f"attention/agreement/{a}-{b}": agreement(attn[a], attn[b]).mean() for a, b in ("AB", "AC", "BC")}
    for level, maps in attn.items():
        for statistic in (entropy, effective_positions, peak, centre_bias):
            expected[f"attention/{level}/{statistic.__name__}"] = statistic(maps).mean()
    logged = {key: value for key, value in module.rows[0].items() if key != GRADIENT}
    assert logged == pytest.approx({key: value.item() for key, value in expected.items()}, rel=1e-5, abs=1e-6)


def test_gradient_norm_of_the_global_branch(tmp_path):
    data = TinyData(train=8)
    module = fit(tmp_path, AttentionTelemetry(), data=data, module=TinyClassifier(frozen_norm=True), epochs=1)
    fresh = TinyClassifier(frozen_norm=True).eval()  # one step, no dropout: evaluation mode is training mode
    images, labels = batch(data.train)
    nn.functional.cross_entropy(fresh(images).logits, labels).backward()
    squares = sum(parameter.grad.square().sum() for parameter in fresh.network.branches["C"].parameters())
    assert module.rows[0][GRADIENT] == pytest.approx(squares.sqrt().item(), rel=1e-4)


def test_gradient_is_looked_at_every_so_many_steps(tmp_path, monkeypatch):
    norms = iter([1.0, 2.0, 6.0, 10.0])
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda gradients: torch.tensor(next(norms)))
    module = fit(tmp_path, AttentionTelemetry(grad_every=2), data=TinyData(batch_size=4, train=12, val=None))
    assert [row[GRADIENT] for row in module.rows] == [1.5, 8.0]  # steps 1 and 3 of 3


def test_accumulated_batches_count_as_one_step(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda gradients: seen.append(1) or torch.tensor(1.0))
    fit(
        tmp_path,
        AttentionTelemetry(grad_every=1),
        data=TinyData(batch_size=4, val=None),
        epochs=1,
        accumulate_grad_batches=2,
    )
    assert len(seen) == 2


def test_an_inert_query_gets_no_gradient(tmp_path):
    network = vgg_attention(4, ("A", "C"), Parametrised, width=1 / 32)
    module = fit(tmp_path, AttentionTelemetry(), module=TinyClassifier(network), epochs=1)
    assert module.rows[0][GRADIENT] < 1e-6
    assert "attention/agreement/A-C" in module.rows[0]
    assert "attention/B/peak" not in module.rows[0]


@pytest.mark.parametrize(
    ("network", "logged"),
    [
        (lambda: vgg(4, width=1 / 32), False),
        (lambda: vgg_attention(4, ("C",), Parametrised, width=1 / 32, prune_inert_query=True), True),
    ],
)
def test_networks_without_global_branch_or_maps(tmp_path, network, logged):
    module = fit(tmp_path, AttentionTelemetry(), module=TinyClassifier(network()), epochs=1)
    assert GRADIENT not in module.rows[0]
    assert ("attention/C/entropy" in module.rows[0]) == logged
    assert not any("agreement" in key for key in module.rows[0])


def test_what_a_user_can_get_wrong():
    with pytest.raises(ValueError, match=r"^callbacks\.telemetry\.grad_every=0 must be a whole number, at least 1$"):
        AttentionTelemetry(grad_every=0)
