"""The house rules that can be checked: who imports whom."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "torchaudio", "lightning_fabric", "onnx", "onnxscript"}


def imported(path: Path) -> set[str]:
    tree, names = ast.parse(path.read_text()), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(("." * node.level) + (node.module or ""))
    return names


def test_the_runtime_never_imports_training_or_torch():
    files = list((ROOT / "noisewatch").glob("*.py"))
    assert len(files) > 10
    for path in files:
        for name in imported(path):
            assert name.split(".")[0] not in HEAVY, (path.name, name)
            assert "training" not in name, (path.name, name)


def test_only_the_microphone_knows_portaudio():
    for path in (ROOT / "noisewatch").glob("*.py"):
        if path.name != "microphone.py":
            assert "sounddevice" not in imported(path), path.name


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
