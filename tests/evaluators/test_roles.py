"""Role densities on cases with a known answer."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lta.data.batches import Split
from lta.evaluators.roles.evaluator import Roles, measure_roles
from lta.measures.roles import centre_prior, coverage, density, density_draws, derangement, draw_halves, interval, role_mass
from lta.models.output import NetworkOutput

rng = np.random.default_rng(0)


def made_roles(count=40, size=16):
    """A 4x4 main object and a 2x8 side object at random places that do not meet."""
    roles = np.zeros((count, size, size), np.uint8)
    for number in range(count):
        top, left = rng.integers(0, 13, 2)
        roles[number, (top + 6) % 14 : (top + 6) % 14 + 2, 2:10] = 1
        roles[number, top : top + 4, left : left + 4] = 2
    return roles


def test_coverage_is_exact_and_sums_to_one():
    roles = torch.zeros(1, 4, 4, dtype=torch.uint8)
    roles[0, 0, 0] = 2
    roles[0, 0:2, 2:4] = 1
    covered = coverage(roles, (2, 2))
    assert covered[0, 2].tolist() == [[0.25, 0.0], [0.0, 0.0]]
    assert covered[0, 1].tolist() == [[0.0, 1.0], [0.0, 0.0]]
    torch.testing.assert_close(covered.sum(1), torch.ones(1, 2, 2))


def test_uniform_maps_have_density_one():
    roles = torch.from_numpy(made_roles())
    for size in ((16, 16), (8, 8), (4, 4)):
        covered = coverage(roles, size)
        mass = role_mass(torch.full((40, *size), 0.3), covered)
        torch.testing.assert_close(mass, covered.mean((2, 3)))


def test_a_map_equal_to_the_main_mask_has_the_inverse_area_as_density():
    roles = torch.from_numpy(made_roles())
    covered = coverage(roles, (16, 16))
    mass = role_mass((roles == 2).float(), covered)
    torch.testing.assert_close(mass, torch.tensor([[0.0, 0.0, 1.0]]).expand(40, 3))
    assert density(mass[:, 2].numpy(), covered.mean((2, 3))[:, 2].numpy()) == pytest.approx(256 / 16)


def test_interval_resamples_sources_not_images():
    """A hundred copies of the same two drawings are two observations, not two hundred."""
    mass, area = np.tile([0.0, 1.0], 100), np.full(200, 0.1)
    few = interval(density_draws(mass[:, None], area[:, None], np.tile([0, 1], 100))[:, 0])
    many = interval(density_draws(mass[:, None], area[:, None], np.arange(200))[:, 0])
    assert few == pytest.approx((0.0, 10.0))
    assert 3.8 < many[0] < 5.0 < many[1] < 6.2


def test_centre_prior_is_where_the_objects_were():
    main = torch.zeros(5, 9, 9)
    main[:, 2:5, 5:8] = 1
    prior = centre_prior(main)
    assert prior.sum().item() == pytest.approx(1)
    assert divmod(prior.argmax().item(), 9) == (3, 6)


@pytest.mark.parametrize("size", [2, 3, 100])
def test_a_derangement_has_no_fixed_point(size):
    partner = derangement(size)
    assert sorted(partner.tolist()) == list(range(size))
    assert (partner != torch.arange(size)).all()


class Stub(torch.nn.Module):
    """Reads its maps off the picture: level "A" is the first channel (the main mask), "B" the second (uniform)."""

    def __init__(self):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self.network = SimpleNamespace(levels=("B", "A"))

    def forward(self, images):
        maps = {"B": images[:, 1].float(), "A": images[:, 0].float()}
        logits = torch.zeros(len(images), 2)
        return NetworkOutput(logits, (logits,), maps, {}, {}, {})


def made_split(count):
    roles = made_roles(count)
    images = np.stack([roles == 2, np.ones_like(roles), np.zeros_like(roles)], axis=3).astype(np.uint8)
    return Split(images, np.zeros(count, np.int64), roles, np.arange(count))


def test_measured_on_a_network_with_a_known_answer():
    data = SimpleNamespace(val=made_split(30), test=made_split(50))
    found = measure_roles(Stub(), data, batch_size=16)
    assert found["level"] == "A"
    assert found["levels"]["A"]["density"]["main"]["value"] == pytest.approx(16)
    assert found["levels"]["A"]["density"]["side"]["value"] == 0
    assert found["levels"]["A"]["shuffled"]["main"]["value"] < 5
    assert found["levels"]["B"]["density"]["main"]["value"] == pytest.approx(1)
    assert found["levels"]["B"]["centre_prior"]["main"]["value"] > 1
    low, high = found["levels"]["B"]["density"]["main"]["interval"]
    assert low == pytest.approx(1)
    assert high == pytest.approx(1)


def test_the_centre_prior_is_that_of_the_other_images():
    """Objects lie above there and below in the test images: a Gaussian of the latter would find them."""
    splits = []
    for top in (1, 11):
        roles = np.zeros((20, 16, 16), np.uint8)
        roles[:, top : top + 4, 6:10] = 2
        images = np.repeat((roles == 2)[..., None], 3, axis=3).astype(np.uint8)
        splits.append(Split(images, np.zeros(20, np.int64), roles, np.arange(20)))
    for data in (SimpleNamespace(val=splits[0], test=splits[1]), SimpleNamespace(val=None, train=splits[0], test=splits[1])):
        found = measure_roles(Stub(), data, batch_size=16)["levels"]["A"]
        assert found["centre_prior"]["main"]["value"] < 1e-3
        assert found["density"]["main"]["value"] == pytest.approx(16)


def test_a_network_without_maps_is_refused():
    stub = Stub()
    stub.network.levels = ()
    with pytest.raises(ValueError, match="no maps"):
        measure_roles(stub, None, 16)


# The evaluator


class Reads(torch.nn.Module):
    """Level by level, the map is what `look` makes of the roles, which the picture's first channel carries."""

    def __init__(self, **looks):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self.looks, self.network = looks, SimpleNamespace(levels=tuple(looks))

    def forward(self, images):
        logits = torch.zeros(len(images), 2)
        maps = {level: look(images[:, 0]).float() for level, look in self.looks.items()}
        return NetworkOutput(logits, (logits,), maps, {}, {}, {})


def of_roles(roles, sources=None):
    images = np.repeat(roles[..., None], 3, axis=3)
    return Split(images, np.zeros(len(roles), np.int64), roles, np.arange(len(roles)) if sources is None else sources)


def only_test(split):
    return SimpleNamespace(train=split.take(np.arange(0)), val=None, test=split, eval_batch_size=16)


def uniform(roles):
    return torch.full(roles.shape, 0.3)


MAIN, SIDE, BACKGROUND = (lambda roles, role=role: (roles == role).float() for role in (2, 1, 0))


def asked(data, **looks):
    return Roles().run(Reads(**looks), data)


def test_a_map_equal_to_a_roles_mask_has_the_inverse_area_as_density_and_that_role_as_verdict():
    split = of_roles(made_roles(60))
    result = asked(only_test(split), A=BACKGROUND, B=SIDE, C=MAIN)
    for level, role, number, words in (
        ("A", "background", 0, "background"),
        ("B", "side", 1, "side objects"),
        ("C", "main", 2, "main object"),
    ):
        found = result.figures["levels"][level]
        area = (split.roles == number).mean()
        assert found["density"][role]["value"] == pytest.approx(1 / area)
        assert found["density"][role]["share"] == pytest.approx(1)
        assert found["density"][role]["area"] == pytest.approx(area)
        assert found["density"][role]["n"] == 60
        assert found["verdict"]["words"] == words
        assert found["verdict"]["beyond_controls"]
        low, high = found["density"][role]["interval"]
        assert low <= 1 / area + 1e-6
        assert high >= 1 / area - 1e-6
    assert result.figures["apart"] == {"words": "holds", "why": "each role is preferred by a level", "share_of_draws": 1.0}
    assert result.figures["level"] is None, "there are no other images to choose it on"


def test_uniform_maps_have_density_one_and_no_verdict():
    result = asked(only_test(of_roles(made_roles(60))), A=uniform, B=uniform, C=uniform)
    for found in result.figures["levels"].values():
        for role in ("background", "side", "main"):
            assert found["density"][role]["value"] == pytest.approx(1, abs=1e-5)
            assert found["density"][role]["interval"] == pytest.approx([1, 1], abs=1e-5)
        assert found["verdict"]["words"] == "undecided"
        assert found["verdict"]["role"] is None
    assert result.figures["apart"]["words"] == "undecided"


def test_what_is_hardly_above_uniform_is_undecided_however_sure():
    """Attention that shuns the object a little: 1.01 on the background, which is 0.15 more than on the object."""
    roles = made_roles(60)
    roles[roles == 1] = 0
    data, shuns = only_test(of_roles(roles)), lambda roles: 1 - 0.15 * (roles == 2).float()
    found = asked(data, A=shuns).figures["levels"]["A"]
    low, high = found["density"]["background"]["interval"]
    assert 1.009 < low <= high < 1.011
    assert found["verdict"]["ahead_of"]["main"][0] > 0.14
    assert found["verdict"]["leading"] == "background"
    assert found["verdict"]["words"] == "undecided"
    assert Roles(margin=0.005).run(Reads(A=shuns), data).figures["levels"]["A"]["verdict"]["words"] == "background"


def test_levels_that_all_prefer_the_main_object_contradict_the_claim():
    figures = asked(only_test(of_roles(made_roles(60))), A=MAIN, B=MAIN, C=uniform).figures
    assert figures["apart"]["words"] == "contradicted", "one undecided level can't prefer two roles"
    assert figures["apart"]["why"] == "no level prefers side objects or background"
    assert asked(only_test(of_roles(made_roles(60))), A=MAIN, B=uniform, C=uniform).figures["apart"]["words"] == "undecided"
    assert asked(only_test(of_roles(made_roles(60))), A=MAIN, C=uniform).figures["apart"]["words"] == "not asked"


def test_a_map_that_always_looks_at_the_place_of_the_objects_is_explained_by_position():
    roles = np.zeros((60, 16, 16), np.uint8)
    for number in range(60):
        top, left = 6 + rng.integers(-1, 2, 2)
        roles[number, top : top + 4, left : left + 4] = 2
    middle = torch.zeros(16, 16)
    middle[7:9, 7:9] = 1
    result = asked(only_test(of_roles(roles)), A=lambda roles: middle.expand(len(roles), 16, 16), B=MAIN)
    verdicts = {level: found["verdict"] for level, found in result.figures["levels"].items()}
    assert verdicts["A"]["words"] == verdicts["B"]["words"] == "main object"
    assert verdicts["A"]["beyond_controls"] is False
    assert verdicts["B"]["beyond_controls"] is True
    assert any("but not clearly above shuffled maps" in line for line in result.lines)


def test_without_side_objects_that_role_is_absent_not_zero():
    roles = made_roles(40)
    roles[roles == 1] = 0
    result = asked(only_test(of_roles(roles)), A=MAIN, B=uniform, C=BACKGROUND)
    for found in result.figures["levels"].values():
        assert all(found[kind]["side"] is None for kind in ("density", "shuffled", "centre_prior"))
    assert result.figures["levels"]["C"]["verdict"]["words"] == "background"
    assert result.figures["apart"]["words"] == "not asked"
    assert {row["role"] for row in result.rows} == {"main", "background"}
    assert not any("side objects  " in line for line in result.lines)


def test_without_other_images_each_half_has_the_centre_prior_of_the_other():
    """Objects of one half lie above, of the other below: a Gaussian of its own half would find them."""
    half = draw_halves(np.arange(40))
    assert half.sum() == 20
    roles = np.zeros((40, 16, 16), np.uint8)
    roles[half, 1:5, 6:10], roles[~half, 11:15, 6:10] = 2, 2
    found = asked(only_test(of_roles(roles)), A=MAIN).figures["levels"]["A"]
    assert found["centre_prior"]["main"]["value"] < 1e-3


def test_images_of_one_source_are_in_the_same_half():
    sources = np.repeat(np.arange(9), 5)
    half = draw_halves(sources, seed=3)
    assert all(len(set(half[sources == source])) == 1 for source in range(9))
    assert 0 < half.sum() < 45


def test_the_same_figures_as_at_the_end_of_training():
    data = SimpleNamespace(val=made_split(30), test=made_split(50), train=None, eval_batch_size=16)
    result = Roles().run(Stub(), data)
    figures = {key: value for key, value in result.figures.items() if key != "rules"}
    assert figures == measure_roles(Stub(), data, 16)
    assert result.figures["chosen_on"] == "val"
    assert result.pictures["density"].width > 300
    assert [list(row) for row in result.rows] == [list(result.rows[0])] * 6


def test_what_can_not_be_asked_is_said_in_one_line():
    split = of_roles(made_roles(10))
    for part, says in (
        (split._replace(roles=None), "has no masks"),
        (split._replace(roles=np.minimum(split.roles, 1)), "no test image has a main object"),
        (split._replace(sources=np.zeros(10, np.int64)), "needs main objects of two sources or more"),
    ):
        with pytest.raises(ValueError, match=says):
            asked(only_test(part), A=MAIN)
    with pytest.raises(ValueError, match="this network has none"):
        asked(only_test(split))
    with pytest.raises(ValueError, match="maps of A hold values that are not numbers"):
        asked(only_test(split), A=lambda roles: torch.full(roles.shape, torch.nan))
    with pytest.raises(ValueError, match=r"evaluator\.roles\.margin=-1 must be"):
        Roles(margin=-1)
