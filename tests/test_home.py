"""What `rmsserver init` makes, and what of it every later process finds ([MS-RMPR] 3.1.3)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rmsserver.config import load_config
from rmsserver.home import Home, NewCluster, create_home
from rmsserver.state import ServerState
from rmsserver.stores.trust_anchors import production_anchors
from rmsserver.xrml.chain import close_server_chain
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from tests.conformance import conforms

URL = "https://rms.example.com/_wmcs"


@dataclasses.dataclass(frozen=True)
class Made:
    """A cluster when it was made, and where."""

    home: Path
    state: ServerState

    def opened(self) -> Home:
        """As another process opens it."""
        return Home(load_config(self.home), lambda: "passphrase")


@pytest.fixture(scope="module", params=list(CryptoMode), ids=["mode1", "mode2"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    home = tmp_path_factory.mktemp("home") / "home"
    new = NewCluster(URL, "https://rms.example.net/_wmcs", request.param, "EXAMPLE-RMS", "EXAMPLE")
    return Made(home, create_home(load_config(home), new, "passphrase"))


@conforms("MS-RMPR 3.1.3.1", "A new cluster makes a key pair of its own and stores it.")
@conforms("MS-RMPR 3.1.3.2", "A new cluster gets an SLC chain and stores it.")
@conforms(
    "MS-RMPR 3.1.3.2", "The SLC holds the cluster's own key and the right to issue, and its chain closes at a root."
)
@conforms("MS-RMPR 3.1.4", "Keys, chains and configuration outlive the process.")
def test_key_and_chain(made: Made, tmp_path: Path) -> None:
    """Its own, found again by the next process; the key opens what is sealed to the certificate."""
    found = made.opened()
    licensor = found.state.licensor
    assert licensor.chain == made.state.licensor.chain
    slc, *above = (IssuingCertificate.read(text) for text in licensor.chain)
    assert slc.principal.public_key == licensor.key.public
    assert licensor.key.to_der() == made.state.licensor.key.to_der()
    assert slc.issued_time in slc.issuance  # its right is ISSUE, or it would not have been read
    root = found.certificates.load().root
    close_server_chain(slc, above, {root.id: root})
    mode = made.state.cryptographic_mode
    other = create_home(load_config(tmp_path / "other"), NewCluster(URL, None, mode, None, "EXAMPLE"), "passphrase")
    assert other.licensor.key.public != licensor.key.public


@conforms("MS-RMPR 3.1.3.3", "The server's version is set from the start, and stands in its SLC.")
@conforms("MS-RMPR 3.1.3.3", "The name that was chosen for the cluster is its name from the start.")
@conforms("MS-RMPR 3.1.3.3", "The SKU is set from the start.")
@conforms("MS-RMPR 3.1.3.3", "The cryptographic mode is chosen when the cluster is made.")
@conforms("MS-RMPR 3.1.3.3", "The base URL is chosen when the cluster is made.")
def test_what_init_decides(made: Made, request: pytest.FixtureRequest) -> None:
    """In the state, and in the certificate of the server."""
    state = made.opened().state
    principal = state.licensor.certificate.principal
    assert state.base_url == principal.object.address("URL") == URL
    assert state.name == principal.object.name == "EXAMPLE-RMS"
    assert {"Server-Version": state.server_version, "Server-SKU": state.sku} == principal.levels
    assert (state.server_version, state.sku) == ("6.3.0.0", "RMS 2.0")
    assert state.cryptographic_mode is state.licensor.mode is made.state.cryptographic_mode
    assert f"mode{state.cryptographic_mode.value}" in request.node.name


@conforms("MS-RMPR 3.1.3.3", "A new cluster trusts SPC issuers from the start: its own and the product's.")
def test_trusted_machine_issuers(made: Made) -> None:
    """By their keys."""
    state = made.opened().state
    assert state.machine_issuer is not None
    shipped = {anchor.key.id for anchor in production_anchors() if anchor.is_machine_issuer}
    assert set(state.trusted_machine_issuers) == {state.machine_issuer.key.public.id, *shipped}
    assert shipped


@conforms("MS-RMPR 3.1.3.4", "A server that starts serves with what is stored.")
@conforms("MS-RMPR 3.1.4", "Keys, chains and configuration outlive the process.")
def test_the_next_process_has_what_was_configured(made: Made) -> None:
    """What one process stores, the next one serves with from its start."""
    assert made.opened().state.external_licensing_url == "https://rms.example.net/_wmcs/licensing"
    made.opened().configuration.set("tempRacValidityTime", "7m")
    assert made.opened().state.temporary_rac_validity.total_seconds() == 7 * 60
