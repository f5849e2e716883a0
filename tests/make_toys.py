"""Generates the networks without weights in tests/toys/, for testing model loading without onnx and torch.

    python tests/make_toys.py

None of them has a card: tests add the one that they need, with model_files.py.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

OUT = Path(__file__).parent / "toys"
TOYS = {
    "plain": {},  # noise is the mean log-Mel power
    "counting": {"state": True, "frames": 10},  # noise is the number of calls so far
    "renamed": {"inputs": "mel"},
    "wide": {"width": 2},  # noise has two numbers
}


def toy(*, state: bool = False, frames: int = 298, inputs: str = "logmel", width: int = 1) -> onnx.ModelProto:
    """A network whose snr_db output is the reference level and whose voice output is a constant."""
    f = TensorProto.FLOAT
    values = [helper.make_tensor_value_info(n, f, s) for n, s in ((inputs, [1, frames, 40]), ("reference", [1]))]
    nodes = [helper.make_node("ReduceMean", [inputs], ["mean"], axes=[1, 2], keepdims=0)]
    outputs = [
        helper.make_tensor_value_info(n, f, [width if n == "noise" else 1]) for n in ("noise", "snr_db", "voice")
    ]
    constants = [helper.make_tensor("one", f, [1], [1.0])]
    if state:
        values.append(helper.make_tensor_value_info("calls", f, [1]))
        outputs.append(helper.make_tensor_value_info("calls_out", f, [1]))
        nodes += [helper.make_node("Add", ["calls", "one"], ["calls_out"])]
        nodes += [helper.make_node("Identity", ["calls_out"], ["noise"])]
    else:
        nodes += [helper.make_node("Concat", ["mean"] * width, ["noise"], axis=0)]
    nodes += [
        helper.make_node("Identity", ["reference"], ["snr_db"]),
        helper.make_node("Identity", ["one"], ["voice"]),
    ]
    graph = helper.make_graph(nodes, "toy", values, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for name, options in TOYS.items():
        onnx.save(toy(**options), OUT / f"{name}.onnx")
