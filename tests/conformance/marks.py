"""The marks of the tests, as pytest collects them."""

from __future__ import annotations

import contextlib
import io
import re
from collections import defaultdict
from collections.abc import Mapping

import pytest

_PARAMETERS = re.compile(r"\[.*\]$", re.DOTALL)

Proofs = Mapping[tuple[str, str], tuple[str, ...]]
"""Section and sentence, and the tests that prove it: `wire/test_faults.py::test_name`, without parameters."""


class _Collector:
    def __init__(self) -> None:
        self.proofs: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("conforms"):
                section, sentence = mark.args
                self.proofs[section, sentence][_PARAMETERS.sub("", item.nodeid).removeprefix("tests/")] = None


def collect(*paths: str) -> Proofs:
    """Collects the tests under paths without running any; ValueError with pytest's words where that fails."""
    collector, output = _Collector(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *paths], plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise ValueError(f"pytest could not collect the tests:\n{output.getvalue()}")
    return {key: tuple(tests) for key, tests in collector.proofs.items()}
