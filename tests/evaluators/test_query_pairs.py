"""Does the map move to the object of the query's class? On networks where that is known."""

import numpy as np
import pytest
import queried
import torch
from torch import nn

from lta.evaluators.query.evaluator import Query
from lta.evaluators.query.pairs import choose_donors
from lta.evaluators.query.replaced import score_pointing
from lta.layers.compatibility import Parametrised


def asked_of(network, data, **settings):
    return Query(**settings).run(queried.Asked(network), data)


def test_a_dot_product_moves_to_the_object_of_its_query():
    """The query of a red dot gives all attention to the red one of a pair."""
    result = asked_of(queried.network(), queried.data(queried.pairs(12), queried.singles(6)))
    pairs = result.figures["pairs"]
    for score in ("energy", "pointing"):
        found = pairs["levels"]["C"][score]
        assert found["query"]["value"] == pytest.approx(1, abs=1e-6)
        assert found["other"]["value"] == pytest.approx(0, abs=1e-6)
        assert found["difference"]["value"] == pytest.approx(1, abs=1e-6)
        assert found["difference"]["n"] == 12
        assert found["uniform"] == pytest.approx(4 / 64)
    # its own query asks for both
    assert pairs["levels"]["C"]["energy"]["named"]["value"] == pytest.approx(0.5, abs=1e-6)
    assert pairs["predictions"]["query"]["value"] == 1
    assert pairs["predictions"]["other"]["value"] == 0
    assert pairs["levels"]["C"]["verdict"] == "moves to the object of the query's class"
    assert "of 6 pictures of one object" in "\n".join(result.lines)
    assert set(result.pictures) == {"replaced_C", "pairs_C"}
    assert {"energy difference", "pointing query"} <= {row["measure"] for row in result.rows}


def test_a_query_that_asks_for_the_other_object_moves_away():
    network = queried.network()
    branch = network.branches["C"]
    network.branches["C"] = nn.Sequential(branch, Swapped())
    found = asked_of(network, queried.data(queried.pairs(12), queried.singles(6))).figures["pairs"]["levels"]["C"]
    assert found["energy"]["difference"]["value"] == pytest.approx(-1, abs=1e-6)
    assert found["verdict"] == "moves away from the object of the query's class"


class Swapped(nn.Module):
    def forward(self, g):
        return g[:, [1, 0, 2]]


def test_an_inert_query_makes_no_difference_however_unlike_the_objects():
    """All attention on red: both objects have, over the two queries, exactly as much."""
    unit = Parametrised(3)
    unit.scorer.weight.data[0] = 40.0
    found = asked_of(queried.network(unit), queried.data(queried.pairs(11), queried.singles(6))).figures["pairs"]
    level = found["levels"]["C"]
    assert level["energy"]["query"]["value"] == pytest.approx(0.5, abs=1e-6)
    assert level["pointing"]["difference"] == {"value": 0, "interval": [0, 0], "n": 11}
    assert abs(level["energy"]["difference"]["value"]) < 1e-6
    assert level["energy"]["named"]["value"] == pytest.approx(1, abs=1e-6)
    assert level["energy"]["not_named"]["value"] == pytest.approx(0, abs=1e-6)
    assert found["predictions"]["difference"]["value"] == 0
    assert level["verdict"] == "does not move to the object of the query's class"


def test_queries_are_those_of_the_classes():
    split, singles = queried.pairs(20), queried.singles(6)
    asked, data = queried.Asked(queried.network()), queried.data(split, singles)
    donors = choose_donors(asked, data, {"C": np.zeros((20, 3), np.float32)}, seed=0)
    assert np.array_equal(singles.labels[donors.chosen["main"]], split.labels)
    assert np.array_equal(singles.labels[donors.chosen["side"]], split.side_labels)
    assert len(set(donors.chosen["main"])) > 2
    for object_, chosen in donors.chosen.items():
        assert np.array_equal(donors.queries[object_]["C"], 100.0 * (singles.images[chosen, 3, 4] > 0))


def test_without_singles_queries_come_from_other_sources():
    split = queried.pairs(20)._replace(sources=np.arange(20) // 4)
    own = {"C": np.arange(60, dtype=np.float32).reshape(20, 3)}
    donors = choose_donors(queried.Asked(queried.network()), queried.data(split), own, seed=0)
    assert donors.asked.all()
    assert (split.sources[donors.chosen["main"]] != split.sources).all()
    assert np.array_equal(split.labels[donors.chosen["side"]], split.side_labels)
    assert np.array_equal(donors.queries["main"]["C"], own["C"][donors.chosen["main"]])


def test_images_without_a_second_object_are_left_out_and_said():
    split = queried.pairs(12)
    side_labels = split.side_labels.copy()
    side_labels[3], side_labels[5] = -1, split.labels[5]
    result = asked_of(queried.network(), queried.data(split._replace(side_labels=side_labels), queried.singles(4)))
    assert result.figures["pairs"]["images"] == 10
    assert result.figures["pairs"]["levels"]["C"]["energy"]["query"]["n"] == 10
    assert "10 pictures of two objects (2 left out" in "\n".join(result.lines)


def test_without_any_donor_it_is_said():
    only_red = queried.singles(6).take(np.array([0, 2]))
    with pytest.raises(ValueError, match=r"evaluator=query: no test image has a main .* 2 pictures of one object"):
        asked_of(queried.network(), queried.data(queried.pairs(4), only_red))


def test_a_class_that_the_network_does_not_know_is_named_before_anything_is_computed():
    data = queried.data(queried.pairs(4), queried.singles(4), class_names=("red", "blue"))
    with pytest.raises(ValueError, match="the data have the class blue, which this network does not know"):
        Query().check(queried.Asked(queried.network()), data)


def test_the_highest_cell_is_the_objects_that_covers_more_of_it():
    attn, main, side = np.zeros((4, 2, 2)), np.zeros((4, 2, 2)), np.zeros((4, 2, 2))
    attn[0, 0, 0] = attn[1, 1, 1] = attn[2, 0, 1] = 1
    attn[3] = 0.25
    main[:, 0, 0], side[:, 0, 0], side[:, 1, 1] = 0.3, 0.1, 0.2
    attn, main, side = (torch.from_numpy(one) for one in (attn, main, side))
    assert score_pointing(attn, main, side).tolist() == [1, 0, 0, 0.25]
    assert score_pointing(attn, side, main).tolist() == [0, 1, 0, 0.25]
