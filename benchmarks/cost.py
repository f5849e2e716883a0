"""Cost of `listen`: share of one core in steady state, and time to the meter's first frame.

    python benchmarks/cost.py

The share is the difference in CPU time between a long and a short run, divided by the difference in duration, so
start-up does not count. The runs are whole processes, paced in real time and interleaved. Unix only.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import statistics
import struct
import sys
import termios
import time

SHORT_S, LONG_S, ROUNDS = 4, 24, 3


def run(*args: str, terminal: bool) -> tuple[float, float | None]:
    """Run the command. Returns its CPU time and the time to the meter's first frame, s."""
    began, first = time.monotonic(), None
    pid, master = pty.fork()
    if pid == 0:
        if not terminal:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.environ.update(TERM="xterm-256color", LANG="C.UTF-8")
        os.execv(sys.executable, [sys.executable, "-m", "noisewatch", *args])
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    seen = b""
    while True:
        select.select([master], [], [], 1)
        try:
            seen = seen[-100:] + os.read(master, 65536)
        except OSError:  # the command ended
            break
        if first is None and b"WARMING UP" in seen:
            first = time.monotonic() - began
    _, status, usage = os.wait4(pid, 0)
    os.close(master)
    assert status == 0, f"exit status {status}"
    return usage.ru_utime + usage.ru_stime, first


def main() -> None:
    """Print the medians."""
    modes = {"listen (meter, 80x24)": ([], True), "listen --json": (["--json"], False)}
    shares: dict[str, list[float]] = {name: [] for name in modes}
    firsts: list[float] = []
    for _ in range(ROUNDS):
        for name, (options, terminal) in modes.items():
            short, first = run("listen", "demo", *options, "--seconds", str(SHORT_S), terminal=terminal)
            long, again = run("listen", "demo", *options, "--seconds", str(LONG_S), terminal=terminal)
            shares[name].append((long - short) / (LONG_S - SHORT_S))
            firsts += [f for f in (first, again) if f is not None]
    for name, values in shares.items():
        print(f"{name:24} {statistics.median(values):6.1%} of one core ({min(values):.1%} to {max(values):.1%})")
    spread = f"({min(firsts):.2f} to {max(firsts):.2f})"
    print(f"{'first frame':24} {statistics.median(firsts):6.2f} s after the command {spread}")


if __name__ == "__main__":
    main()
