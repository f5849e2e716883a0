"""Model files for tests: toy networks with a card, and networks that misbehave."""

from dataclasses import replace
from pathlib import Path

from conftest import TOYS

from noisewatch.core.card import METADATA_KEY, Card
from noisewatch.core.model import STREAMING_OUTPUTS

CARD = Card(name="toy", version="0", window_s=3.0, hop_s=0.1, threshold=0.5)


def toy(path: Path, card: str | None, name: str = "plain") -> Path:
    """A network of make_toys.py, with a card unless it is None."""
    model = (TOYS / f"{name}.onnx").read_bytes()
    if card is not None:  # protobuf merges what is appended to a message into it
        entry = _field(1, METADATA_KEY.encode()) + _field(2, card.encode())
        model += _field(14, entry)  # ModelProto.metadata_props
    path.write_bytes(model)
    return path


def damaged(path: Path, near: bytes, byte: bytes) -> Path:
    """A toy whose bytes `near` have their last byte replaced by `byte`."""
    toy(path, CARD.to_json())
    path.write_bytes(path.read_bytes().replace(near, near[:-1] + byte))
    return path


def hostile(path: Path, kind: str) -> Path:
    """A network with a valid card that needs too much memory or time, or fails at run time. Needs onnx."""
    from onnx import TensorProto, helper, save

    f, i, node = TensorProto.FLOAT, TensorProto.INT64, helper.make_node
    if kind.startswith("state"):
        return _hostile_state(path, {"state huge": 1 << 34, "state of any size": "n", "state of none": 0}[kind])
    inputs = [helper.make_tensor_value_info("logmel", f, [1, 298, 40])]
    inputs += [helper.make_tensor_value_info("reference", f, [1])]
    outputs = [helper.make_tensor_value_info(name, f, [1]) for name in ("noise", "snr_db", "voice")]
    nodes, constants = [node("Identity", ["reference"], [name]) for name in ("snr_db", "voice")], []
    if kind in ("constant", "expanded"):
        constants = [helper.make_tensor("n", i, [1], [1 << 29])]  # 2 GB
        made = (
            node("ConstantOfShape", ["n"], ["big"])
            if kind == "constant"
            else node("Expand", ["reference", "n"], ["big"])
        )
        nodes += [
            made,
            node("ReduceMean", ["big"], ["mean"], keepdims=0),
            node("Add", ["mean", "reference"], ["noise"]),
        ]
    elif kind == "lying":
        constants = [helper.make_tensor("w", f, [1], [1.0])]
        constants[0].dims[0] = 1 << 34
        nodes += [node("ReduceMean", ["w"], ["mean"], keepdims=0), node("Add", ["mean", "reference"], ["noise"])]
    elif kind == "endless":
        again = helper.make_tensor_value_info("again", TensorProto.BOOL, [])
        x, went_on = (
            helper.make_tensor_value_info("x", f, [1]),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        )
        y = helper.make_tensor_value_info("y", f, [1])
        body = [node("Identity", ["again"], ["on"]), node("Identity", ["x"], ["y"])]
        graph = helper.make_graph(body, "body", [helper.make_tensor_value_info("k", i, []), again, x], [went_on, y])
        constants = [
            helper.make_tensor("n", i, [], [1 << 62]),
            helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        ]
        nodes += [node("Loop", ["n", "yes", "reference"], ["noise"], body=graph)]
    elif kind == "out of range where it is loud":
        constants = [helper.make_tensor("most", f, [], [-6.0])]
        nodes += [node("ReduceMax", ["logmel"], ["peak"], keepdims=0), node("Greater", ["peak", "most"], ["over"])]
        nodes += [node("Cast", ["over"], ["index"], to=i), node("Reshape", ["index", "one"], ["place"])]
        constants += [helper.make_tensor("one", i, [1], [1])]
        nodes += [node("Gather", ["reference", "place"], ["noise"])]
    else:  # fails depending on the input, not when it is loaded
        nodes += [node("Cast", ["reference"], ["below"], to=i), node("Abs", ["below"], ["index"])]
        last = {
            "out of range": ["Gather", "reference", "index"],
            "of another size": ["Expand", "reference", "index"],
        }
        operation, *of = last[kind]
        nodes += [node(operation, of, ["noise"])]
    model = helper.make_model(
        helper.make_graph(nodes, "hostile", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=9,
    )  # fmt: skip
    helper.set_model_props(model, {METADATA_KEY: CARD.to_json()})
    save(model, path)
    return path


def _hostile_state(path: Path, numbers: int | str) -> Path:
    """A streaming network with a state of another size than is allowed."""
    from onnx import TensorProto, helper, save

    f, node = TensorProto.FLOAT, helper.make_node
    shapes = {"logmel": ["b", "t", 40], "reference": ["b"], "state": ["b", numbers]}
    told = [name for name in STREAMING_OUTPUTS if name not in ("kind", "state_out")]
    nodes = [node("Identity", ["reference"], [name]) for name in told] + [
        node("Identity", ["state"], ["state_out"])
    ]
    nodes += [node("Reshape", ["reference", "column"], ["one"]), node("Expand", ["one", "row"], ["kind"])]
    outputs = [helper.make_tensor_value_info(name, f, ["b"]) for name in told]
    outputs += [helper.make_tensor_value_info("kind", f, None)]
    outputs += [helper.make_tensor_value_info("state_out", f, shapes["state"])]
    constants = [
        helper.make_tensor(n, TensorProto.INT64, [2], v) for n, v in (("column", [-1, 1]), ("row", [1, 10]))
    ]
    inputs = [helper.make_tensor_value_info(name, f, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "hostile", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: replace(CARD, step_s=0.1).to_json()})
    save(model, path)
    return path


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)
