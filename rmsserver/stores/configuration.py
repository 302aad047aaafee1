"""From stores to `ServerState`, and the holder that replaces it whole ([MS-RMPR] 3.1.3.4, 3.1.5)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import structlog

from rmsserver.errors import OperatorError
from rmsserver.ports import PortUnavailable
from rmsserver.state import Licensor, ServerState
from rmsserver.stores.certificates import Certificates, CertificateStore
from rmsserver.stores.configuration_keys import state_fields
from rmsserver.stores.sql.configuration import SqlConfiguration, StoredConfiguration
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid

_log = structlog.get_logger()


def make_state(
    certificates: Certificates, stored: StoredConfiguration, enrollment_service: Licensor | None = None
) -> ServerState:
    """Everything a request is served with. Raises OperatorError where something is missing or cannot be
    read.
    """
    fields: dict[str, Any] = state_fields(stored.values)
    if "base_url" not in fields:
        raise OperatorError("baseUrl is not set: run `rmsserver config set baseUrl URL`")
    published: dict[Guid, RightsTemplate] = {}
    archived: dict[Guid, RightsTemplate] = {}
    for template in stored.templates:
        try:
            (archived if template.archived else published)[template.guid] = RightsTemplate.read(template.text)
        except XrmlError as error:
            raise OperatorError(f"template {template.guid} cannot be read ({error}): remove and add it again") from None
    # A licensing-only cluster certifies nobody: the account certificates of its people are its root cluster's.
    own = certificates.root_licensors if fields.get("root_url") else certificates.trusted_rac_issuers
    # What another cluster was trusted with before this one took its key over no longer restricts it.
    foreign = {key.id: (key, row.domain) for row in stored.user_domains for key in row.keys if key.id not in own}
    return ServerState(
        licensor=certificates.licensor,
        configuration_version=stored.version,
        cryptographic_mode=certificates.licensor.mode,
        machine_issuer=certificates.machine_issuer,
        former_licensors=certificates.former_licensors,
        trusted_licensing_servers=tuple(domain.server for domain in certificates.publishing_domains),
        trusted_rac_issuers={**own, **{key_id: key for key_id, (key, _) in foreign.items()}},
        trusted_user_domains={key_id: domain for key_id, (_, domain) in foreign.items()},
        trusted_machine_issuers=certificates.trusted_machine_issuers,
        machine_roots=certificates.machine_roots,
        enrollment_service=enrollment_service,
        published_templates=published,
        archived_templates=archived,
        template_revisions={template.guid: template.revision for template in stored.templates},
        **fields,
    )


class StateHolder:
    """The state that requests are served with. `current` never waits; `refresh` is called by a timer.

    `on_change` is called with the new state after it is in place (to drop caches), from the thread that
    refreshes.
    """

    def __init__(
        self,
        certificates: CertificateStore,
        configuration: SqlConfiguration,
        *,
        on_change: Callable[[ServerState], None] = lambda _state: None,
    ) -> None:
        self._certificates = certificates
        self._configuration = configuration
        self._on_change = on_change
        self._lock = threading.Lock()
        self._state = self._load()

    def current(self) -> ServerState:
        return self._state

    def refresh(self) -> bool:
        """Take over a changed configuration; True where there was one.

        Nothing is raised: where the stores are away or cannot be read, the old state stays and the log says
        why.
        """
        with self._lock:
            try:
                if self._configuration.version() == self._state.configuration_version:
                    return False
                self._state = self._load()
            except (OperatorError, PortUnavailable, XrmlError) as error:
                _log.error("configuration.refresh_failed", reason=str(error))
                return False
        _log.info("configuration.refreshed", version=self._state.configuration_version)
        self._on_change(self._state)
        return True

    def _load(self) -> ServerState:
        # The version first: a change that comes between the two reads is then seen as one at the next
        # refresh.
        stored = self._configuration.read()
        certificates = self._certificates.load()
        # The key above the SLC is in memory only where an administrator switched enrollment on.
        enrolls = bool(stored.values.get("enrollmentEnabled"))
        service = self._certificates.enrollment_service(certificates.licensor) if enrolls else None
        return make_state(certificates, stored, service)
