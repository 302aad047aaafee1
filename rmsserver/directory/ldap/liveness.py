"""Whether somebody is there, asked with our own socket, whose time limits hold.

The LDAP library waits without limit for the TLS handshake of `ldaps://`, so a machine that accepts connections and says
nothing would keep a thread for ever. Trust is not decided here: the library checks the certificate afterwards.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from urllib.parse import urlsplit

from rmsserver.directory.ldap.answers import ControllerDown
from rmsserver.directory.ldap.deadline import Deadline

_PORTS = {"ldap": 389, "ldaps": 636}
_LEAST_SECONDS = 0.001


def check_alive(uri: str, deadline: Deadline) -> None:
    """Connect, and with `ldaps://` shake hands, by the deadline. Raises `ControllerDown`.

    Looking up the name has no time limit that we can set.
    """
    parts = urlsplit(uri)
    address = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
    try:
        with contextlib.closing(socket.create_connection(address, max(_LEAST_SECONDS, deadline.remaining))) as raw:
            if parts.scheme == "ldaps":
                raw.settimeout(max(_LEAST_SECONDS, deadline.remaining))
                _untrusting().wrap_socket(raw, server_hostname=parts.hostname).close()
    except ssl.SSLError as error:
        raise ControllerDown(f"{parts.netloc}: no TLS: {error.reason or error}") from error
    except OSError as error:
        raise ControllerDown(f"{parts.netloc}: {error.strerror or error}") from error


def _untrusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
