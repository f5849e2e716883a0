"""The card inside a model: its content, invalid cards, and the cards that ship."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from model_files import CARD, damaged, toy

from noisewatch import ModelError, NoiseDetector
from noisewatch.audio.logmel import FRAMES, FrontendConfig
from noisewatch.core.card import METADATA_KEY, Card
from noisewatch.core.model import Model
from noisewatch.core.shipped import find_model, shipped_models


def test_a_card_survives_a_round_trip():
    assert Card.from_json(CARD.to_json()) == CARD


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: toy(p, None), "no noisewatch card"),
        (lambda p: toy(p, "{}"), "card that cannot be read"),
        (lambda p: toy(p, "[1"), "card that cannot be read"),
        (lambda p: toy(p, replace(CARD, frontend=FrontendConfig(n_fft=512)).to_json()), r"n_fft 512 \(here 480\)"),
        (lambda p: toy(p, replace(CARD, frontend=FrontendConfig(highpass_hz=-1)).to_json()), "highpass_hz is -1"),
        (lambda p: toy(p, replace(CARD, threshold=7).to_json()), "threshold is 7"),
        (lambda p: toy(p, replace(CARD, hop_s="0.1").to_json()), "hop_s is str, not float"),
        (lambda p: toy(p, replace(CARD, hop_s=0.015).to_json()), "hop_s is 0.015; allowed: multiples of 0.01"),
        (lambda p: toy(p, replace(CARD, hop_s=True).to_json()), "hop_s is bool, not float"),
        (lambda p: toy(p, replace(CARD, window_s=60.0).to_json()), "window_s is 60.0; allowed: 0.03 to 3.0"),
        (lambda p: toy(p, replace(CARD, threshold=float("nan")).to_json()), "threshold is nan"),
        (lambda p: toy(p, replace(CARD, name={"a": 1}).to_json()), "name is dict, not str"),
        (lambda p: toy(p, replace(CARD, name="\x1b[2J").to_json()), "name is not 1 to 100 printable"),
        (lambda p: toy(p, replace(CARD, trained_on=["x"]).to_json()), "not a list of objects"),
        (lambda p: toy(p, replace(CARD, parameters=10**400).to_json()), "parameters has 1329 bits"),
        (lambda p: toy(p, "[" * 100_000), "card that cannot be read.*nested too deeply"),
        (lambda p: toy(p, '{"frontend": 7}'), "card that cannot be read"),
        (lambda p: toy(p, '{"frontend": {"n_mels": "40"}}'), "n_mels is str, not int"),
        (lambda p: toy(p, json.dumps({**json.loads(CARD.to_json()), "x" * 5000: 1})), r"x{200,}\.\.\.\. Export"),
        (lambda p: damaged(p, CARD.to_json().encode()[:9], b"\x89"), "text that is not UTF-8"),
    ],
)
def test_an_invalid_card_is_refused(tmp_path: Path, make, sentence: str):
    path = tmp_path / "m.onnx"
    make(path)
    with pytest.raises(ModelError, match=sentence):
        Model(path)


def test_a_card_older_than_the_high_pass_runs_without_it(tmp_path: Path, voice: np.ndarray):
    fields = json.loads(CARD.to_json())
    assert fields["frontend"].pop("highpass_hz") == 20
    old = NoiseDetector(toy(tmp_path / "old.onnx", json.dumps(fields)))
    assert old.model.card.frontend.highpass_hz == 0
    levels = [NoiseDetector(toy(tmp_path / "new.onnx", CARD.to_json())), old]
    offset, plain = ([d.stream().push(x)[0].level_dbfs for d in levels] for x in (voice + np.float32(0.2), voice))
    assert offset[0] == pytest.approx(plain[0], abs=0.5)
    assert offset[1] > plain[1] + 5


@pytest.mark.parametrize("name", shipped_models())
def test_a_shipped_model_loads_by_name_and_its_card_is_complete(name: str):
    model = Model(name)
    card = model.card
    assert card.name == name
    assert card.frontend == FrontendConfig()
    assert card.shippable, "weights that ship are trained on sources that allow it"
    assert {"source", "licence", "minutes", "kind"} <= set(card.trained_on[0])
    assert not {"emodb", "urbansound8k", "librispeech_testother", "picovoice_noise"} & {
        s["source"] for s in card.trained_on
    }
    assert model.frames == FRAMES


@pytest.mark.parametrize("name", shipped_models())
def test_a_card_that_ships_lists_every_number_of_the_front_end(name: str):
    """A missing number would be taken from this version, whatever the network was trained on."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(find_model(name)), providers=["CPUExecutionProvider"])
    card = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert card["frontend"] == asdict(FrontendConfig())
