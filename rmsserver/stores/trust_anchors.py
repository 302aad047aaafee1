"""The production keys that ship with the package (wire facts 11): public, and the same everywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

from rmsserver.xrml.keys import PublicKey


@dataclass(frozen=True)
class TrustAnchor:
    """A key of the production hierarchy. `role` is prose; its beginning says what the key is used for
    here.
    """

    name: str
    role: str
    key: PublicKey

    @property
    def is_root(self) -> bool:
        return self.role.startswith("root")

    @property
    def is_machine_issuer(self) -> bool:
        return self.role.startswith("signs machine certificates")


def production_anchors() -> tuple[TrustAnchor, ...]:
    """Every anchor of `data/trust-anchors.json`."""
    text = resources.files("rmsserver.data").joinpath("trust-anchors.json").read_text("utf-8")
    return tuple(
        TrustAnchor(
            entry["name"],
            entry["role"],
            PublicKey.from_wire(entry["modulus"], str(entry["bits"]), str(entry["exponent"])),
        )
        for entry in json.loads(text)["keys"]
    )
