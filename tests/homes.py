"""A cluster's home on the disk, as `rmsserver init` makes it: made once in a test run, copied for each test."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from rmsserver.config import load_config
from rmsserver.home import NewCluster, create_home
from rmsserver.xrml.keys import CryptoMode

PASSPHRASE = "sesame open now"
BASE_URL = "https://rms.rms.test/_wmcs"


@functools.cache
def _template(base_url: str) -> Path:
    home = Path(tempfile.mkdtemp(prefix="rms-home-")) / "home"
    create_home(load_config(home), NewCluster(base_url, None, CryptoMode.MODE_2, None, "EXAMPLE"), PASSPHRASE)
    return home


def make_home(home: Path, settings: str = "", *, base_url: str = BASE_URL) -> Path:
    """A home with accounts `EXAMPLE\\...`; `settings` are lines for its `rmsserver.toml`."""
    shutil.copytree(_template(base_url), home)
    passphrase = home / "passphrase"
    passphrase.touch(0o600)
    passphrase.write_text(PASSPHRASE + "\n")
    lines = f'passphrase_source = "file"\npassphrase_file = "{passphrase}"\n{settings}'
    (home / "rmsserver.toml").write_text(lines)
    return home
