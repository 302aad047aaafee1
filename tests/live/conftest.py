"""The domain of the live tests: started once, on first use, and stopped at the end of the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.samba import Domain, Unavailable


@pytest.fixture(scope="session")
def domain() -> Iterator[Domain]:
    """Two controllers of RMS.TEST with the people of `people`. Skips, with the reason, where there can be none.

    Tests that use it belong to the group "domain", so that workers of one run share it:
    `pytestmark = pytest.mark.xdist_group("domain")`.
    """
    home = Path(tempfile.mkdtemp(prefix="rms-dc-"))  # Sockets are in it, whose paths must be short.
    before = os.environ.get("KRB5_CONFIG")
    try:
        with contextlib.closing(_made(home)) as made:
            os.environ["KRB5_CONFIG"] = str(made.kerberos_configuration)
            yield made
    finally:
        os.environ.pop("KRB5_CONFIG", None)
        if before is not None:
            os.environ["KRB5_CONFIG"] = before
        shutil.rmtree(home, ignore_errors=True)


def _made(home: Path) -> Domain:
    try:
        return Domain.create(home)
    except Unavailable as error:
        pytest.skip(f"no domain controller: {error}")
