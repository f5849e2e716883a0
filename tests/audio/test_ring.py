import numpy as np
import pytest

from noisewatch.audio.ring import Ring


@pytest.mark.parametrize("size", [1, 2, 3, 5, 12])
def test_the_ring_holds_the_last_rows(size: int):
    ring, fed = Ring(5, 2), np.arange(60, dtype=np.float32).reshape(-1, 2)
    for i in range(0, len(fed), size):
        ring.push(fed[i : i + size])
        so_far = fed[: i + size][-5:]
        assert len(ring) == len(so_far)
        np.testing.assert_array_equal(ring.last(5), so_far)
        np.testing.assert_array_equal(ring.last(2), so_far[-2:])


def test_clear_drops_all_rows():
    ring = Ring(3, 1)
    ring.push(np.ones((3, 1), np.float32))
    ring.clear()
    assert len(ring) == 0
    assert len(ring.last(3)) == 0
