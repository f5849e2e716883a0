"""Detects gaps in live audio: arrival times distinguish missing samples from late ones. Independent of devices."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..audio.signal import Samples

GAP_S = 0.3  # missing audio longer than this is a gap ...
WITHIN_S = 5.0  # ... if it goes missing within this much audio; sound card clock drift stays far below
SETTLE_S = 0.5  # a delay that has not fallen for this long is permanent: the audio before it is lost
FALLS_S = 0.02  # a smaller decrease of the delay is jitter


@dataclass(frozen=True)
class _Block:
    """A block of samples and when it arrived."""

    arrived: float  # s, monotonic clock
    end_s: float  # duration of all audio received up to the end of this block
    samples: Samples

    @property
    def delay(self) -> float:
        """Arrival time minus sample time (s), relative to an arbitrary origin."""
        return self.arrived - self.end_s


class Arrivals:
    """A queue that compares the arrival time of blocks with their sample count.

    The delay of a block (arrival time minus sample time) rises when the audio is held up. If the audio was
    only late, the delay falls again as blocks catch up. If the delay stays up, samples are missing.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._end_s = 0.0
        # Sliding-window minimum over the last WITHIN_S of released audio: (end_s, delay), delays ascending.
        self._minima: deque[tuple[float, float]] = deque()
        self._ready: list[_Block] = []
        self._held: list[_Block] = []  # late blocks; it is not yet clear whether audio is missing before them
        self._lowest = (0.0, 0.0)  # the lowest delay among held blocks, and when it last fell

    @property
    def waiting(self) -> bool:
        """Whether late blocks are being held back."""
        return bool(self._held)

    def add(self, arrived: float, samples: Samples) -> None:
        """Add samples (n,) that arrived at this time (s, monotonic clock)."""
        self._end_s += len(samples) / self._rate
        block = _Block(arrived, self._end_s, samples)
        if not self._held or block.delay < self._lowest[0] - FALLS_S:
            self._lowest = block.delay, arrived
        self._held.append(block)
        if block.delay - self._usual(block.delay) <= GAP_S:
            self._release()

    def take(self, now: float) -> tuple[list[Samples], float, float]:
        """Return the blocks that are ready, how much audio is missing before them (s), and how late they are (s).

        now: s, monotonic clock.
        """
        lost_s = 0.0
        if self._held and not self._ready:
            settled = now - self._lowest[1] >= SETTLE_S or now - self._held[0].arrived >= 4 * SETTLE_S
            if settled:
                delay = min(block.delay for block in self._held)
                lost_s = delay - self._usual(delay)
                self._minima.clear()
                self._release()
        ready, self._ready = self._ready, []
        late_s = 0.0
        if ready:
            late_s = now - ready[0].arrived + max(0.0, ready[0].delay - self._usual(ready[0].delay))
        return [block.samples for block in ready], lost_s, late_s

    def _usual(self, otherwise: float) -> float:
        """The lowest delay in the window; `otherwise` while there is none."""
        return self._minima[0][1] if self._minima else otherwise

    def _release(self) -> None:
        self._ready += self._held
        for block in self._held:
            while self._minima and self._minima[-1][1] >= block.delay:
                self._minima.pop()
            self._minima.append((block.end_s, block.delay))
        self._held = []
        while self._minima[0][0] < self._end_s - WITHIN_S:
            self._minima.popleft()
