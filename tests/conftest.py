"""Fixtures that are real: the real command, a real PortAudio microphone, real recordings."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import soundfile as sf

# The tested commands would inherit ignored signals: SIGINT in a shell's background jobs, SIGHUP under nohup.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# And the size of pytest's terminal, which readline exports to the processes of pytest-xdist, rather than their own.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "noisewatch" / "demo.flac"
TOYS = ROOT / "tests" / "toys"  # networks without weights
Run = Callable[..., subprocess.CompletedProcess[str]]


# Tests that need the train extra: this folder, and those marked `extras`.
TRAINING = ROOT / "tests" / "training"
HAS_TORCH = importlib.util.find_spec("torch") is not None
collect_ignore = [] if HAS_TORCH else [str(TRAINING)]
# Live tests listen in real time. They wait more than they compute.
LIVE = ["inputs", "ui", "tasks/test_calibrate.py", "tasks/test_check_microphone.py", "tasks/test_doctor.py"]


def is_live(file: str) -> bool:
    """Whether a test is live, by the name of its file below the clone."""
    return any(Path(file).is_relative_to(Path("tests", name)) for name in LIVE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any):
    """With `-n 2`, the live tests of a room run one at a time, and others beside them."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, _ = nodeid.partition("::")
            return Path(file).parts[1] if is_live(file) else nodeid

    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark live tests, and those that need an extra; skip the latter on the base install."""
    for item in items:
        if is_live(str(item.path.relative_to(ROOT))):
            item.add_marker(pytest.mark.live)
        if TRAINING in item.path.parents:
            item.add_marker(pytest.mark.extras)
        if item.get_closest_marker("extras") and not HAS_TORCH:
            item.add_marker(pytest.mark.skip(reason="the extras are not installed"))


@pytest.fixture(scope="session", autouse=True)
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Training within the tests has one thread: where others compute too, more threads wait for each other."""
    if not any(TRAINING in item.path.parents for item in request.session.items):
        yield
        return
    import torch

    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "set_num_threads", lambda number: None)
        yield


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs the `noisewatch` command in its own process, outside the clone."""

    def run(*args: object, timeout: float = 60, env: dict[str, str] | None = None, **more: Any):
        command = [sys.executable, "-m", "noisewatch", *map(str, args)]
        more.setdefault("cwd", "/tmp")
        more.setdefault("text", True)
        return subprocess.run(
            command, capture_output=True, timeout=timeout, env={**os.environ, **(env or {})}, **more
        )

    return run


@pytest.fixture(scope="session")
def invoke() -> Run:
    """Runs the command in this process, which is faster: for answers that do not depend on having its own.

    `run` is for the rest: standard streams, signals, limits, threads, and PortAudio.
    """
    from typer.testing import CliRunner

    from noisewatch.cli.app import app

    def invoke(*args: object, env: dict[str, str] | None = None, cwd: Path = Path("/tmp")):
        with chdir(cwd):
            done = CliRunner().invoke(app, [*map(str, args)], env=env, catch_exceptions=False)
        return subprocess.CompletedProcess(args, done.exit_code, done.stdout, done.stderr)

    return invoke


def lines(text: str, kind: str = "reading") -> list[dict[str, Any]]:
    """The JSON lines of one type."""
    return [item for line in text.splitlines() if (item := json.loads(line))["type"] == kind]


def reports(text: str) -> dict[str, dict[str, Any]]:
    """The JSON lines of a scan, by file name."""
    return {Path(r["path"]).name: r for r in lines(text, "file")}


@pytest.fixture(scope="session")
def detector():
    """The default model, loaded once. Streams share nothing else."""
    from noisewatch import NoiseDetector

    return NoiseDetector()


@pytest.fixture(scope="session")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings for `check`: a clean voice, the same voice with noise, silence, noise alone, and damaged files."""
    folder = tmp_path_factory.mktemp("takes")
    clean, _ = sf.read(DEMO, dtype="float32", frames=6 * 16_000)
    noisy = clean + np.random.default_rng(1).standard_normal(len(clean)).astype(np.float32) * 0.02
    silent = np.zeros(6 * 16_000, np.float32)
    hiss = np.random.default_rng(1).standard_normal(6 * 16_000) * 10 ** (-85 / 20)
    sf.write(folder / "hiss.wav", hiss, 16_000, "PCM_24")
    for name, samples in {"clean": clean, "noisy": noisy, "silent": silent, "short": clean[: 16_000 // 2],
                          "muted later": np.concatenate([clean, silent])}.items():  # fmt: skip
        sf.write(folder / f"{name}.wav", samples, 16_000)
    rng = np.random.default_rng(2)
    for seconds in (1.0, 2.0, 3.0, 3.1):
        hissing = rng.standard_normal(round(seconds * 16_000)) * 0.05
        sf.write(folder / f"hiss {seconds} s.wav", hissing, 16_000)
        sf.write(folder / f"hissing voice {seconds} s.wav", clean[16_000 : 16_000 + len(hissing)] + hissing, 16_000)
    (folder / "cut.wav").write_bytes((folder / "clean.wav").read_bytes()[:170_000])
    return folder


@pytest.fixture(scope="session")
def voice() -> np.ndarray:
    """The clean beginning of the demo clip: 6 s of a voice, float32 at 16 kHz."""
    samples, _ = sf.read(DEMO, dtype="float32", frames=6 * 16_000)
    return samples


@pytest.fixture(scope="session")
def noisy_voice(voice: np.ndarray) -> np.ndarray:
    """The same 6 s with noise some 10 dB below the voice."""
    rng = np.random.default_rng(1)
    return (voice + rng.standard_normal(len(voice)) * 0.02).astype(np.float32)


@pytest.fixture(scope="session")
def early_noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 10 s that is noisy from its first window on."""
    path = tmp_path_factory.mktemp("early_noise") / "early.wav"
    samples, rate = sf.read(DEMO, dtype="float32")
    sf.write(path, samples[10 * rate : 20 * rate], rate)
    return path


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real recordings, if there is one."""
    folder = os.environ.get("NOISEWATCH_DATA")
    if not folder:
        pytest.skip("NOISEWATCH_DATA is not set to a folder of real recordings")
    return Path(folder)


@pytest.fixture(scope="session")
def toy_set(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated set that `prepare --demo` makes."""
    folder = tmp_path_factory.mktemp("toy") / "data"
    done = run("prepare", "--demo", "-o", folder)
    assert done.returncode == 0, done.stderr
    assert "speech: 20 recordings" in done.stderr
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of windows for all training runs: they share recordings, seed and validation windows."""
    return tmp_path_factory.mktemp("windows")


@pytest.fixture(scope="session")
def catalogue(toy_set: Path):
    from noisewatch.corpus.catalogue import Catalogue
    from noisewatch.corpus.manifest import read_manifest

    return Catalogue.load(read_manifest(toy_set), "train")[0]


@dataclass
class VirtualMicrophone:
    """PulseAudio null sinks: PortAudio's device `pulse` records whatever is played into `mic`."""

    env: dict[str, str]
    daemon: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start the daemon, and wait until it answers."""
        command = ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no"]
        for module in (
            *(f"null-sink sink_name={name} rate=48000" for name in ("mic", "two")),
            "native-protocol-unix",
        ):
            command += ["-L", f"module-{module}"]
        path = Path(self.env["HOME"]) / "log"
        with path.open("ab") as log:
            self.daemon = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        deadline = time.monotonic() + 15
        while subprocess.run(["pactl", "info"], env=self.env, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline or self.daemon.poll() is not None:
                missing(f"PulseAudio did not start: {path.read_text()[-300:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End the daemon, even one that is stopped or gone."""
        self.daemon.send_signal(signal.SIGCONT)
        self.daemon.terminate()
        try:
            self.daemon.wait(10)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()

    def play(self, path: Path, sink: str = "mic", *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["paplay", "-d", sink, *options, str(path)], env=self.env)

    def pactl(self, *words: str) -> str:
        return subprocess.run(
            ["pactl", *words], env=self.env, capture_output=True, text=True, check=True, timeout=10
        ).stdout

    def listen(self, *words: object, **more: Any) -> subprocess.Popen[str]:
        device = () if {"--device", "--follow-default"} & {*words} else ("--device", "pulse")
        command = [sys.executable, "-m", "noisewatch", "listen", "--json", *device, *map(str, words)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=self.env, stdout=pipe, stderr=pipe, text=True, cwd="/tmp", **more)
        watchdog = threading.Timer(90, process.kill)  # no test waits forever
        watchdog.daemon = True
        watchdog.start()
        return process


def until(process: subprocess.Popen[str], what: str) -> list[dict[str, Any]]:
    """Read the JSON lines of a process up to the first that contains a text."""
    assert process.stdout is not None
    found: list[dict[str, Any]] = []
    while what not in json.dumps(found[-1:]):
        line = process.stdout.readline()
        assert line, f"the output ended before {what}: {found[-3:]}"
        found.append(json.loads(line))
    return found


def processes_with(marker: str) -> list[str]:
    """IDs of the processes whose environment holds a text."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if marker.encode() in environ.read_bytes():
                found.append(environ.parent.name)
    return found


def wait_for(condition: Callable[[], object], seconds: float = 40) -> None:
    """Wait until a condition holds. Fails if it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds:g} s"
        time.sleep(0.05)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Within the context, writing a file beyond this many bytes fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def missing(why: str) -> NoReturn:
    """Skip a test because a system package is missing. In CI, where all are installed, fail instead."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., bytes]:
    """Runs ffmpeg and returns its stdout."""
    if shutil.which("ffmpeg") is None:
        missing("ffmpeg is not installed")

    def ffmpeg(*args: object) -> bytes:
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, args)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout

    return ffmpeg


@contextmanager
def sound_server(home: Path) -> Iterator[VirtualMicrophone]:
    """A private PulseAudio daemon. Skips the test if it or PortAudio is not installed."""
    for program, package in (("pulseaudio", "pulseaudio"), ("paplay", "pulseaudio-utils")):
        if shutil.which(program) is None:
            missing(f"{program} is not installed (Debian: {package}), so there is no virtual microphone")
    try:
        import sounddevice  # noqa: F401
    except OSError:
        missing("the PortAudio library is not installed (Debian: libportaudio2)")
    home.chmod(0o700)
    (home / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
    env = {
        **os.environ,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "PULSE_SERVER": f"unix:{home}/pulse/native",
    }
    server = VirtualMicrophone(env)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def alsa_devices(server: VirtualMicrophone, **sinks: str | VirtualMicrophone) -> None:
    """Replace the ALSA devices by these. Each records a sink of this server, or the sink `mic` of another one."""
    home = Path(server.env["HOME"])
    (home / "alsa.conf").write_text(Path("/usr/share/alsa/alsa.conf").read_text().replace('"/etc/alsa/conf.d"', ""))
    server.env["ALSA_CONFIG_PATH"] = str(home / "alsa.conf")
    text = ""
    for name, sink in sinks.items():
        at, sink = (server, sink) if isinstance(sink, str) else (sink, "mic")
        device = f'type pulse server "{at.env["PULSE_SERVER"]}" device {sink}.monitor'
        text += f"pcm.!{name} {{ {device} hint {{ show on description x }} }}\n"
    (home / ".asoundrc").write_text(text)


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualMicrophone]:
    """A virtual microphone shared by the tests, which must leave it unchanged."""
    with sound_server(tmp_path_factory.mktemp("pulse")) as made:
        yield made
