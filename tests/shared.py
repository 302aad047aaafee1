"""Genuine documents that are not ours to ship: read from `shared` beside the repository, where somebody put them."""

from __future__ import annotations

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"

GENUINE_DOCUMENTS = (
    "mode1-spc",
    "mode1-rac",
    "mode1-clc",
    "mode1-pl",
    "mode1-erd",
    "mode1-ul",
    "mode1-issuing-ca",
    "mode1-issuing-enrollment-ca",
    "mode1-issuing-enrollment-service",
    "mode2-issuing-ca",
    "mode2-issuing-enrollment-ca",
    "mode2-issuing-enrollment-service",
)


def shared_file(path: str) -> Path:
    """A file under `shared`; skips the test where there is none."""
    found = _SHARED / path
    if not found.is_file():
        pytest.skip("the genuine documents are not here (../shared beside the repository)")
    return found


def genuine(name: str) -> str:
    """The text of a genuine document, line ends as they stand."""
    return shared_file(f"fixtures/xrml/{name}.xml").read_bytes().decode()
