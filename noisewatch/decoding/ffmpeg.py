"""Decodes a file with ffmpeg, if it is installed: for formats that libsndfile does not know."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import IO

from ..audio.signal import Samples
from ..errors import InputError
from .containers import Rest
from .headers.reader import read_header
from .pipe import Pipe
from .shortfall import ANOTHER, LOST_S, cut_off, lost_bytes, only_first, unreadable_beyond
from .uncompressed import Uncompressed

# Containers of audio. None can refer to other files or addresses, as concat, hls, dash, sdp and image2 can.
CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,gsm,iff,latm,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "ogg,oma,rm,shn,sox,tak,tta,voc,w64,wav,wv,xwma"
)
PATIENCE_S = 20.0  # time limit for ffmpeg to send the next bytes
ENDS_S = 5.0  # time limit for ffmpeg to exit after its output ends
# What demuxers print about a file that ends early, although ffmpeg exits with 0.
CUT = ("ended prematurely", "partial file", "runcat")


class Ffmpeg:
    """A decoder that runs ffmpeg as a subprocess, which ends with this object."""

    def __init__(self, path: Path, name: str, *, rest: Rest, chain: bool) -> None:
        """Start ffmpeg. rest: the end of the file, left undecoded; chain: the file holds several recordings.

        Raises InputError with ffmpeg's reason if it cannot open the file.
        """
        self._name, self._rest, self._chain = name, rest, chain
        self._stderr: deque[str] = deque(maxlen=20)
        # "file:" prevents a name from being an address; the whitelists stop a playlist from naming other files.
        source = b"file:" + os.fsencode(path)
        command = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-protocol_whitelist", "file,pipe",
                   "-format_whitelist", CONTAINERS, "-i", source if os.name == "posix" else source.decode(),
                   "-map", "0:a:0", "-af", "asetpts=N/SR/TB", "-map_metadata", "-1",
                   "-f", "wav", "-c:a", "pcm_f32le", "pipe:1"]  # fmt: skip
        descriptor = path.name if path.parent == Path("/dev/fd") else ""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=[int(descriptor)] if descriptor else [],
        )
        self._drain = threading.Thread(target=_collect, args=(self._process.stderr, self._stderr), daemon=True)
        self._drain.start()
        self._end = weakref.finalize(self, _stop, self._process, self._drain)
        try:
            assert self._process.stdout is not None
            pipe = Pipe(self._process.stdout.fileno(), "ffmpeg", patience_s=PATIENCE_S)
            header = read_header(pipe.read)
            if header is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(ENDS_S)
                raise InputError(self._reason())
            self._samples = Uncompressed(pipe, header, name)
        except BaseException:
            self._end()
            raise
        self.sample_rate, self.channels = self._samples.sample_rate, self._samples.channels
        self.promised_s = 0.0
        self.notes = self._samples.notes

    def read(self, frames: int) -> Generator[Samples, None, None]:
        """Yield float32 (n, channels). Raises InputError for damage, an early end, or data that was not decoded."""
        heard = 0
        try:
            try:
                for samples in self._samples.read(frames):
                    heard += len(samples)
                    yield samples
            except InputError as error:
                raise self._only(heard, str(error).rstrip(".")) from error
            code = self._process.wait()
            reason = self._reason()
            if self._rest.another:
                raise self._only(heard, ANOTHER)
            if code or any(sign in line for line in self._stderr for sign in CUT):
                if self._chain:
                    raise self._only(heard, f"the rest of this chain of recordings cannot be read ({reason})")
                raise unreadable_beyond(self._name, heard / self.sample_rate, reason)
            if self._rest.cut:
                raise cut_off(self._name, heard / self.sample_rate)
            if heard / self.sample_rate * self._rest.share >= LOST_S:
                raise self._only(heard, lost_bytes(self._rest.size))
        finally:
            self._end()

    def _only(self, heard: int, reason: str) -> InputError:
        return only_first(self._name, heard / self.sample_rate, reason)

    def _reason(self) -> str:
        """Return the last line of ffmpeg's stderr, without prefixes."""
        self._drain.join(ENDS_S)
        last = self._stderr[-1] if self._stderr else "no reason given"
        return re.sub(r"^\[[^]]*\] ", "", last).rpartition(": ")[2][:200].rstrip(".")


def _collect(stream: IO[bytes], lines: deque[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.decode(errors="replace").strip())


def _stop(process: subprocess.Popen[bytes], drain: threading.Thread) -> None:
    process.kill()
    process.wait()
    drain.join()
    if process.stdout is not None:
        process.stdout.close()
