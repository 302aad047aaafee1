"""The public keys of the production hierarchy, shipped as data (docs/decisions.md)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources

from rmsserver.xrml.keys import KeyId, PublicKey

_ROOT = "Microsoft DRM Production Root"
_SPC_ISSUER = "Microsoft DRM Production Desktop Security Processor Activation Certificate"


@functools.cache
def _keys() -> tuple[tuple[str, PublicKey], ...]:
    entries = json.loads((resources.files("rmsserver") / "data" / "trust-anchors.json").read_text())["keys"]
    return tuple(
        (entry["name"], PublicKey.from_wire(entry["modulus"], str(entry["bits"]), str(entry["exponent"])))
        for entry in entries
    )


def production_anchors() -> Mapping[KeyId, PublicKey]:
    """The production root, at which genuine chains close."""
    return {key.id: key for name, key in _keys() if name == _ROOT}


def production_machine_issuers() -> Mapping[KeyId, PublicKey]:
    """The key that signs machine certificates on genuine Windows clients."""
    return {key.id: key for name, key in _keys() if name == _SPC_ISSUER}
