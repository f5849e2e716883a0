"""From recordings to a verdict: prepare, train, export, listen; and the rules that keep the numbers honest."""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from conftest import wait_for

from noisewatch import InputError, ModelError, NoisewatchError, OutputError, ParityError, UsageError
from noisewatch.audio.logmel import FrontendConfig, LogMel
from noisewatch.core.model import Model
from noisewatch.corpus.catalogue import Catalogue
from noisewatch.corpus.config import SceneConfig
from noisewatch.corpus.manifest import Row, read_manifest, write_manifest
from noisewatch.corpus.overrides import changed
from noisewatch.training import export, fit
from noisewatch.training.batch_augment import augmented
from noisewatch.training.checkpoint import load_checkpoint, save_checkpoint
from noisewatch.training.config import TrainConfig, configured
from noisewatch.training.dataset import NOISY, NOISY_WEIGHT, SNR, SNR_WEIGHT, Windows, batches
from noisewatch.training.distill import Teachers
from noisewatch.training.loss import loss
from noisewatch.training.nets import NETS
from noisewatch.training.nets.bcresnet import BCResNet
from noisewatch.training.nets.duo import _coarser
from noisewatch.training.platt import platt_scaling
from noisewatch.training.provenance import distilled, init_weights

SCENES = SceneConfig()
TINY = ("--epochs", "2", "--windows", "128", "--batch", "16", "--workers", "1")
SMALLEST = {
    "net": "dense",
    "epochs": 1,
    "windows": 32,
    "batch": 16,
    "workers": 0,
}  # where the command is not in question


def logged(run: Path) -> list[dict[str, str]]:
    """The rows of a run's logs, in the order of its resumes."""
    rows = []
    for log in sorted(run.glob("log/version_*/metrics.csv")):
        with log.open() as file:
            rows += list(csv.DictReader(file))
    return rows


@pytest.fixture(scope="module")
def toy_run(run, toy_set: Path) -> Path:
    folder = toy_set.parent / "runs" / "first"
    recipe = toy_set.parent / "distilled.toml"
    recipe.write_text('net = "mhatt"\nunique_windows = 300\nbatch_augment = 0.5\nteachers = ["dense"]\n')
    done = run("train", toy_set, "-o", folder, "--recipe", recipe, *TINY, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "epoch 2: loss" in done.stderr
    assert done.stdout.strip() == str(folder / "best.pt")
    return folder


def test_prepare_train_export_listen(run, toy_set: Path, toy_run: Path):
    # Bare: the newest run under ./runs.
    done = run("export-onnx", "-o", "mine.onnx", cwd=toy_set.parent)
    assert done.returncode == 0, done.stderr
    assert "differ by" in done.stderr
    card = Model(toy_set.parent / "mine.onnx").card
    assert card.name == "mine"
    assert not card.shippable  # the folders of a user are marked ship=no until they say otherwise
    taught = {s["source"] for s in Model("dense").card.trained_on}
    assert {s["source"] for s in card.trained_on} == {"speech", "noise"} | taught
    assert card.training["teachers"] == [f"dense {Model('dense').digest}"]
    done = run("listen", "demo", "--fast", "--json", "--model", toy_set.parent / "mine.onnx")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 100
    log = logged(toy_run)
    assert [row["epoch"] for row in log] == ["1", "2"]
    assert all(0 <= float(row["auc"]) <= 1 for row in log)


def test_without_data_training_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(InputError, match="noisewatch prepare"):
        fit.fit(tmp_path / "data", tmp_path / "run", SMALLEST)


def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_written(run, toy_set: Path, tmp_path: Path):
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write that fails, as on a full disk

    tiny = ["--epochs", "1", "--windows", "32", "--batch", "16", "--workers", "0", "--net", "dense"]
    command = [sys.executable, "-m", "noisewatch", "train", str(toy_set), "-o", str(tmp_path / "run"), *tiny]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited, check=False)
    assert done.returncode == 7
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["config.json"]


def test_a_rate_that_ends_in_nan_is_a_sentence(toy_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    validated = fit.validate
    monkeypatch.setattr(fit, "validate", lambda net, windows: validated(_broken(net), windows))
    with pytest.raises(
        NoisewatchError, match=r"validation windows are not finite at step 2\. Start again, and try"
    ):
        fit.fit(toy_set, tmp_path / "run", SMALLEST)
    assert not (tmp_path / "run" / "best.pt").exists()


def _broken(net):
    import torch

    with torch.no_grad():
        net.out.bias.fill_(float("nan"))
    return net


def test_ctrl_c_saves_and_resume_goes_on(run, toy_set: Path, tmp_path: Path):
    folder = tmp_path / "run"
    args = ["train", str(toy_set), "-o", str(folder), "--net", "dense", "--windows", "32", "--batch", "16"]
    command = [sys.executable, "-m", "noisewatch", *args, "--epochs", "500", "--resume"]  # as a job does each time
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/tmp"
    ) as process:
        wait_for((folder / "last.pt").exists, 120)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"no run in {folder} yet: starting one" in err
    assert "--resume" in err
    assert "Traceback" not in err
    before = len(logged(folder))
    assert before >= 1
    with pytest.raises(OutputError, match="Go on with --resume"):  # a run is not overwritten
        fit.fit(toy_set, folder, SMALLEST)
    done = run(*args, "--epochs", before + 1, "--resume", timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(logged(folder)) == before + 1


def test_export_refuses_when_runtimes_disagree(toy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    honest = export.trained

    class Off(type(honest(export.load_checkpoint(toy_run / "best.pt")))):  # type: ignore[misc]
        def forward(self, logmel, reference):
            verdict = super().forward(logmel, reference)
            off = 0.0 if export.torch.onnx.is_in_onnx_export() else 1e-3
            return verdict._replace(snr_db=verdict.snr_db + off)

    def lying(state):
        net = honest(state)
        net.__class__ = Off
        return net

    monkeypatch.setattr(export, "trained", lying)
    with pytest.raises(ParityError, match=r"1\.0e-03 at most.*Nothing was written"):
        export.export(toy_run, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place_is_an_error(toy_run: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        export.export(toy_run, tmp_path / "file" / "x.onnx")
    with pytest.raises(UsageError, match=r"does not end in \.onnx"):
        export.export(toy_run, tmp_path / "x.bin")
    with pytest.raises(InputError, match=r"config\.json"):
        export.export(toy_run / "config.json", tmp_path / "x.onnx")


def test_a_seed_replays_every_window(catalogue: Catalogue):
    first, again, other = (Windows(catalogue, seed, 8, SCENES) for seed in (3, 3, 4))
    for n in (0, 5):
        np.testing.assert_array_equal(first.window(n).samples, again.window(n).samples)
        assert not np.array_equal(first.window(n).samples, other.window(n).samples)
    logmel, reference, targets, tracks = next(batches(first, 4, 1, 2, workers=0))
    assert logmel.shape == (4, 298, 40)
    np.testing.assert_array_equal(logmel[1], first[5][0])
    assert reference.shape == (4,)
    assert targets.shape == (4, 5)
    assert tracks.shape == (4, 2, 150)


def test_windows_that_were_kept_are_those_that_were_drawn(catalogue: Catalogue, tmp_path: Path, monkeypatch):
    drawn, keeping = Windows(catalogue, 3, 8, SCENES), Windows(catalogue, 3, 8, SCENES, tmp_path)
    for n in (5, 0):
        for a, b in zip(drawn[n], keeping[n], strict=True):
            np.testing.assert_array_equal(a, b)
    assert drawn[5][0].isfinite().all()
    kept = Windows(catalogue, 3, 8, SCENES, tmp_path)
    monkeypatch.setattr(Windows, "window", lambda self, n: pytest.fail(f"drew window {n} again"))
    for a, b in zip(keeping[5], kept[5], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(pytest.fail.Exception):
        kept[1]  # between two that were kept
    with pytest.raises(pytest.fail.Exception):
        Windows(catalogue, 4, 8, SCENES, tmp_path)[5]  # of another seed
    (file,) = tmp_path.rglob("*.windows")
    file.write_bytes(file.read_bytes()[:-7])  # torn off
    with pytest.raises(pytest.fail.Exception):
        kept[5]
    kept[0]


def test_teachers_speak_beside_the_labels(catalogue: Catalogue, tmp_path: Path, monkeypatch):
    import pickle

    plain, teachers = Windows(catalogue, 3, 8, SCENES), Teachers(["mhatt", "tcn"])
    assert pickle.loads(pickle.dumps(teachers)).digest == teachers.digest
    logmel, reference, label, _ = plain[5]
    logit, snr_db = teachers(logmel.numpy(), float(reference))
    told = 1 / (1 + np.exp(-logit))
    half = Windows(catalogue, 3, 8, SCENES, tmp_path, teachers, 0.5)[5][2]
    noisy, weight = label[NOISY], label[NOISY_WEIGHT]
    assert half[NOISY_WEIGHT] == pytest.approx(0.5 * weight + 0.5)
    assert half[NOISY] == pytest.approx((0.5 * weight * noisy + 0.5 * told) / half[NOISY_WEIGHT])
    assert half[SNR] == pytest.approx((label[SNR] + snr_db) / 2)
    np.testing.assert_array_equal(half[SNR + 1 :], label[SNR + 1 :])
    monkeypatch.setattr(Model, "__call__", lambda *_: pytest.fail("asked the teachers again"))
    np.testing.assert_array_equal(Windows(catalogue, 3, 8, SCENES, tmp_path, teachers, 0.5)[5][2], half)
    alone, unweighted = (Windows(catalogue, 3, 8, SCENES, tmp_path, *more) for more in ((), (teachers, 0.0)))
    for deaf in (alone, unweighted):
        np.testing.assert_array_equal(deaf[5][2], label)
    np.testing.assert_array_equal(plain[13][0], plain[5][0])  # eight are drawn, and come again
    with pytest.raises(ModelError, match="unknown model 'mhat'"):
        Teachers(["mhat"])


def test_what_teachers_learned_from_comes_with_them():
    dense, tcn = Model("dense"), Model("tcn")
    mine = {"sources": [{"source": "mine"}], "shippable": False}
    first = distilled(mine, Teachers(["dense"]))
    again = distilled(first, Teachers(["tcn", "dense"]))  # the run goes on with another teacher beside
    assert again["teachers"] == [f"dense {dense.digest}", f"tcn {tcn.digest}"]
    assert again["sources"][0] == {"source": "mine"}
    assert {s["source"] for s in again["sources"]} == {"mine"} | {s["source"] for s in tcn.card.trained_on}
    assert not again["shippable"]
    assert distilled({"sources": [], "shippable": True}, Teachers(["dense"]))["shippable"]


def test_varied_windows_are_other_voices_at_the_same_level(voice: np.ndarray):
    import torch

    x = torch.from_numpy(LogMel().feed(voice[:48_000]))[None].repeat(64, 1, 1)
    assert torch.equal(augmented(x, 0.0, 1), x)
    once = augmented(x, 0.5, 1)
    assert torch.equal(once, augmented(x, 0.5, 1))
    changed = (once != x).flatten(1).any(1)
    assert 20 < changed.sum() < 44
    assert torch.equal(once[~changed], x[~changed])
    level = (torch.logsumexp(once, 2) - torch.logsumexp(x, 2)).abs() * 4.343  # dB
    assert level[changed].median() < 1
    assert not torch.equal(augmented(x, 0.5, 2), once)


def test_calibrated_probabilities_mean_what_they_say():
    import torch

    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, 20_000)
    noisy = rng.random(20_000) < 1 / (1 + np.exp(-truth))
    overconfident = torch.from_numpy(truth * 4 - 3)  # and biased
    scale, offset = platt_scaling(overconfident, torch.from_numpy(noisy))
    assert scale == pytest.approx(0.25, abs=0.01)
    assert offset == pytest.approx(0.75, abs=0.03)
    separable = torch.tensor([-2.0, -1.0, 1.0, 2.0])
    assert platt_scaling(separable, separable > 0)[0] < 100


def test_sources_can_be_left_out_of_training(tmp_path: Path):
    def row(kind: str, source: str, group: str, split: str) -> Row:
        return Row(f"/x/{source}-{group}.wav", kind, source, group, 1.0, split, "yes", None, "CC0")

    rows = [row("speech", "books", "a", "train"), row("speech", "books", "b", "val")]
    rows += [row("noise", s, g, split) for s in ("fans", "dogs") for g, split in (("1", "train"), ("2", "val"))]
    write_manifest(tmp_path / "all.csv", [*rows, row("noise", "street", "3", "test")])
    tool = [sys.executable, "tools/leave_out.py", str(tmp_path / "all.csv"), "-o", str(tmp_path / "left.csv")]
    home = Path(__file__).parent.parent

    def left_out(*sources: str) -> subprocess.CompletedProcess[str]:
        named = [part for s in sources for part in ("--source", s)]
        return subprocess.run([*tool, *named], capture_output=True, text=True, cwd=home, check=False)

    assert left_out("dogs").returncode == 0
    left = {(r.source, r.group): r.split for r in read_manifest(tmp_path / "left.csv")}
    assert left == {("books", "a"): "train", ("books", "b"): "val", ("dogs", "1"): "val", ("dogs", "2"): "val",
                    ("fans", "1"): "train"}  # fmt: skip
    assert "leaves no noise for train" in left_out("dogs", "fans").stderr
    assert "called cats" in left_out("cats").stderr


@pytest.mark.parametrize(("scale", "size"), [(1, 9_200), (8, 321_000)])
def test_bcresnet_has_the_size_of_the_paper(scale: int, size: int):
    """With the paper's 12 classes (Kim et al. 2021, table 2)."""
    trunk = sum(p.numel() for p in BCResNet(scale).parameters())
    assert trunk + 32 * scale * 12 == pytest.approx(size, rel=0.005)


def test_a_height_that_does_not_divide_is_refused():
    import torch

    with pytest.raises(ValueError, match="do not divide by 5"):
        BCResNet(1)(torch.zeros(1, 1, 64, 298))


@pytest.mark.parametrize("name", ["bcresnet1", "bcresnet8", "dense", "duo", "mhatt", "tcn"])
def test_the_command_on_a_card_is_the_run_that_made_the_file(name: str):
    home = Path(__file__).parent.parent
    command = re.search(r"by `noisewatch train DATA (.*?)`", (home / "models" / f"{name}.md").read_text())
    assert command
    words = command[1].split()
    given: dict[str, object] = dict(zip((w.removeprefix("--") for w in words[::2]), words[1::2], strict=True))
    recipe = home / str(given.pop("recipe")) if "recipe" in given else None
    given.pop("init-from", None)  # the run itself is named further down
    for key, kind in (("epochs", int), ("windows", int), ("batch", int), ("lr", float), ("seed", int)):
        given |= {key: kind(given[key])} if key in given else {}
    told = asdict(configured(given, recipe))
    made = Model(name).card.training
    shaped = set(told) & set(made) - {"init_from", "teachers", "workers"}  # these are kept with their digests
    assert {key: made[key] for key in shaped} == {key: told[key] for key in shaped}


@pytest.mark.parametrize("name", NETS)
def test_no_network_hears_gain_beyond_its_reference(voice: np.ndarray, name: str):
    import torch

    net = NETS[name]().eval()
    x = torch.from_numpy(np.stack([LogMel().feed(voice[:48_000] * np.float32(g)) for g in (1, 0.1)]))
    with torch.no_grad():
        same = net(x, torch.tensor([-26.0, -46.0]))  # voice and reference 20 dB down together
    for output in same:
        torch.testing.assert_close(output[0], output[1], atol=2e-2, rtol=0)


def test_a_recipe_sets_what_is_not_given(tmp_path: Path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('net = "dense"\nlr = 0.01\n')
    config = configured({"lr": 0.02, "epochs": 3}, recipe)
    assert (config.net, config.lr, config.epochs) == ("dense", 0.02, 3)
    recipe.write_text("epoch = 3\n")
    with pytest.raises(UsageError, match=r"mine.toml sets 'epoch'.*Did you mean epochs"):
        configured({}, recipe)
    for wrong in ("epochs = \n", "epochs = " + "9" * 5000):
        recipe.write_text(wrong)
        with pytest.raises(InputError, match="no TOML"):
            configured({}, recipe)
    recipe.unlink()
    os.mkfifo(recipe)
    with pytest.raises(InputError, match="not a regular file"):
        configured({}, recipe)
    for options in (
        {"lr": 2.0},
        {"net": "alexnet"},
        {"precision": "8"},
        {"batch": "64"},
        {"teachers": "tcn"},
        {"teachers": 3},
        {"init_from": "runs/mhatt"},
    ):
        with pytest.raises(UsageError, match=r"allowed|there are"):
            configured(options)


def test_a_recipe_sets_the_training_distribution(tmp_path: Path, catalogue: Catalogue):
    recipe = tmp_path / "hum.toml"
    recipe.write_text(
        'net = "dense"\n[scene.noise.kinds]\ntones = 1\n[scene.tones]\nmains_share = 1\nmains_hz = [50]\n'
        "[scene.voice]\nlevel_dbfs = [-30, -20]\n"
    )
    config = configured({}, recipe)
    assert TrainConfig(**json.loads(json.dumps(asdict(config)))) == config  # as a checkpoint and a card store it
    assert changed(config.scene)["voice.level_dbfs"] == (-30, -20)
    assert changed(configured({}).scene) == {}
    for n in range(40):
        scene = Windows(catalogue, 0, 40, config.scene).scene(n)
        assert scene.noise is None or scene.noise.kind == "tones"
    for text, said in (
        ("[scene.voise]", "Did you mean voice"),
        ("[scene.voice]\nlevel_dbfs = [-20, -30]", "the lower one first"),
        ("[scene.noise.kinds]\nmusic = 1", "weights of recording"),
        ("[scene.room]\nshare = 2", "0 to 1"),
        ("scene = 3", "a table"),
    ):
        recipe.write_text(text + "\n")
        with pytest.raises(UsageError, match=said):
            configured({}, recipe)


def _checkpoint(path: Path, name: str, net, data: dict) -> None:
    state = {"config": asdict(configured({"net": name})), "frontend": asdict(FrontendConfig()), "step": 0,
             "best": 0.0, "metrics": {"scale": 2.0, "offset": 0.5}, "data": json.dumps(data),
             "net": net.state_dict(), "optimizer": {}}  # fmt: skip
    save_checkpoint(path, state)


@pytest.mark.parametrize(("called", "said"), [("tcn", "its weights are not of one"), ("rnn", "called 'rnn'")])
def test_a_checkpoint_of_another_network_is_told(run, tmp_path: Path, called: str, said: str):
    _checkpoint(tmp_path / "best.pt", "dense", NETS["dense"](), {"sources": [], "shippable": False})
    state = load_checkpoint(tmp_path / "best.pt")
    save_checkpoint(tmp_path / "best.pt", state | {"config": state["config"] | {"net": called}})
    done = run("export-onnx", tmp_path)
    assert done.returncode == 6
    assert said in done.stderr


@pytest.mark.parametrize("part", ["net", "config", "frontend", "step", "best", "metrics", "data", "optimizer"])
def test_a_checkpoint_that_lacks_something_is_told(tmp_path: Path, part: str):
    _checkpoint(tmp_path / "best.pt", "dense", NETS["dense"](), {"sources": [], "shippable": False})
    whole = load_checkpoint(tmp_path / "best.pt")
    for wrong in ({}, {part: [1]}, {part: "[" * 5000}):
        save_checkpoint(tmp_path / "best.pt", {k: v for k, v in whole.items() if k != part} | wrong)
        with pytest.raises(InputError, match=r"is damaged: it lacks|is no checkpoint of this version"):
            load_checkpoint(tmp_path / "best.pt")


@pytest.mark.parametrize("name", NETS)
def test_every_network_has_a_recipe_and_can_be_exported(name: str, tmp_path: Path):
    config = configured({"net": name})
    assert config.net == name
    if name in ("bcresnet8", "bcresnet16", "vgg11"):  # bcresnet1 but wider; the one below; 18 MB to write
        return
    net = NETS[name]()
    _checkpoint(tmp_path / "best.pt", name, net, {"sources": [], "shippable": False})
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


def test_a_duo_begins_with_networks_that_learned_alone(toy_set: Path, tmp_path: Path):
    import torch

    nets = {name: NETS[name]().eval() for name in ("tcn", "mhatt")}
    paths = [tmp_path / name / "best.pt" for name in nets]
    for path, (name, net) in zip(paths, nets.items(), strict=True):
        source = {"kind": "noise", "source": name}
        _checkpoint(path, name, net, {"sources": [source], "shippable": name == "tcn", "teachers": [name]})
    duo = NETS["duo"]()
    data = init_weights(duo, "duo", [str(paths[0]), str(paths[1].parent)])
    assert data["shippable"] is False
    assert [s["source"] for s in data["sources"]] == ["tcn", "mhatt"]
    assert data["teachers"] == []  # of this run there are none yet
    assert [begun.split(" at ")[1] for begun in data["init_from"]] == [
        "step 0, distilled from tcn",
        "step 0, distilled from mhatt",
    ]
    x, reference = torch.randn(4, 298, 40) * 3 - 8, torch.full((4,), -26.0)
    duo.eval()
    alone = [nets[name](x, reference) for name in duo.members]
    torch.testing.assert_close(duo(x, reference).noise, (alone[0].noise + alone[1].noise) / 2)
    # Each member is judged by itself.
    targets, levels = torch.rand(4, 5), torch.randn(4, 2, 150)
    targets[:, [NOISY_WEIGHT, SNR_WEIGHT]] = 1.0
    duo.training = True  # of the duo itself alone: the members' statistics stay
    both = loss(duo(x, reference), targets, levels)
    pooled = [v._replace(tracks=_coarser(v.tracks, 75)) for v in alone]
    torch.testing.assert_close(both, sum(loss(v, targets, levels) for v in pooled) / 2)

    begin = tuple(map(str, paths))
    still = SMALLEST | {"net": "duo", "windows": 16, "lr": 1e-9, "init_from": begin}
    fit.fit(toy_set, tmp_path / "duo", still)
    learned = load_checkpoint(tmp_path / "duo" / "last.pt")["net"]
    for name, net in nets.items():
        torch.testing.assert_close(learned[f"members.{name}.out.weight"], net.out.weight.data)
    shutil.rmtree(tmp_path / "tcn")  # a run that goes on needs none of what it began with
    with pytest.raises(UsageError, match="leave out --init-from"):
        fit.fit(toy_set, tmp_path / "duo", {"epochs": 2, "init_from": begin}, resume=True)
    assert fit.fit(toy_set, tmp_path / "duo", {"epochs": 2}, resume=True)
    assert json.loads(load_checkpoint(tmp_path / "duo" / "last.pt")["data"])["init_from"] == data["init_from"]
    further = init_weights(NETS["duo"](), "duo", [str(tmp_path / "duo")])  # another duo begins with this one
    assert further["init_from"][0].endswith(f", initialised from ({'; '.join(data['init_from'])})")
    part = NETS["mhatt"]()  # and what is a member of one, with its part of it
    told = init_weights(part, "mhatt", [str(tmp_path / "duo")])["init_from"]
    assert told == further["init_from"]
    torch.testing.assert_close(part.out.weight.data, nets["mhatt"].out.weight.data)
    with pytest.raises(UsageError, match="hold duo; dense starts from a run of dense"):
        init_weights(NETS["dense"](), "dense", [str(tmp_path / "duo" / "best.pt")])
    with pytest.raises(UsageError, match=r"best\.pt hold mhatt; dense starts from a run of dense\."):
        fit.fit(toy_set, tmp_path / "wrong", SMALLEST | {"init_from": begin[1:]})
    assert not (tmp_path / "wrong").exists()


def test_only_what_half_precision_holds_is_kept_in_it(tmp_path: Path):
    import onnx
    import torch

    kept = {
        "round": np.full(2048, 0.5),
        "fine": np.full(2048, 0.1),
        "huge": np.full(2048, 1e6),
        "few": np.full(8, 0.5),
    }
    tensors = [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in kept.items()]
    graph = onnx.helper.make_graph([], "g", [], [], tensors)
    model = export.halved(onnx.helper.make_model(graph))
    assert [t.name for t in model.graph.initializer] == ["round.half", "fine", "huge", "few"]
    assert [(n.op_type, *n.output) for n in model.graph.node] == [("Cast", "round")]
    # Statistics of batch norms as wide as bcresnet16's are not weights: they are not rounded, and still agree.
    net = NETS["bcresnet16"]()
    for name, buffer in net.named_buffers():
        if "running" in name:
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    _checkpoint(tmp_path / "best.pt", "bcresnet16", net, {"sources": [], "shippable": True})
    export.export(tmp_path, tmp_path / "x.onnx")


def _loss(run: Path) -> float:
    (row,) = logged(run)
    return float(row["loss"])


@pytest.fixture(scope="module")
def alone(toy_set: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """The loss of a run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    fit.fit(toy_set, folder / "one", SMALLEST | {"windows": 128})
    return _loss(folder / "one")


@pytest.mark.parametrize("by", ["torchrun", "--devices"])
def test_two_processes_learn_what_one_does(alone: float, toy_set: Path, tmp_path: Path, by: str):
    args = [toy_set, "--net", "dense", "--epochs", 1, "--windows", 128, "--batch", 16, "--workers", 0]
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2"] if by == "torchrun" else []
    devices = [] if by == "torchrun" else ["--devices", "2"]
    command = [sys.executable, *torchrun, "-m", "noisewatch", "train", *map(str, args), *devices]
    command += ["-o", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/tmp", timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "two" / "best.pt")]
    # Not equal: each process normalises its half of a batch with statistics of its own.
    assert _loss(tmp_path / "two") == pytest.approx(alone, rel=0.03)


def test_a_loss_that_is_no_number_names_the_recordings(
    toy_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    draw = Windows.__getitem__

    def broken(self: Windows, n: int):
        x, *rest = draw(self, n)
        return x * (float("nan") if n == 21 else 1.0), *rest

    monkeypatch.setattr(Windows, "__getitem__", broken)
    catalogue, _ = Catalogue.load(read_manifest(toy_set), "train")
    used = ", ".join(Windows(catalogue, 0, 64, SCENES).recordings(21))
    with pytest.raises(NoisewatchError) as caught:
        fit.fit(toy_set, tmp_path / "run", SMALLEST | {"windows": 64})
    assert f"the loss is nan at step 1, by a window of {used or 'generated noise alone'}:" in str(caught.value)
