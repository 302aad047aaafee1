"""A cluster's operations as another SOAP stack calls them, for our client's workflows: those bring the cryptography, and
believe nothing of an answer that does not verify."""

from __future__ import annotations

from collections.abc import Sequence

from rmsserver.client.services import TemplateHash
from tests.live.interop.conversation import Answer, Conversation


class ForeignServices:
    """`rmsserver.client.services.Services` over a client program. Every method raises ForeignFault."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def get_licensor_certificate(self) -> tuple[str, ...]:
        return self._certificates("GetLicensorCertificate")

    def get_licensing_certificate(self) -> tuple[str, ...]:
        return self.get_licensor_certificate()

    def certify(self, machine_chain: Sequence[str]) -> tuple[str, ...]:
        return self._certificates("Certify", *_lines("certificate", machine_chain))

    def get_client_licensor_certificate(self, rac_chain: Sequence[str]) -> tuple[str, ...]:
        return self._certificates("GetClientLicensorCert", *_lines("certificate", rac_chain))

    def acquire_issuance_license(self, unsigned: str) -> tuple[str, ...]:
        return self._certificates("AcquireIssuanceLicense", ("license", unsigned))

    def acquire_template_information(self) -> tuple[TemplateHash, ...]:
        answer = self._conversation.ask("AcquireTemplateInformation")
        return tuple(TemplateHash(guid, hash_) for guid, hash_ in answer.pairs("guid", "hash"))

    def acquire_templates(self, guids: Sequence[str]) -> tuple[str, ...]:
        answer = self._conversation.ask("AcquireTemplates", *_lines("guid", guids))
        return tuple(template for template in answer.all("template") if template)

    def acquire_license(self, rac_chain: Sequence[str], license_chain: Sequence[str]) -> tuple[str, ...]:
        (chain,) = self.acquire_licenses(rac_chain, license_chain)
        return chain

    # --- what our workflows do not use ------------------------------------------------------------------------------

    def acquire_licenses(
        self, rac_chain: Sequence[str], *license_chains: Sequence[str], version: str = "1.0.0.0"
    ) -> list[tuple[str, ...]]:
        """A batch: a chain for each publishing licence, or an AcquireLicenseException in its place."""
        lines = [*_lines("certificate", rac_chain)]
        for chain in license_chains:
            lines += [("item", ""), *_lines("license", chain)]
        return self._conversation.ask("AcquireLicense", *lines, version=version).items("certificate")

    def acquire_pre_license(
        self, identities: Sequence[str], license_chain: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What there is for each identity, and the server's chain."""
        lines = (*_lines("identity", identities), *_lines("license", license_chain))
        answer = self._conversation.ask("AcquirePreLicense", *lines, version="1.1.0.0")
        return answer.all("license"), answer.all("certificate")

    def find_service_locations_for_user(self, *types: str) -> dict[str, str]:
        answer = self._conversation.ask("FindServiceLocationsForUser", *_lines("type", types))
        return dict(answer.pairs("type", "url"))

    def get_server_info(self, *types: str) -> str:
        return self._conversation.ask("GetServerInfo", *_lines("type", types)).one("information")

    def template_information(self, version: str) -> Answer:
        return self._conversation.ask("AcquireTemplateInformation", version=version)

    def _certificates(self, operation: str, *lines: tuple[str, str]) -> tuple[str, ...]:
        return self._conversation.ask(operation, *lines).all("certificate")


def _lines(name: str, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for value in values)
