"""The account: certificate and keys of a person on this machine, and setting them up ([MS-RMPR] 3.8.4.1).

Opening goes down a chain of keys: the machine's opens the account's, which stands sealed in the RAC; the
account's opens the licensor key in the CLC. None but the machine's is ever stored in the clear.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rmsserver.client.errors import ServerAnswerError, ServiceFaultError, SetupError, TrustError
from rmsserver.client.machine import Machine, check_machine
from rmsserver.client.services import Services
from rmsserver.client.store import Settings, Store
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid

_UNKNOWN_MACHINE = "VerifyMachineCertificateChainFailedException"


@dataclass(frozen=True)
class Account:
    """A person's RAC chain, leaf first, and the private key out of it."""

    rac: RightsAccountCertificate
    chain: tuple[str, ...] = field(repr=False)
    key: PrivateKey = field(repr=False)

    @property
    def email(self) -> str:
        return self.rac.email


@dataclass(frozen=True)
class Licensor:
    """What an author signs with: her CLC chain, leaf first, and the private key out of it."""

    clc: ClientLicensorCertificate
    chain: tuple[str, ...] = field(repr=False)
    key: PrivateKey = field(repr=False)


def open_account(chain: tuple[str, ...], machine: Machine, trust: ClusterTrust, now: dt.datetime) -> Account:
    """Verify a RAC chain and open its key. Raises TrustError, or SetupError where it has expired."""
    what = "The account certificate"
    try:
        rac = RightsAccountCertificate.read(chain[0])
        trust.close(rac, chain[1:], what)
        if rac.machine is None or not rac.machine.object.same_identity(machine.spc.principal.object):
            raise TrustError("The account certificate is bound to another machine.")
        key = rac.open_private_key(machine.key, secrets.token_bytes(16))
    except (XrmlError, IndexError) as error:
        raise TrustError(f"{what} cannot be used: {error}.") from None
    if rac.validity is not None and now not in rac.validity:
        raise SetupError("Your account certificate is not valid now; run rmsclient bootstrap again.")
    return Account(rac, chain, key)


def open_licensor(chain: tuple[str, ...], account: Account, trust: ClusterTrust) -> Licensor:
    """Verify a CLC chain and open its key. Raises TrustError."""
    what = "The licensor certificate"
    try:
        clc = ClientLicensorCertificate.read(chain[0])
        trust.close(clc, chain[1:], what)
        if not clc.principal.object.same_identity(account.rac.principal.object):
            raise TrustError("The licensor certificate is for another account.")
        key = clc.open_private_key(account.key, secrets.token_bytes(16))
    except (XrmlError, IndexError) as error:
        raise TrustError(f"{what} cannot be used: {error}.") from None
    return Licensor(clc, chain, key)


@dataclass(frozen=True)
class Profile:
    """Everything a set-up client has: read from the store and verified."""

    settings: Settings
    machine: Machine
    account: Account
    licensor: Licensor | None
    """None where the server gave no licensor certificate: such an account publishes online."""


def load_profile(store: Store, now: dt.datetime) -> Profile:
    """Raises SetupError or TrustError."""
    settings = store.settings
    machine = load_machine(store, settings.trust)
    account = open_account(store.chain("rac"), machine, settings.trust, now)
    licensor = open_licensor(store.chain("clc"), account, settings.trust) if store.has_chain("clc") else None
    return Profile(settings, machine, account, licensor)


def load_machine(store: Store, trust: ClusterTrust) -> Machine:
    """Raises SetupError or TrustError."""
    machine = Machine(store.machine_key, store.chain("machine"))
    check_machine(machine, trust.mode)
    return machine


def bootstrap(
    store: Store,
    services: Services,
    make_machine: Callable[[CryptoMode], Machine],
    settings_for: Callable[[ClusterTrust], Settings],
    now: dt.datetime,
    *,
    root: PublicKey | None = None,
) -> Profile:
    """Set this client up, or renew what it has: trust, machine, account, licensor, templates (3.8.4.1).

    `root` is the key a bundle pins. The machine keeps its key as long as the cluster accepts its certificate.
    Nothing is stored before all of it verified. Raises ClientError of many kinds.
    """
    trust = ClusterTrust.pin(services.get_licensor_certificate(), root)
    trust = trust.with_licensor(services.get_licensing_certificate())
    machine, chain = _certified(_kept_machine(store, trust), services, lambda: make_machine(trust.mode))
    account = open_account(chain, machine, trust, now)
    licensor = open_licensor(services.get_client_licensor_certificate(account.chain), account, trust)
    store.write_machine(machine.key, machine.chain)
    store.write_chain("rac", account.chain)
    store.write_chain("clc", licensor.chain)
    settings = settings_for(trust)
    # Last: a client counts as set up only when everything else is there.
    store.write_settings(settings)
    refresh_templates(store, services, trust)
    return Profile(settings, machine, account, licensor)


def _certified(
    kept: Machine | None, services: Services, make_machine: Callable[[], Machine]
) -> tuple[Machine, tuple[str, ...]]:
    """The machine and its RAC chain. A cluster that took another one over has its key, but does not know its machines:
    they get new certificates.
    """
    if kept is not None:
        try:
            return kept, services.certify(kept.chain)
        except ServiceFaultError as error:
            if error.name != _UNKNOWN_MACHINE:
                raise
    machine = make_machine()
    return machine, services.certify(machine.chain)


def _kept_machine(store: Store, trust: ClusterTrust) -> Machine | None:
    if not store.is_set_up or store.settings.trust != trust:
        return None
    try:
        return load_machine(store, trust)
    except (SetupError, TrustError):
        return None


def refresh_templates(store: Store, services: Services, trust: ClusterTrust) -> Mapping[Guid, RightsTemplate]:
    """Bring the stored templates in line with the server's (3.8.4.2): fetch what is new or changed, drop
    the rest.

    Every template is verified with the server's key, kept ones too. Raises TrustError or ServerAnswerError.
    """
    kept: dict[Guid, RightsTemplate] = {}
    wanted: dict[Guid, str] = {}
    known = stored_templates(store, trust)
    try:
        for entry in services.acquire_template_information():
            guid = Guid.parse(entry.guid)
            template = known.get(guid)
            if template is not None and template.hash_text == entry.hash:
                kept[guid] = template
            else:
                wanted[guid] = entry.guid
        for text in services.acquire_templates(list(wanted.values())):
            template = _verified_template(text, trust)
            if template.guid in wanted:
                kept[template.guid] = template
    except XrmlError:
        raise ServerAnswerError("The server sent a template that is not one.") from None
    store.replace_templates({guid: template.text for guid, template in kept.items()})
    return kept


def stored_templates(store: Store, trust: ClusterTrust) -> dict[Guid, RightsTemplate]:
    """The stored templates that verify; others are left out, the next refresh replaces them."""
    found = {}
    for guid, text in store.templates().items():
        try:
            template = _verified_template(text, trust)
        except (XrmlError, TrustError):
            continue
        if template.guid == guid:
            found[guid] = template
    return found


def _verified_template(text: str, trust: ClusterTrust) -> RightsTemplate:
    template = RightsTemplate.read(text)
    trust.close_leaf(template, "The template")
    return template
