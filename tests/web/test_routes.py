"""The URL table."""

from __future__ import annotations

import json

from rmsserver.soap.handlers import HANDLERS
from rmsserver.web.routes import ROUTES
from tests.shared import shared_file


def test_every_path_of_the_contract_is_there() -> None:
    """For each service that is served, and no other path."""
    services = json.loads(shared_file("contract/rms-services.json").read_text())["services"]
    wanted = {path: name for name in HANDLERS for path in services[name]["paths"]}
    assert {path: route.service for path, route in ROUTES.items()} == wanted
