"""Initial weights from a model file: the tensors of its graph, under the names that they have in torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from noisewatch.core.model import Model
from noisewatch.errors import ModelError

from .nets import NETS

PREFIX = "net."  # of the network inside `export.Judge`
GRU_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
Array = NDArray[Any]


def weights_of(source: str) -> dict[str, Any]:
    """The weights of a shipped model or an ONNX file, in the form of a checkpoint: config, net, step and data.

    Tensors of another shape than this version's are left out, and named in `missing`. Raises ModelError for a file
    that is not a model, lacks weights, or holds a network that is not in NETS.
    """
    model = Model(source)
    card, name = model.card, str(model.card.training.get("net"))
    if name not in NETS:
        raise ModelError(f"{model.path} holds the network {name!r}, which this version cannot train.")
    net = NETS[name]()
    found = dict(_tensors(onnx.load(model.path).graph, net))
    wanted = net.state_dict()
    expected = [key for key in wanted if not key.endswith("num_batches_tracked")]
    if absent := [key for key in expected if key not in found]:
        raise ModelError(
            f"{model.path} lacks {len(absent)} of the weights of a {name}, such as {absent[0]}: an older version "
            "folded its batch norms. Start from another model, or from a run."
        )
    missing = [key for key in expected if found[key].shape != wanted[key].shape]
    fitting = {key: found[key] for key in expected if key not in missing}
    data = {"sources": card.trained_on, "shippable": card.shippable, "teachers": card.training.get("teachers", [])}
    data["init_from"] = card.training.get("init_from", [])
    return {
        "config": {"net": name},
        "net": {**wanted, **fitting},
        "step": card.training.get("steps", 0),
        "data": json.dumps(data),
        "digest": model.digest,
        "missing": missing,
    }


def _tensors(graph: onnx.GraphProto, net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Weights of a network by name. The exporter renames those that it stores in another layout."""
    stored = {t.name.removesuffix(".half"): onnx.numpy_helper.to_array(t) for t in graph.initializer}
    yield from ((key.removeprefix(PREFIX), _single(value)) for key, value in stored.items())
    nodes = iter([node for node in graph.node if node.op_type == "GRU"])
    made_by = {output: node for node in graph.node for output in node.output}
    for name, module in net.named_modules():
        if isinstance(module, nn.GRU):
            for layer in range(module.num_layers):
                _, w, r, b = next(nodes).input[:4]
                for key, value in _gru(stored[w], stored[r], stored[b], layer):
                    yield f"{name}.{key}", _single(value)
        elif isinstance(module, nn.Linear) and f"{PREFIX}{name}.weight" not in stored:
            bias = f"{PREFIX}{name}.bias"
            add = next((n for n in graph.node if n.op_type == "Add" and bias in n.input), None)
            product = [made_by[i] for i in add.input if i in made_by] if add else []
            if product and product[0].op_type == "MatMul":  # of three dimensions: stored transposed
                yield f"{name}.weight", _single(stored[product[0].input[1]].T)


def _gru(w: Array, r: Array, b: Array, layer: int) -> Iterator[tuple[str, Array]]:
    """Weights of one layer of a GRU under torch's names; ONNX has the gates in the order z, r, n, torch r, z, n."""
    for direction, suffix in enumerate(("", "_reverse")[: len(w)]):
        parts = (w[direction], r[direction], *np.split(b[direction], 2))
        for key, value in zip(GRU_WEIGHTS, parts, strict=True):
            z, reset, new = np.split(value, 3)
            yield f"{key}_l{layer}{suffix}", np.concatenate([reset, z, new])


def _single(value: Array) -> Tensor:
    return torch.from_numpy(np.array(value, np.float32))
