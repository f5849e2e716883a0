"""Calls that may never return."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from noisewatch.system.timeouts import call_with_timeout


def test_a_call_returns_and_raises_as_without_a_timeout():
    assert call_with_timeout(lambda: 7, 10) == 7
    with pytest.raises(ZeroDivisionError):
        call_with_timeout(lambda: 1 // 0, 10)


def test_a_hung_call_is_abandoned():
    release = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        call_with_timeout(release.wait, 0.05)
    release.set()


@pytest.mark.parametrize(("code", "expected"), [("3", 3), ("None", 0), ("'text'", 1)])
def test_a_hung_call_does_not_keep_the_process_alive(code: str, expected: int):
    script = (
        "import atexit, threading; from contextlib import suppress\n"
        "from noisewatch.system.timeouts import call_with_timeout, exit_if_hung\n"
        "never = threading.Event(); atexit.register(never.wait)\n"  # as a library that waits for its own call
        f"exit_if_hung({code}); print('running')\n"
        "with suppress(TimeoutError): call_with_timeout(never.wait, 0.05)\n"
        f"exit_if_hung({code})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (expected, "running\n", "")
