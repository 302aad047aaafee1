"""Spyne's copy of six on Pythons that no longer ask for `find_module`."""

from __future__ import annotations

import subprocess
import sys

_WITHOUT_FIND_MODULE = """
import importlib._bootstrap as bootstrap
if hasattr(bootstrap, "_find_spec_legacy"):
    bootstrap._find_spec_legacy = lambda finder, name, path: None
{shim}
from spyne.util.six.moves.collections_abc import Sequence
from spyne.util.six.moves.urllib.parse import quote
print(quote("a b"), Sequence.__name__)
"""


def _run(shim: str) -> subprocess.CompletedProcess[str]:
    code = _WITHOUT_FIND_MODULE.format(shim=shim)
    return subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)


def test_the_finder_makes_moved_modules_importable() -> None:
    """Also where the import system knows `find_spec` alone, as from Python 3.12 on."""
    done = _run("import rmsserver.soap")
    assert done.stdout == "a%20b Sequence\n", done.stderr


def test_without_the_finder_spyne_does_not_import_there() -> None:
    """Else the finder could go."""
    assert "No module named 'spyne.util.six.moves" in _run("").stderr
