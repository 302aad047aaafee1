"""A cluster that waits for the answer to its enrollment request ([MS-RMPR] 3.6.4.2): a directory in its home.

It holds the private key that the request's public key belongs to, and what was decided about the cluster, wrapped together
under a master key of their own, which the cluster's passphrase opens. It is removed when the cluster is made.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rmsserver.errors import OperatorError
from rmsserver.ports import UnwrapError
from rmsserver.stores import file_set
from rmsserver.stores.wrapping import MasterKey, ScryptCost, open_master_key
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.values import Guid

DIRECTORY = "enrollment"
_NAME, _PURPOSE = "request.key", "pending enrollment"
_MASTER = re.compile(r"master-[0-9a-f-]{36}\.json")


@dataclass(frozen=True)
class PendingEnrollment:
    """`settings`: what the cluster will be made with, as JSON can hold it."""

    guid: Guid
    key: PrivateKey = field(repr=False)
    settings: Mapping[str, Any]

    def save(self, home: Path, passphrase: str, cost: ScryptCost | None = None) -> None:
        """Raises OperatorError where a request is pending already."""
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file_set.check_private(home)
        master_key = MasterKey.generate()
        key = base64.b64encode(self.key.to_der()).decode()
        content = json.dumps({"guid": str(self.guid), "key": key, "settings": dict(self.settings)}).encode()
        files = {
            f"master-{uuid.uuid4()}.json": master_key.seal(passphrase, cost).encode(),
            _NAME: master_key.wrap(_PURPOSE, _NAME, content),
        }
        file_set.create(home / DIRECTORY, files)


def load_pending(home: Path, passphrase: str) -> PendingEnrollment:
    """Raises OperatorError."""
    if not (home / DIRECTORY).is_dir():
        raise OperatorError(f"no enrollment is pending in {home}: run `rmsserver enrollment request` first")
    file_set.check_private(home)
    files = file_set.read(home / DIRECTORY)
    sealed = next((data for name, data in files.items() if _MASTER.fullmatch(name)), b"")
    master_key = open_master_key(sealed.decode(errors="replace"), passphrase)
    try:
        content = json.loads(master_key.unwrap(_PURPOSE, _NAME, files[_NAME]))
        key = PrivateKey.from_der(base64.b64decode(content["key"]))
        return PendingEnrollment(Guid.parse(content["guid"]), key, content["settings"])
    except (UnwrapError, XrmlError, ValueError, KeyError):
        raise OperatorError(f"{home / DIRECTORY} is damaged: remove it and begin with a new request") from None


def remove_pending(home: Path) -> None:
    """After the cluster was made, or where nobody got the request."""
    shutil.rmtree(home / DIRECTORY, ignore_errors=True)
