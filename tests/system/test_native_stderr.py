"""The stderr of native libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile as sf
from conftest import DEMO


def test_quiet_sections_overlap_in_threads_and_need_no_stderr(tmp_path: Path):
    script = (
        "import os, sys\n"
        "from noisewatch.system.native_stderr import quiet_stderr\n"
        "first, second = quiet_stderr(), quiet_stderr()\n"
        "for step in (first.__enter__, second.__enter__, lambda: first.__exit__(None, None, None)):\n"
        "    step(); os.write(2, b'hidden')\n"
        "second.__exit__(None, None, None); os.write(2, b'shown')\n"
        "import soundfile; from pathlib import Path; from noisewatch.decoding.decoders import open_file\n"
        "made = soundfile.SoundFile.__init__\n"
        "def opened(self, file, *rest, **more):\n"  # what another thread may write while a file is opened
        "    os.write(2, b' other'); made(self, file, *rest, **more)\n"
        "soundfile.SoundFile.__init__ = opened\n"
        "for path in sys.argv[1:]: open_file(Path(path), path)\n"
        "soundfile.SoundFile.__init__ = made\n"
        "sys.stderr = None\n"
        "with quiet_stderr(): os.write(2, b' data')\n"  # whatever descriptor 2 is now
        "import noisewatch; print(len(list(noisewatch.scan(sys.argv[1], hop=3.0))))\n"
    )
    sf.write(tmp_path / "a.mp3", np.zeros(16_000), 16_000)
    words = [sys.executable, "-c", script, DEMO, tmp_path / "a.mp3"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    # mpg123 prints, and is hidden; the FLAC decoder does not print.
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "shown other data")
