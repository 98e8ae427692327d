"""Role densities on cases with a known answer."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lta.data.batches import Split
from lta.evaluators.roles import measure_roles
from lta.measures.roles import centre_prior, coverage, density, density_interval, derangement, role_mass
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
    few = density_interval(mass, area, np.tile([0, 1], 100))
    many = density_interval(mass, area, np.arange(200))
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


def test_a_network_without_maps_is_refused():
    stub = Stub()
    stub.network.levels = ()
    with pytest.raises(ValueError, match="no maps"):
        measure_roles(stub, None)
