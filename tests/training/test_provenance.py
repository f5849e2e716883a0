"""Where weights come from: teachers, runs that gave the initial weights, and the members of a duo."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from runs import SMALLEST, write_checkpoint, write_model

from noisewatch import ModelError, UsageError
from noisewatch.core.model import Model
from noisewatch.corpus.manifest import Row
from noisewatch.training import fit
from noisewatch.training.checkpoint import load_checkpoint
from noisewatch.training.dataset import WEIGHT
from noisewatch.training.distill import Teachers
from noisewatch.training.export import export
from noisewatch.training.loss import loss
from noisewatch.training.nets import NETS
from noisewatch.training.nets.duo import _coarser
from noisewatch.training.nets.head import NoiseNet
from noisewatch.training.provenance import data_card, distilled, init_weights, merged


def test_provenance_includes_the_data_of_the_teachers(tmp_path: Path):
    data = {"sources": [{"source": "theirs"}], "shippable": True}
    files = [write_model(tmp_path / f"{name}.onnx", name, data) for name in ("dense", "tcn")]
    dense, tcn = map(Model, files)
    mine = {"sources": [{"source": "mine"}], "shippable": False}
    first = distilled(mine, Teachers([str(files[0])]))
    again = distilled(first, Teachers([*map(str, files)][::-1]))  # resumed with another teacher
    assert again["teachers"] == [f"dense {dense.digest}", f"tcn {tcn.digest}"]
    assert again["sources"][0] == {"source": "mine"}
    assert {s["source"] for s in again["sources"]} == {"mine", "theirs"}
    assert not again["shippable"]
    assert distilled({"sources": [], "shippable": True}, Teachers([str(files[0])]))["shippable"]


def test_made_voices_stand_apart_and_a_source_is_listed_once():
    def row(source: str, seconds: float, style: str = "") -> Row:
        return Row("x.wav", "speech", source, "g", seconds, "train", "yes", 50.0, "CC0", style=style)

    before = data_card([row("a", 60), row("b", 60)])
    now = data_card([row("a", 120), row("a", 30, "made")])
    listed = [(s["kind"], s["source"], s["minutes"]) for s in merged(before, now)["sources"]]
    assert listed == [("speech", "b", 1.0), ("made", "a", 0.5), ("speech", "a", 2.0)]


def test_a_duo_starts_from_networks_trained_alone(
    toy_set: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fit, "VALIDATION_BATCH", 16)
    nets = {name: NETS[name]().eval() for name in ("tcn", "mhatt")}
    paths = [tmp_path / name / "best.pt" for name in nets]
    for path, (name, net) in zip(paths, nets.items(), strict=True):
        source = {"kind": "noise", "source": name}
        write_checkpoint(path, name, net, {"sources": [source], "shippable": name == "tcn", "teachers": [name]})
    duo = NETS["duo"]()
    data = init_weights(duo, "duo", [str(paths[0]), str(paths[1].parent)])
    assert data["shippable"] is False
    assert [s["source"] for s in data["sources"]] == ["tcn", "mhatt"]
    assert data["teachers"] == []  # this run has none yet
    assert [origin.split(" at ")[1] for origin in data["init_from"]] == [
        "step 0, distilled from tcn",
        "step 0, distilled from mhatt",
    ]
    x, reference = torch.randn(4, 298, 40) * 3 - 8, torch.full((4,), -26.0)
    duo.eval()
    alone = [nets[name](x, reference) for name in duo.members]
    at = torch.tensor([20.0])
    spoken = torch.zeros(4)
    below = [torch.exp(v.log_cdf(at, voice=spoken)[0]) for v in (duo(x, reference), *alone)]
    torch.testing.assert_close(below[0], (below[1] + below[2]) / 2)
    # The loss covers each member.
    targets, levels = torch.rand(4, 9), torch.randn(4, 2, 150)
    targets[:, WEIGHT] = 1.0
    duo.training = True  # of the duo alone: the members' statistics stay
    both = loss(duo(x, reference), targets, levels)
    pooled = [v._replace(tracks=_coarser(v.tracks, 75)) for v in alone]
    torch.testing.assert_close(both, sum(loss(v, targets, levels) for v in pooled) / 2)

    initial = tuple(map(str, paths))
    still = SMALLEST | {"net": "duo", "windows": 16, "lr": 1e-9, "init_from": initial}
    fit.fit(toy_set, tmp_path / "duo", still, cache=cache)
    learned = load_checkpoint(tmp_path / "duo" / "last.pt")["net"]
    for name, net in nets.items():
        torch.testing.assert_close(learned[f"members.{name}.out.weight"], net.out.weight.data)
    shutil.rmtree(tmp_path / "tcn")  # a resumed run does not need the runs that it started from
    with pytest.raises(UsageError, match="leave out --init-from"):
        fit.fit(toy_set, tmp_path / "duo", {"epochs": 2, "init_from": initial}, resume=True)
    assert fit.fit(toy_set, tmp_path / "duo", {"epochs": 2}, resume=True, cache=cache)
    assert json.loads(load_checkpoint(tmp_path / "duo" / "last.pt")["data"])["init_from"] == data["init_from"]
    second = init_weights(NETS["duo"](), "duo", [str(tmp_path / "duo")])  # another duo starts from this one
    assert second["init_from"][0].endswith(f", initialised from ({'; '.join(data['init_from'])})")
    part = NETS["mhatt"]()  # and a network from its member of the duo
    origins = init_weights(part, "mhatt", [str(tmp_path / "duo")])["init_from"]
    assert origins == second["init_from"]
    torch.testing.assert_close(part.out.weight.data, nets["mhatt"].out.weight.data)
    with pytest.raises(UsageError, match="hold duo; dense starts from a run of dense"):
        init_weights(NETS["dense"](), "dense", [str(tmp_path / "duo" / "best.pt")])
    with pytest.raises(UsageError, match=r"best\.pt hold mhatt; dense starts from a run of dense\."):
        fit.fit(toy_set, tmp_path / "wrong", SMALLEST | {"init_from": initial[1:]})
    assert not (tmp_path / "wrong").exists()


def trained_file(path: Path, name: str) -> Path:
    """A model file of a network whose weights all differ: the exporter merges equal tensors."""
    net = NETS[name]()
    for value in net.state_dict().values():
        if value.is_floating_point():
            value.add_(torch.rand_like(value) * 0.002)
    write_checkpoint(path.with_suffix(".pt"), name, net, {"sources": [{"source": "theirs"}], "shippable": True})
    return export(path.with_suffix(".pt"), path)


@pytest.mark.parametrize("name", ["duo", "dense", "bcresnet1"])
def test_weights_start_from_a_model_file(name: str, tmp_path: Path):
    file = trained_file(tmp_path / "theirs.onnx", name)
    net = NETS[name]()
    card = init_weights(net, name, [str(file)])
    assert card["sources"] == [{"source": "theirs"}]
    assert card["init_from"] == [f"{name} {Model(file).digest} at step 0"]
    written = load_checkpoint(tmp_path / "theirs.pt")["net"]
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, written[key], rtol=1e-3, atol=1e-4)  # stored in half precision


def test_weights_of_another_shape_start_at_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = trained_file(tmp_path / "older.onnx", "dense")
    older = NETS["dense"]

    def newer() -> NoiseNet:
        net = older()
        net.out = torch.nn.Linear(net.out.in_features, 12)
        return net

    monkeypatch.setitem(NETS, "dense", newer)
    (origin,) = init_weights(newer(), "dense", [str(file)])["init_from"]
    assert origin.endswith("at step 0 without out.weight, out.bias")
    file.write_bytes(b"not a model")
    with pytest.raises(ModelError, match="not an ONNX model"):
        init_weights(newer(), "dense", [str(file)])


def test_a_model_with_folded_batch_norms_is_no_start():
    with pytest.raises(
        ModelError, match=r"lacks \d+ of the weights of a bcresnet1, such as trunk.*Start from another"
    ):
        init_weights(NETS["bcresnet1"](), "bcresnet1", ["bcresnet1"])  # exported by an older version
