"""The client's own store: keys and certificates of one person on one machine ([MS-RMPR] 3.8.1.1). Touches
the disk.

A folder of mode 0700 with files of mode 0600, `~/.rmsclient` or what RMSCLIENT_HOME says. The machine's
private key stands there in the clear: whoever can read the folder as this person can read what she can read
anyway, and nobody else may. A folder or key file that others may read is refused, as ssh does. Each file is
written whole or not at all.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmsserver.client.bundle import public_key_from_json, public_key_to_json
from rmsserver.client.errors import SetupError
from rmsserver.client.output import write_atomically
from rmsserver.client.services import ServiceLocations
from rmsserver.client.sign_on import Method
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.values import Guid

ENVIRONMENT = "RMSCLIENT_HOME"
_FILE_LIMIT_BYTES = 16 * 1024 * 1024
_NOT_SET_UP = "This client is not set up yet; run rmsclient bootstrap --url URL --user NAME first."


@dataclass(frozen=True)
class Settings:
    """What was set up: which cluster, who, and whom to believe."""

    base_url: str
    user: str
    locations: ServiceLocations
    trust: ClusterTrust
    ca_file: str | None = None
    allow_http: bool = False
    auth: Method = Method.AUTO

    def to_json(self) -> dict[str, Any]:
        return {
            "base_url": self.base_url,
            "user": self.user,
            "certification": list(self.locations.certification),
            "licensing": list(self.locations.licensing),
            "root": public_key_to_json(self.trust.root),
            "server": public_key_to_json(self.trust.server),
            "licensor": None if self.trust.licensor is None else public_key_to_json(self.trust.licensor),
            "ca_file": self.ca_file,
            "allow_http": self.allow_http,
            "auth": self.auth.value,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Settings:
        """Raises KeyError, TypeError, ValueError or XrmlSyntaxError."""
        return cls(
            str(value["base_url"]),
            str(value["user"]),
            ServiceLocations(tuple(map(str, value["certification"])), tuple(map(str, value["licensing"]))),
            ClusterTrust(
                public_key_from_json(value["root"]),
                public_key_from_json(value["server"]),
                None if value.get("licensor") is None else public_key_from_json(value["licensor"]),
            ),
            None if value["ca_file"] is None else str(value["ca_file"]),
            value["allow_http"] is True,
            Method(value.get("auth", Method.AUTO)),
        )


class Store:
    """Reads and writes the files. What a chain is worth is checked by whoever reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def locate(cls, environment: Mapping[str, str], home: Path) -> Store:
        """The store that `RMSCLIENT_HOME` names, else `.rmsclient` in the person's home."""
        named = environment.get(ENVIRONMENT)
        return cls(Path(named) if named else home / ".rmsclient")

    def prepare(self) -> None:
        """Make the folder where it is missing, and check who may read it. Raises SetupError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / "templates").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SetupError(f"Cannot make {self.folder}: {error.strerror}.") from None
        self._check_mode(self.folder)

    @property
    def settings(self) -> Settings:
        """Raises SetupError where the client is not set up."""
        try:
            return Settings.from_json(json.loads(self._read("settings.json")))
        except (ValueError, KeyError, TypeError, XrmlError):
            raise SetupError(self._damaged("settings.json")) from None

    @property
    def is_set_up(self) -> bool:
        return (self.folder / "settings.json").exists()

    def write_settings(self, settings: Settings) -> None:
        self._write("settings.json", json.dumps(settings.to_json(), indent=1).encode())

    @property
    def machine_key(self) -> PrivateKey:
        try:
            return PrivateKey.from_der(self._read("machine.key"))
        except (ValueError, XrmlError):
            raise SetupError(self._damaged("machine.key")) from None

    def write_machine(self, key: PrivateKey, chain: Sequence[str]) -> None:
        """Key first: a chain without its key would look like a machine."""
        self._write("machine.key", key.to_der())
        self.write_chain("machine", chain)

    def chain(self, name: str) -> tuple[str, ...]:
        """A certificate chain, leaf first: `machine`, `rac` or `clc`. Raises SetupError."""
        try:
            return tuple(split_documents(decode_documents(self._read(f"{name}.xrml"))))
        except XrmlError:
            raise SetupError(self._damaged(f"{name}.xrml")) from None

    def has_chain(self, name: str) -> bool:
        return (self.folder / f"{name}.xrml").exists()

    def write_chain(self, name: str, chain: Sequence[str]) -> None:
        self._write(f"{name}.xrml", "".join(chain).encode())

    def templates(self) -> dict[Guid, str]:
        """The templates fetched last, by GUID. Files of other names are not looked at."""
        found = {}
        for path in sorted((self.folder / "templates").glob("*.xrml")):
            try:
                guid = Guid.parse(path.stem)
                found[guid] = self._read(f"templates/{path.name}").decode()
            except (XrmlError, UnicodeDecodeError):
                continue
        return found

    def replace_templates(self, templates: Mapping[Guid, str]) -> None:
        """Make the stored templates exactly these (3.8.4.2)."""
        self.prepare()
        for path in (self.folder / "templates").glob("*.xrml"):
            if path.stem not in templates:
                path.unlink()
        for guid, text in templates.items():
            self._write(f"templates/{guid}.xrml", text.encode())

    def _read(self, name: str) -> bytes:
        path = self.folder / name
        try:
            self._check_mode(self.folder)
            self._check_mode(path)
            with path.open("rb") as stream:
                return stream.read(_FILE_LIMIT_BYTES)
        except FileNotFoundError:
            raise SetupError(_NOT_SET_UP) from None
        except OSError as error:
            raise SetupError(f"Cannot read {path}: {error.strerror}.") from None

    def _write(self, name: str, data: bytes) -> None:
        self.prepare()
        write_atomically(self.folder / name, data)

    def _check_mode(self, path: Path) -> None:
        status = path.stat()
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            raise SetupError(f"{path} is open to others; run chmod go-rwx {path}.")

    def _damaged(self, name: str) -> str:
        return f"{self.folder / name} is damaged; run rmsclient bootstrap again."
