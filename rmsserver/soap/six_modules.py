"""Makes `spyne.util.six.moves` importable on Python 3.12 and later.

Spyne 2.14 carries a copy of `six` whose importer knows only the old `find_module`, which Python 3.12 no longer asks. This
module puts a finder in front that speaks today's protocol and leaves the work to that importer. Goes when Spyne goes.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_SIX = "spyne.util.six"


class _MovesLoader(Loader):
    def __init__(self, importer: Any) -> None:
        self._importer = importer

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = self._importer.load_module(spec.name)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: a moved module has been executed under its own name."""


class _MovesFinder(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the protocol's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        six = sys.modules.get(_SIX)
        if six is None or not fullname.startswith(_SIX + ".moves"):
            return None
        importer: Any = getattr(six, "_importer", None)
        if importer is None or fullname not in importer.known_modules:
            return None
        return importlib.util.spec_from_loader(
            fullname, _MovesLoader(importer), is_package=importer.is_package(fullname)
        )


def make_importable() -> None:
    """Install the finder, once."""
    if not any(isinstance(finder, _MovesFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _MovesFinder())
