"""How much of a client's patience and memory the server takes part in (threats X7, X15)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WebLimits:
    """The defaults fit the limits of [MS-RMPR] section 7: a licence of 8 MiB, certificates, and their SOAP."""

    request_bytes: int = 16 * 1024 * 1024
    """Body of a SOAP request."""
    other_request_bytes: int = 16 * 1024
    """Body of any other request."""
    memory_bytes: int = 1024 * 1024
    """What of a body is kept in memory; the rest goes to a temporary file."""
    request_seconds: float = 60
    """From a request's first byte to its last."""
    idle_seconds: float = 120
    """Without a byte while no request is being served."""
    connections: int = 512
    """Open at once. One more closes the connection that has been without a complete request for longest."""
