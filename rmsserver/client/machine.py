"""The machine: its key, and how it comes by its security processor certificate ([MS-RMPR] 3.8.4.1).

By default the cluster signs: the public key goes over the authenticated connection and the issuer's private
key stays at home (an endpoint of our own, docs/decisions.md 4). With a bundle the machine signs for itself,
as genuine clients do. The private key never leaves the machine either way.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import platform
import re
import uuid
from dataclasses import dataclass, field

from rmsserver import __version__
from rmsserver.client.bundle import ClientBundle
from rmsserver.client.errors import ServerAnswerError, TrustError
from rmsserver.client.services import PIPELINE
from rmsserver.client.transport import Answer, HttpConnection
from rmsserver.xrml.chain import check_machine_modes, close_machine_chain, read_machine_chain
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.spc import SecurityProcessorCertificate, write_security_processor_certificate
from rmsserver.xrml.values import Guid, Version

CLIENT_VERSION = str(Version.parse(__version__))
"""Four numbers: what administrators exclude machines and applications by."""
_ENDPOINT = "/_rmsserver/machine-certificate"
_NOT_SIGNED = "The server does not sign machine certificates; ask your administrator for a client bundle (--bundle)."
_REFUSALS = {
    403: "Your account may not get a machine certificate; ask your administrator.",
    422: "The server refused to sign this machine's certificate; ask your administrator, its log says why.",
    503: "The server cannot sign machine certificates just now; try again later.",
}
_STATUSES = frozenset({200, 400, 404, 405, 415, *_REFUSALS})
_ACTIVATION_URL = "file:///rmsclient"


@dataclass(frozen=True)
class Machine:
    """Private key and SPC chain, leaf first."""

    key: PrivateKey = field(repr=False)
    chain: tuple[str, ...] = field(repr=False)

    @property
    def spc(self) -> SecurityProcessorCertificate:
        return SecurityProcessorCertificate.read(self.chain[0])


def hardware_digest(mode: CryptoMode) -> bytes:
    """What stands for the hardware: opaque to servers. Random, so that it tells nothing about the machine."""
    return mode.digest(hashlib.sha256(uuid.uuid4().bytes).digest())


def platform_version() -> str:
    """The operating system's version as up to four dotted numbers, for the Platform level."""
    text = platform.version() if platform.system() == "Windows" else platform.release()
    match = re.match(r"[0-9]{1,5}(?:\.[0-9]{1,5}){0,3}", text)
    numbers = (match.group().split(".") if match else []) + ["0"] * 4
    return ".".join(numbers[:4])


def request_machine(connection: HttpConnection, base_url: str, mode: CryptoMode) -> Machine:
    """Make a key and have the cluster sign its certificate. Raises ServerAnswerError, TrustError and
    sign-on errors."""
    key = PrivateKey.generate(mode.rsa_bits)
    request = {
        "modulus": base64.b64encode(key.public.modulus.to_bytes(key.public.bits // 8)).decode(),
        "hardware_digest": base64.b64encode(hardware_digest(mode)).decode(),
        "platform": platform_version(),
    }
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    url = base_url[: -len(PIPELINE)] + _ENDPOINT  # beside the protocol's own folder, not in it
    answer = connection.post(url, json.dumps(request).encode(), headers, statuses=_STATUSES)
    machine = Machine(key, _chain_of(answer))
    check_machine(machine, mode)
    return machine


def sign_machine(bundle: ClientBundle, mode: CryptoMode, now: dt.datetime) -> Machine:
    """Make a key and its certificate under the bundle's SPC issuer (3.8.3.1). Raises TrustError."""
    key = PrivateKey.generate(mode.rsa_bits)
    try:
        issuer = IssuingCertificate.read(bundle.issuer_chain[0])
        text = write_security_processor_certificate(
            certificate_id=Guid(uuid.uuid4()),
            machine_id=Guid(uuid.uuid4()),
            machine_key=key.public,
            hardware_digest=hardware_digest(mode),
            issuer_inner=issuer.issuer_inner_surface,
            platform=platform_version(),
            manufacturer=f"rmsclient desktop security processor {CLIENT_VERSION}",
            repository=f"rmsclient secure repository {CLIENT_VERSION}",
            activation_url=_ACTIVATION_URL,
            issued=now,
            signing_key=bundle.issuer_key,
            mode=mode,
        )
    except XrmlError as error:
        raise TrustError(f"The bundle's SPC issuer cannot be used: {error}.") from None
    machine = Machine(key, (text, *bundle.issuer_chain))
    check_machine(machine, mode)
    return machine


def check_machine(machine: Machine, mode: CryptoMode) -> None:
    """Every link of the chain holds, it is of the cluster's mode, and the leaf has our key. Raises
    TrustError.

    Whether its issuer is trusted is the server's question: it is the one that relies on it.
    """
    try:
        chain = read_machine_chain(machine.chain)
        first = chain.issuers[0].principal.public_key
        close_machine_chain(chain, {first.id: first}, {})
        check_machine_modes(chain, mode)
    except XrmlError as error:
        raise TrustError(f"The machine certificate is not valid: {error}.") from None
    if chain.spc.principal.public_key != machine.key.public:
        raise TrustError("The machine certificate is for another key than this machine's.")


def _chain_of(answer: Answer) -> tuple[str, ...]:
    if answer.status != 200:
        raise ServerAnswerError(_REFUSALS.get(answer.status, _NOT_SIGNED))
    try:
        chain = json.loads(answer.body)["chain"]
        if not isinstance(chain, list) or not all(isinstance(text, str) for text in chain):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise ServerAnswerError(_NOT_SIGNED) from None
    return tuple(chain)
