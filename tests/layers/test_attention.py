"""Attention against cases computed by hand."""

import math

import pytest
import torch

from lta.layers.attention import Attention, gate, pool
from lta.layers.compatibility import Additive, DotProduct, Frozen, Parametrised, Uniform
from lta.layers.heads import ConcatHead, IndependentHead

LOCAL = torch.tensor([[[[1.0, 0.0]], [[2.0, 3.0]]]])  # one image, two channels, 1x2 positions: l_1 = (1, 2), l_2 = (0, 3)
QUERY = torch.tensor([[3.0, 1.0]])


def scorer(compat, u, b):
    with torch.no_grad():
        compat.scorer.weight.copy_(torch.tensor(u))
        compat.scorer.bias.fill_(b)
    return compat


def test_dot_product_by_hand():
    assert DotProduct(2)(LOCAL, QUERY).tolist() == [[[5.0, 3.0]]]
    torch.testing.assert_close(DotProduct(2, scaled=True)(LOCAL, QUERY), torch.tensor([[[5.0, 3.0]]]) / math.sqrt(2))


def test_parametrised_by_hand():
    # u = (2, -1), b = 0.5: <u, (4, 3)> + b = 5.5, <u, (3, 4)> + b = 2.5
    compat = scorer(Parametrised(2), [2.0, -1.0], 0.5)
    assert compat(LOCAL, QUERY).tolist() == [[[5.5, 2.5]]]
    # without the query: <u, (1, 2)> + b = 0.5, <u, (0, 3)> + b = -2.5, the same difference
    assert compat(LOCAL, None).tolist() == [[[0.5, -2.5]]]


def test_parametrised_is_the_authors_convolution():
    compat = scorer(Parametrised(8), torch.randn(8).tolist(), 0.3)
    local, query = torch.randn(2, 8, 4, 5), torch.randn(2, 8)
    summed = local + query[:, :, None, None]
    expected = torch.nn.functional.conv2d(summed, compat.scorer.weight.view(1, 8, 1, 1), compat.scorer.bias.view(1))
    torch.testing.assert_close(compat(local, query), expected.squeeze(1))


def test_additive_by_hand():
    compat = scorer(Additive(2), [2.0, -1.0], 0.5)
    expected = [2 * math.tanh(4) - math.tanh(3) + 0.5, 2 * math.tanh(3) - math.tanh(4) + 0.5]
    torch.testing.assert_close(compat(LOCAL, QUERY).flatten(), torch.tensor(expected))


@pytest.mark.parametrize("query", [QUERY, None])
def test_uniform_is_average_pooling(query):
    unit = Attention(Uniform(2))
    local_feat, attn, scores = unit(LOCAL, query)
    assert scores.tolist() == [[[0.0, 0.0]]]
    assert attn.tolist() == [[[0.5, 0.5]]]
    assert pool(local_feat, attn).tolist() == [[0.5, 2.5]]
    assert unit.query_is_inert
    assert Attention(Uniform(2), "sigmoid").query_is_inert
    assert not unit.state_dict()


def test_frozen_by_hand():
    compat = Frozen(2)
    compat.weight.copy_(torch.tensor([2.0, -1.0]))
    assert compat(LOCAL, QUERY).tolist() == [[[5.0, 2.0]]]  # pc's, without its bias
    assert compat(LOCAL, None).tolist() == [[[0.0, -3.0]]]
    assert Attention(compat).query_is_inert
    assert not Attention(compat, "sigmoid").query_is_inert


def test_frozen_is_drawn_by_the_seed_kept_and_never_trained():
    torch.manual_seed(3)
    first = Frozen(64)
    torch.manual_seed(3)
    assert torch.equal(first.weight, Frozen(64).weight)
    other = Frozen(64)
    assert not torch.equal(first.weight, other.weight)
    assert not list(first.parameters())
    other.load_state_dict(first.state_dict())
    assert torch.equal(first.weight, other.weight)


@pytest.mark.parametrize(("channels", "size"), [(256, 32), (512, 16), (512, 8)])
def test_frozen_maps_are_neither_uniform_nor_one_hot(channels, size):
    """On features with variance 1 scores have the standard deviation `scale`."""
    torch.manual_seed(0)
    attn, scores = Attention(Frozen(channels))(torch.randn(8, channels, size, size), None)[1:]
    assert scores.flatten(1).std(1).mean().item() == pytest.approx(2.0, rel=0.15)
    positions = attn.flatten(1)
    effective = (-(positions * positions.log()).sum(1)).exp().mean() / size**2
    assert 0.05 < effective < 0.4
    assert positions.amax(1).mean() < 0.5


@pytest.mark.parametrize("scale", [0, -1.0, True])
def test_a_scale_that_can_not_be_is_named(scale):
    with pytest.raises(ValueError, match=rf"compat\.scale={scale} must be a number in \(0, 100\)"):
        Frozen(2, scale)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_pooling_is_the_weighted_sum_of_positions(memory_format):
    unit = Attention(scorer(Parametrised(2), [math.log(3.0), 0.0], 0.0))
    # scores differ by ln 3 between l_1 and l_2, so that attention is (3/4, 1/4)
    local = LOCAL.contiguous(memory_format=memory_format)
    _, attn, scores = unit(local, QUERY)
    torch.testing.assert_close(attn, torch.tensor([[[0.75, 0.25]]]))
    torch.testing.assert_close(pool(local, attn), torch.tensor([[0.75, 2.25]]))
    assert scores.shape == (1, 1, 2)


def test_sigmoid_attention_by_hand():
    unit = Attention(scorer(Parametrised(2), [0.0, 0.0], 0.0), normaliser="sigmoid")
    _, attn, _ = unit(LOCAL, QUERY)
    assert attn.tolist() == [[[0.5, 0.5]]]
    assert pool(LOCAL, attn).tolist() == [[0.5, 2.5]]


def test_a_gate_multiplies_each_position_and_nothing_else():
    assert gate(LOCAL, torch.tensor([[[0.25, 0.5]]])).tolist() == [[[[0.25, 0.0]], [[0.5, 1.5]]]]


def test_the_level_can_be_projected_rather_than_the_query():
    """What is projected is scored and pooled (author_spec section 2, upprojecting)."""
    to_three = torch.nn.Conv2d(2, 3, 1)
    unit = Attention(DotProduct(3), project_local=to_three)
    local_feat, attn, scores = unit(LOCAL, torch.tensor([[1.0, 2.0, 3.0]]))
    expected = torch.einsum("oc,bchw->bohw", to_three.weight[:, :, 0, 0], LOCAL) + to_three.bias.view(3, 1, 1)
    torch.testing.assert_close(local_feat, expected)
    torch.testing.assert_close(scores, torch.einsum("bchw,c->bhw", expected, torch.tensor([1.0, 2.0, 3.0])))
    assert pool(local_feat, attn).shape == (1, 3)


def test_positions_keep_their_place():
    """A position's score depends on that position alone: no transposed or scrambled views."""
    local = torch.zeros(1, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    local[0, :, 1, 3] = 1.0
    unit = Attention(scorer(Parametrised(3), [5.0, 5.0, 5.0], 0.0))
    attn = unit(local, torch.zeros(1, 3)).attn
    assert attn.argmax() == 1 * 5 + 3


def test_scores_are_float32_under_autocast():
    compat = Parametrised(64)
    torch.nn.init.normal_(compat.scorer.weight)
    local, query = torch.randn(2, 64, 8, 8), torch.randn(2, 64)
    with torch.autocast("cpu", torch.bfloat16):
        scores = compat(local, query)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, compat(local, query), rtol=0, atol=0)


def test_a_score_that_needs_the_query_refuses_to_do_without():
    for compat in (DotProduct(2), Additive(2)):
        with pytest.raises(AssertionError, match="needs the query"):
            compat(LOCAL, None)


def test_unknown_normaliser_is_named():
    with pytest.raises(ValueError, match="normaliser=tanh is unknown; choose one of softmax, sigmoid"):
        Attention(DotProduct(2), normaliser="tanh")


def test_indep_is_the_product_of_experts():
    """Cross-entropy on summed logits equals cross-entropy on summed log-probabilities (the authors' committed loss)."""
    head = IndependentHead([4, 6], num_classes=5, dropout=0.0)
    descriptors = [torch.randn(7, 4), torch.randn(7, 6)]
    labels = torch.randint(0, 5, (7,))
    pairs = zip(head.blocks, head.classifiers, descriptors, strict=True)
    log_probabilities = sum(classifier(block(d)).log_softmax(1) for block, classifier, d in pairs)
    loss = torch.nn.functional.cross_entropy
    prediction = head(descriptors)
    torch.testing.assert_close(loss(prediction.logits, labels), loss(log_probabilities, labels))
    assert len(prediction.loss_logits) == 1
    assert prediction.loss_logits[0] is prediction.logits


def test_the_other_two_losses_of_indep_by_hand():
    """Two levels whose class probabilities are (3/4, 1/4) and (1/4, 3/4)."""
    labels = torch.tensor([0])

    def predict(combine):
        head = IndependentHead([1, 1], 2, 0.0, combine).eval()
        with torch.no_grad():
            for classifier, bias in zip(head.classifiers, ([math.log(3), 0.0], [0.0, math.log(3)]), strict=True):
                classifier.weight.zero_()
                classifier.bias.copy_(torch.tensor(bias))
        return head([torch.zeros(1, 1)] * 2)

    each = predict("sum_ce")
    torch.testing.assert_close(each.logits.softmax(1), torch.tensor([[0.5, 0.5]]))
    losses = [torch.nn.functional.cross_entropy(logits, labels).item() for logits in each.loss_logits]
    assert losses == pytest.approx([-math.log(3 / 4), -math.log(1 / 4)])
    average = predict("average")
    torch.testing.assert_close(average.logits.exp(), torch.tensor([[0.5, 0.5]]))
    assert torch.nn.functional.cross_entropy(average.loss_logits[0], labels).item() == pytest.approx(math.log(2))


def test_an_unknown_combination_is_refused():
    with pytest.raises(ValueError, match=r"head\.combine=mean is unknown; choose one of product, sum_ce, average"):
        IndependentHead([4], 5, 0.0, "mean")


def test_concat_reads_every_level():
    head = ConcatHead([4, 6], num_classes=5, dropout=0.0).eval()
    descriptors = [torch.rand(1, 4) + 1, torch.rand(1, 6) + 1]
    before = head(descriptors).logits
    for level in range(2):
        changed = [d * 2 if number == level else d for number, d in enumerate(descriptors)]
        assert not torch.allclose(head(changed).logits, before)
