"""The servers whose keys this cluster holds: its own SLC, its former ones, imported publishing domains ([MS-RMPR] 3.4.4.1).

What they signed is trusted, and what is sealed to them can be opened; issued is with the own key alone (rulings 1, 2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from rmsserver.state import Licensor, ServerState
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.keys import KeyId
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rights import RightsData
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid


@dataclass(frozen=True)
class KnownServer:
    """One of them. `templates` are those that came with an imported domain."""

    licensor: Licensor
    templates: Mapping[Guid, RightsTemplate] = field(default_factory=dict, repr=False)

    @property
    def key_id(self) -> KeyId:
        return self.licensor.key.public.id


@dataclass(frozen=True)
class KnownServers:
    """All of them, own first, and a digest that changes with the trust in any of them."""

    servers: tuple[KnownServer, ...]
    trust: bytes
    key_ids: frozenset[KeyId]

    @classmethod
    def of(cls, state: ServerState) -> KnownServers:
        servers = (
            KnownServer(state.licensor),
            *map(KnownServer, state.former_licensors),
            *(KnownServer(domain.licensor, domain.templates) for domain in state.trusted_licensing_servers),
        )
        ids = [server.key_id for server in servers]
        policy = bytes((state.cryptographic_mode, state.serve_unknown_licensors))
        return cls(servers, hashlib.sha256(policy + b"".join(ids)).digest(), frozenset(ids))

    def holds(self, key_id: KeyId) -> bool:
        return key_id in self.key_ids

    def addressed_by(self, license_: PublishingLicense) -> KnownServer | None:
        """Whose PRINCIPAL stands in ISSUEDPRINCIPALS: OBJECT id (no case) and modulus (rulings 3)."""
        for server in self.servers:
            if license_.addressed_to(server.licensor.certificate.principal):
                return server
        return None

    def by_key(self, key_id: KeyId) -> KnownServer | None:
        return next((server for server in self.servers if server.key_id == key_id), None)

    def template(self, guid: Guid, server: KnownServer, state: ServerState) -> RightsTemplate | None:
        """The current version of a template: of the imported domain the licence is sealed to, else our own (rulings 2)."""
        return server.templates.get(guid) or state.template(guid)

    def signed_template(self, data: RightsData) -> bool:
        """Is this official template well signed by one of these servers (rulings 19)?"""
        try:
            data.verify()
            return data.issuer.public_key.id in self.key_ids
        except XrmlError:
            return False
