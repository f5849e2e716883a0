"""Progress bars."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from noisewatch.ui.progress import ProgressBar, tracked


def test_where_stderr_is_not_a_terminal_a_bar_writes_nothing(capsys: pytest.CaptureFixture[str]):
    assert list(tracked([1, 2], "counting")) == [1, 2]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shown", [True, False])
def test_a_terminal_gets_a_bar_if_it_is_shown(shown: bool):
    screen = io.StringIO()
    with ProgressBar(console=Console(file=screen, force_terminal=True), shown=shown) as bar:
        list(bar.track([1, 2], description="counting"))
    assert ("counting" in screen.getvalue()) == shown
    assert shown or not screen.getvalue()
