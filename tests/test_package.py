"""The public names of the package."""

import ast
import subprocess
import sys

import noisewatch


def test_public_names_exist_and_complete():
    assert all(hasattr(noisewatch, name) for name in noisewatch.__all__)
    code = "import noisewatch, rlcompleter; print(rlcompleter.Completer({'n': noisewatch}).attr_matches('n.'))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/tmp"
    ).stdout
    offered = {name.removeprefix("n.").rstrip("()") for name in ast.literal_eval(shown)}
    assert offered == {name for name in noisewatch.__all__ if not name.startswith("_")}
