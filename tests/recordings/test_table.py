"""The cells of the table that `scan` prints."""

from __future__ import annotations

from noisewatch.recordings.file_report import FileReport, Segment
from noisewatch.recordings.table import COLUMNS

NOISE = Segment(60.0, 120.0, 0.99, 0.9, 12.0, -30.0)
HALF = FileReport(
    "half.wav", 120.0, noisy=0.5, unknown=0.0, snr_median_db=12.34, worst_start=72.3, segments=(NOISE,),
    warnings=("hum", "dc"),
)  # fmt: skip
GAPPED = FileReport("gapped\n.wav", 240.0, noisy=0.2, unknown=0.5)


def test_a_row_and_the_sum():
    headers = ["recording", "length", "noisy", "median SNR", "noises", "worst at", "not judged", "warnings"]
    assert [column.header for column in COLUMNS] == headers
    assert [column.cell(HALF) for column in COLUMNS] == [
        "half.wav",
        "2 min 0 s",
        "50%",
        "12 dB",
        "1",
        "01:12.3",
        "",
        "hum dc",
    ]
    cells = [column.cell(GAPPED) for column in COLUMNS]
    assert cells == ["gapped?.wav", "4 min 0 s", "20%", "-", "0", "-", "50%", ""]
    total = [column.total([HALF, GAPPED]) for column in COLUMNS]
    # Shares are of time: 60 + 24 of the 240 s that could be judged; 120 of 360 s could not.
    assert total == ["2 recordings", "6 min 0 s", "35%", "", "1", "", "33%", ""]
