"""Generates the networks without weights in tests/toys/, for testing model loading without onnx and torch.

    python tests/make_toys.py

None of them has a card: tests add the one that they need, with model_files.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

OUT = Path(__file__).parent / "toys"
TOYS: dict[str, dict[str, Any]] = {
    "plain": {},  # noise is the mean log-Mel power
    "renamed": {"inputs": "mel"},
    "wide": {"width": 2},  # noise has two numbers
}


def toys() -> dict[str, onnx.ModelProto]:
    """All networks by name."""
    return {"counting": counting(), **{name: toy(**options) for name, options in TOYS.items()}}


def toy(*, inputs: str = "logmel", width: int = 1) -> onnx.ModelProto:
    """A network whose snr_db output is the reference level and whose voice output is a constant."""
    f = TensorProto.FLOAT
    values = [helper.make_tensor_value_info(n, f, s) for n, s in ((inputs, [1, 298, 40]), ("reference", [1]))]
    outputs = [
        helper.make_tensor_value_info(n, f, [width if n == "noise" else 1]) for n in ("noise", "snr_db", "voice")
    ]
    nodes = [
        helper.make_node("ReduceMean", [inputs], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Concat", ["mean"] * width, ["noise"], axis=0),
        helper.make_node("Identity", ["reference"], ["snr_db"]),
        helper.make_node("Identity", ["one"], ["voice"]),
    ]
    return _model(nodes, values, outputs, [helper.make_tensor("one", f, [1], [1.0])])


def counting() -> onnx.ModelProto:
    """A streaming network of one stream whose noise is a tenth of the number of steps so far, less 3."""
    f, node = TensorProto.FLOAT, helper.make_node
    shapes = {"logmel": ["b", "t", 40], "reference": ["b"], "state": ["b", 1]}
    values = [helper.make_tensor_value_info(name, f, shape) for name, shape in shapes.items()]
    told = ("noise", "snr_db", "voice", "snr_width_db", "now", "voice_dbfs")
    outputs = [helper.make_tensor_value_info(name, f, ["n"]) for name in told]
    outputs += [helper.make_tensor_value_info(n, f, s) for n, s in (("kind", ["n", 10]), ("state_out", ["b", 1]))]
    nodes = [
        node("Reshape", ["logmel", "rows"], ["steps"]),  # (n, 400)
        node("ReduceMean", ["steps"], ["mean"], axes=[1], keepdims=0),
        node("Mul", ["mean", "zero"], ["zeros"]),  # (n,)
        node("Add", ["zeros", "tenth"], ["tenths"]),
        node("CumSum", ["tenths", "axis"], ["counted"]),
        node("Reshape", ["state", "flat"], ["before"]),
        node("Add", ["counted", "before"], ["count"]),
        node("ReduceMax", ["count"], ["last"], keepdims=1),
        node("Reshape", ["last", "column"], ["state_out"]),
        node("Sub", ["count", "three"], ["noise"]),
        *(node("Identity", ["noise"], [name]) for name in ("now",)),
        *(node("Add", ["zeros", "one"], [name]) for name in ("snr_db", "voice", "snr_width_db", "voice_dbfs")),
        node("Reshape", ["zeros", "column"], ["zero_column"]),
        node("Add", ["zero_column", "kinds"], ["kind"]),
    ]
    i = TensorProto.INT64
    constants = [
        helper.make_tensor(n, i, [len(v)], v) for n, v in (("rows", [-1, 400]), ("flat", [-1]), ("column", [-1, 1]))
    ]
    constants += [
        helper.make_tensor(n, f, [], [v]) for n, v in (("zero", 0), ("tenth", 0.1), ("three", 3), ("one", 1))
    ]
    constants += [
        helper.make_tensor("axis", i, [], [0]),
        helper.make_tensor("kinds", f, [1, 10], [9.0] + [0.0] * 9),
    ]
    return _model(nodes, values, outputs, constants)


def _model(nodes: list, values: list, outputs: list, constants: list) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "toy", values, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for name, model in toys().items():
        onnx.save(model, OUT / f"{name}.onnx")
