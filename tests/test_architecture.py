"""Rules of the architecture that can be checked: which room imports which."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

HEAVY = {"torch", "torchaudio", "lightning_fabric", "onnx", "onnxscript"}


RUNTIME = sorted((ROOT / "noisewatch").rglob("*.py"))
LATE = "noisewatch/cli/app.py"  # the only module that may name the training package, once a command needs it


def imported(text: str, place: str) -> set[str]:
    """Absolute names of everything that a module imports, also by strings. place: such as noisewatch/cli/app.py."""
    package, names = place.removesuffix(".py").split("/")[:-1], set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base, *(f"{base}.{a.name}" for a in node.names)}
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):  # import_module, __import__
            strings = [n.value for a in node.args for n in ast.walk(a) if isinstance(n, ast.Constant)]
            names |= {value for value in strings if isinstance(value, str)}
    return names


def is_heavy(name: str) -> bool:
    return name.split(".")[0] in HEAVY or f"{name}.".startswith("noisewatch.training.")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("noisewatch/cli/scan.py", "from noisewatch import training"),
        ("noisewatch/cli/scan.py", "import noisewatch.training"),
        ("noisewatch/cli/scan.py", "import noisewatch.training.nets as nets"),
        ("noisewatch/cli/scan.py", "from .. import training"),
        ("noisewatch/cli/scan.py", "from ..training import evaluate"),
        ("noisewatch/cli/scan.py", "from ..training.nets import NETS"),
        ("noisewatch/cli/__init__.py", "def f():\n    from .. import errors, training"),
        ("noisewatch/core/stream.py", "from .. import training"),
        ("noisewatch/core/stream.py", "from ..training import evaluate"),
        ("noisewatch/core/stream.py", "if True:\n    import torch.nn as nn"),
        ("noisewatch/core/stream.py", "importlib.import_module('torch')"),
        ("noisewatch/core/stream.py", "importlib.import_module(f'noisewatch.training.{name}')"),
    ],
)
def test_every_form_of_import_is_detected(place: str, line: str):
    assert any(map(is_heavy, imported(line, place)))
    within_cli = imported("from . import training, base", "noisewatch/cli/scan.py")
    assert not any(map(is_heavy, within_cli))


# What each room may import besides itself, lowest floor first. Every room may import `errors`.
MAY_IMPORT = {
    "system": set(),
    "audio": set(),
    "decoding": {"system", "audio"},
    "inputs": {"system", "audio", "decoding"},
    "core": {"system", "audio", "inputs"},
    "outputs": {"system", "audio", "core"},
    "ui": {"audio", "inputs", "core"},
    "tasks": {"system", "audio", "inputs", "core", "outputs", "ui"},
    "recordings": {"system", "audio", "decoding", "inputs", "core", "ui"},
    "corpus": {"system", "audio", "decoding", "inputs", "core", "ui"},
    "evaluation": {"system", "audio", "inputs", "core", "ui", "tasks", "corpus"},
    "bench": {"system", "audio", "inputs", "core", "recordings", "evaluation"},
    "cli": {
        "system",
        "audio",
        "inputs",
        "core",
        "outputs",
        "ui",
        "tasks",
        "recordings",
        "corpus",
        "evaluation",
        "bench",
    },
    "training": {"system", "audio", "core", "ui", "corpus", "evaluation"},
}


def rooms_of(names: set[str]) -> set[str]:
    """The rooms that absolute names belong to: the second part of noisewatch.ROOM.module."""
    return {
        parts[1] for parts in (name.split(".") for name in names) if parts[0] == "noisewatch" and len(parts) > 1
    }


def test_imports_point_downwards():
    """Rooms are layers: no cycles, and no imports upwards."""
    known = list(MAY_IMPORT)
    for room, below in MAY_IMPORT.items():
        assert all(known.index(each) < known.index(room) for each in below), room
    seen = set()
    for path in [*RUNTIME, *(ROOT / "training").rglob("*.py")]:
        place = path.relative_to(ROOT).as_posix()
        place = place if place.startswith("noisewatch/") else f"noisewatch/{place}"
        room = place.split("/")[1]
        if room.endswith(".py"):
            continue  # the package itself and its command may import every room
        names = imported(path.read_text(), place)
        assert "noisewatch" not in names, f"{place} imports the package, which imports everything"
        found = (rooms_of(names) & set(known)) - {room}
        if place == LATE:
            found -= {"training"}
        assert found <= MAY_IMPORT[room], f"{place} imports {found - MAY_IMPORT[room]}"
        seen.add(room)
    assert seen == set(known)


def test_no_room_holds_more_than_a_fifth_of_the_lines():
    count: dict[str, int] = {}
    for path in [*RUNTIME, *(ROOT / "training").rglob("*.py")]:
        parts = path.relative_to(ROOT).parts
        room = parts[1] if parts[0] == "noisewatch" and len(parts) > 2 else parts[0]
        count[room] = count.get(room, 0) + len(path.read_text().splitlines())
    assert max(count.values()) <= sum(count.values()) / 5, count


def test_the_runtime_never_imports_training_or_torch():
    assert {p.parent.name for p in RUNTIME} >= {"noisewatch", *MAY_IMPORT} - {"training"}
    texts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in RUNTIME}
    found = {(place, n) for place, text in texts.items() for n in imported(text, place) if is_heavy(n)}
    assert found == {(LATE, "noisewatch.training.")}


def test_one_module_imports_sounddevice():
    for path in RUNTIME:
        if path.name != "portaudio.py":
            names = imported(path.read_text(), path.relative_to(ROOT).as_posix())
            assert not any(name.split(".")[0] == "sounddevice" for name in names), path.name


def test_one_module_writes_to_stderr():
    """That module does not block on a slow reader, and escapes control characters in names."""
    for path in RUNTIME:
        if path.name != "stderr.py":
            text = path.read_text()
            assert "file=sys.stderr" not in text, path.name
            assert "typer.echo" not in text, path.name


def test_the_command_line_itself_loads_none_of_the_large_packages():
    """Help, completion and Ctrl-C answer at once."""
    code = "import sys, noisewatch.cli\nprint([m for m in ('numpy', 'rich', 'onnxruntime') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/tmp", check=False)
    assert done.stdout == "[]\n", done.stderr


def test_listen_loads_no_torch_and_no_training():
    code = (
        f"import sys\nHEAVY = {HEAVY}\n"
        "sys.argv = ['noisewatch', 'listen', 'demo', '--json', '--fast', '--seconds', '4']\n"
        "from noisewatch.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    bad = [m for m in sys.modules if m.split('.')[0] in HEAVY or 'noisewatch.training' in m]\n"
        "    print('LOADED', bad, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/tmp", check=False)
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stderr
