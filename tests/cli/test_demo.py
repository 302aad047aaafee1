"""rmsserver.cli.demo"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rmsserver.cli.demo import Demo, StoryError, serve


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path) -> None:
    """The demo's URL names its port, so it must be free; no home is left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StoryError, match="stop what listens there"):
            serve(Demo(tmp_path / "demo", taken.getsockname()[1]))
    assert not (tmp_path / "demo").exists()
