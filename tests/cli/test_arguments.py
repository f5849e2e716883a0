"""Wrong arguments end in a sentence and an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

LONG = "a" * 300  # too long for a file name


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (("listen", "demo", "--hop", "0.015"), 2, "multiples of 0.01"),
        (("listen", "demo", "--threshold", "2"), 2, "0.05 to 0.99"),
        (("listen", "demo", "--seconds", "0"), 2, "1 or more"),
        (("listen", "demo", "--channel", "2"), 2, "no channel 2"),
        (("listen", "demo", "--channel", "0"), 2, "counted from 1"),
        (("listen", "demo", "--device", "3"), 2, "Give one of the two"),
        (("listen", "demo", "--raw-rate", "8000"), 2, "listen -"),
        (("listen", "demo", "--hop", "nan"), 2, "multiples of 0.01"),
        (("listen", "demo", "--seconds", "inf"), 2, "1 or more"),
        (("listen", "--nonsense"), 2, "No such option"),
        (("prepare",), 2, "--demo"),
        (("listen", "demo", "--model", f"{LONG}.onnx"), 5, "cannot read"),
        (("prepare", "--speech", LONG, "--noise", LONG), 6, "cannot read"),
        pytest.param(("train", "nowhere"), 6, "noisewatch prepare", marks=pytest.mark.extras),
        pytest.param(("train", LONG), 6, "no manifest at", marks=pytest.mark.extras),
        pytest.param(("export-onnx", "nowhere"), 6, "no checkpoint at nowhere", marks=pytest.mark.extras),
    ],
)
def test_wrong_arguments_get_a_sentence(invoke, tmp_path: Path, args: tuple[str, ...], code: int, sentence: str):
    done = invoke(*args, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_training_extra_the_error_says_how_to_install_it(run, tmp_path: Path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    done = run("train", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert "pip install '.[train]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("listen --fast", "--fast would be ignored without a recording"),
        ("listen demo --pre-roll 3", "--pre-roll would be ignored without --keep-clips"),
        ("listen demo --threshold 0.8 --calibration", "--calibration would be ignored with --threshold"),
        ("listen demo --calibration", "--calibration would be ignored with SOURCE"),
        ("scan demo --address here", "--address would be ignored without --engine ray"),
        ("scan demo --engine ray --jobs 2", "--jobs would be ignored with --engine"),
        ("evaluate data --windows x.npz", "DATA would be ignored with --windows"),
        (
            "evaluate --windows x.npz --split val --count 50 --seed 3",
            "--split and --count and --seed would be ignored",
        ),
        ("evaluate --dnsmos x.onnx", "--dnsmos would be ignored without --baselines"),
        ("evaluate --json -o report", "--json would be ignored with --out"),
        ("prepare --demo --speech voices", "--speech would be ignored with --demo"),
    ],
)
def test_options_that_do_not_go_together_are_refused(invoke, words: str, sentence: str):
    done = invoke(*words.split())
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
