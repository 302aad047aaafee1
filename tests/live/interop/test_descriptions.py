"""Every service description is one that other people's generators take, also those that the story does not use."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from tests.live.interop.stacks import WSDL, Gsoap, Mono, Php, Soap, Stack

pytestmark = pytest.mark.xdist_group("interop")

DESCRIPTIONS = sorted(WSDL.glob("*.wsdl"))


@pytest.mark.parametrize("stack", [Mono(Soap.V11), Php(Soap.V11), Gsoap(Soap.V11)], ids=lambda stack: stack.name)
def test_every_description_makes_proxies(stack: Stack, tmp_path: Path) -> None:
    """Each operation of each service has its method, and Mono's classes compile."""
    stack.require()
    assert len(DESCRIPTIONS) == 12
    generated = stack.proxies(tmp_path, DESCRIPTIONS)
    for description in DESCRIPTIONS:
        for operation in _operations(description):
            assert f"{operation}(" in generated, f"{operation} of {description.name}"


def _operations(description: Path) -> set[str]:
    found = etree.parse(description).findall("{*}portType/{*}operation")
    assert found
    return {operation.attrib["name"] for operation in found}
