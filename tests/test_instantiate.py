"""What is built gets the texts that are configured, whatever they look like."""

import pytest
from omegaconf import OmegaConf
from path_names import ODD

from lta.instantiate import build, escape, plain

PARTS = ("a${b}", "\\${x}", "\\\\${x}", "${oc.env:HOME}", "${", *ODD)


@pytest.mark.parametrize("text", PARTS)
def test_a_text_is_handed_over_as_it_is(text):
    inner = {"_target_": "builtins.dict", "path": text, "several": [text, {"deep": text}]}
    node = {"_target_": "builtins.dict", "text": text, "below": inner, "partial": {**inner, "_partial_": True}}
    for given in (node, OmegaConf.create(escape(node))):
        built = build(given, kwarg=text, nested=[text, {"path": text}])
        assert built["text"] == built["kwarg"] == text
        assert built["below"] == {"path": text, "several": [text, {"deep": text}]} == built["partial"]()
        assert built["nested"] == [text, {"path": text}]
    assert plain(OmegaConf.create(escape({"text": text, "list": [text]}))) == {"text": text, "list": [text]}


def test_a_configuration_is_computed_and_a_plain_dict_is_not():
    node = {"seed": 3, "of": {"_target_": "builtins.dict", "seed": "${seed}"}}
    assert build(OmegaConf.create(node).of) == {"seed": 3}
    assert build(node["of"]) == {"seed": "${seed}"}
