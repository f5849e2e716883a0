"""Checkpoints and the ONNX files made of them: damaged ones, runtimes that disagree, half precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from runs import write_checkpoint

from noisewatch import InputError, OutputError, ParityError, UsageError
from noisewatch.core.model import Model
from noisewatch.core.shipped import WAVEFORM, find_model
from noisewatch.training import export
from noisewatch.training.checkpoint import load_checkpoint, save_checkpoint
from noisewatch.training.config import configured
from noisewatch.training.nets import NETS
from noisewatch.training.nets.head import NoiseNet


@pytest.mark.parametrize("name", NETS)
def test_every_network_has_a_recipe_and_can_be_exported(name: str, tmp_path: Path):
    config = configured({"net": name})
    assert config.net == name
    if name in ("bcresnet8", "bcresnet16", "vgg11"):  # bcresnet1 but wider; the one below; 18 MB to write
        return
    net = NETS[name]()
    write_checkpoint(tmp_path / "best.pt", name, net)
    file = export.export(tmp_path, tmp_path / "x.onnx")
    card = Model(file).card
    assert card.frontend.highpass_hz == 20
    if name == "dense":  # a run older than the high-pass
        state = load_checkpoint(tmp_path / "best.pt")
        del state["frontend"]["highpass_hz"]
        save_checkpoint(tmp_path / "best.pt", state)
        assert Model(export.export(tmp_path, tmp_path / "old.onnx")).card.frontend.highpass_hz == 0
    assert card.parameters == sum(p.numel() for p in net.parameters())
    assert card.macs > 100_000
    assert file.stat().st_size < 2.2 * card.parameters + 170_000  # half precision, and the graph


def test_the_file_with_the_front_end_agrees_with_the_runtime():
    assert export.waveform_parity(find_model("stcn").with_name(f"{WAVEFORM}.onnx"), Model("stcn"), 2.0) < 1e-4


def test_a_front_end_is_only_for_streaming_networks(tmp_path: Path):
    write_checkpoint(tmp_path / "best.pt", "tcn", NETS["tcn"]())
    with pytest.raises(UsageError, match="tcn judges whole windows"):
        export.export(tmp_path, tmp_path / "x.onnx", with_frontend=True)
    assert not (tmp_path / "x.onnx").exists()


def test_a_front_end_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_checkpoint(tmp_path / "best.pt", "stcn", NETS["stcn"]())
    monkeypatch.setattr(export, "waveform_parity", lambda path, model: 0.002)
    with pytest.raises(ParityError, match=r"2.0e-03 at most; allowed: 1e-03. Nothing was written"):
        export.export(tmp_path, tmp_path / "x.onnx", with_frontend=True)
    assert not (tmp_path / "x.onnx").exists()


def test_export_refuses_when_runtimes_disagree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_checkpoint(tmp_path / "best.pt", "dense", NETS["dense"]())
    honest = export.trained

    class Off(NoiseNet):
        def forward(self, logmel, reference):
            verdict = super().forward(logmel, reference)
            off = 0.0 if export.torch.onnx.is_in_onnx_export() else 1e-3
            return verdict._replace(voice=verdict.voice + off)

    def lying(state):
        net = honest(state)
        net.__class__ = Off
        return net

    monkeypatch.setattr(export, "trained", lying)
    with pytest.raises(ParityError, match=r"e-0[1-3] at most.*Nothing was written"):
        export.export(tmp_path, tmp_path / "x.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["best.pt"]


def test_an_unwritable_place_is_an_error(tmp_path: Path):
    write_checkpoint(tmp_path / "best.pt", "dense", NETS["dense"]())
    (tmp_path / "file.json").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        export.export(tmp_path, tmp_path / "file.json" / "x.onnx")
    with pytest.raises(UsageError, match=r"does not end in \.onnx"):
        export.export(tmp_path, tmp_path / "x.bin")
    with pytest.raises(InputError, match=r"file\.json"):
        export.export(tmp_path / "file.json", tmp_path / "x.onnx")


@pytest.mark.parametrize(("called", "said"), [("tcn", "its weights do not fit"), ("rnn", "unknown network 'rnn'")])
def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path, called: str, said: str):
    write_checkpoint(tmp_path / "best.pt", "dense", NETS["dense"]())
    state = load_checkpoint(tmp_path / "best.pt")
    save_checkpoint(tmp_path / "best.pt", state | {"config": state["config"] | {"net": called}})
    with pytest.raises(InputError, match=said):
        export.export(tmp_path, None)


@pytest.mark.parametrize("part", ["net", "config", "frontend", "step", "best", "metrics", "data", "optimizer"])
def test_a_checkpoint_that_lacks_something_is_refused(tmp_path: Path, part: str):
    write_checkpoint(tmp_path / "best.pt", "dense", NETS["dense"]())
    whole = load_checkpoint(tmp_path / "best.pt")
    for wrong in ({}, {part: [1]}, {part: "[" * 5000}):
        save_checkpoint(tmp_path / "best.pt", {k: v for k, v in whole.items() if k != part} | wrong)
        with pytest.raises(InputError, match=r"is damaged: it lacks|is not a checkpoint of this version"):
            load_checkpoint(tmp_path / "best.pt")


def test_only_exact_tensors_are_stored_in_half_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tensors = {
        "round": np.full(2048, 0.5),
        "fine": np.full(2048, 0.1),
        "huge": np.full(2048, 1e6),
        "few": np.full(8, 0.5),
    }
    stored = [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in tensors.items()]
    graph = onnx.helper.make_graph([], "g", [], [], stored)
    model = export.halved(onnx.helper.make_model(graph))
    assert [t.name for t in model.graph.initializer] == ["round.half", "fine", "huge", "few"]
    assert [(n.op_type, *n.output) for n in model.graph.node] == [("Cast", "round")]
    # Statistics of batch norms as wide as bcresnet16's are not weights: they are not rounded, and still agree.
    net = NETS["bcresnet16"]()
    for name, buffer in net.named_buffers():
        if "running" in name:
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    write_checkpoint(tmp_path / "best.pt", "bcresnet16", net)
    monkeypatch.setattr(export, "PARITY_WINDOWS", 4)  # a large network
    export.export(tmp_path, tmp_path / "x.onnx")
