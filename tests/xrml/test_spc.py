"""The security processor certificate."""

from __future__ import annotations

import pytest

from rmsserver.xrml.errors import WrongKindError, XrmlSyntaxError
from rmsserver.xrml.spc import SecurityProcessorCertificate, repository_version
from rmsserver.xrml.values import Version
from tests.xrml.hierarchy import Hierarchy, guid


def test_what_is_written_reads_back(hierarchy: Hierarchy) -> None:
    """Machine, key and levels, and the parts that go into a RAC."""
    spc = SecurityProcessorCertificate.read(hierarchy.spc)
    assert spc.principal.object.guid == guid("machine")
    assert spc.principal.key == hierarchy.keys.machine.public
    assert list(spc.principal.levels) == ["Platform", "Manufacturer", "Repository"]
    assert spc.security_processor_version == Version(6, 1, 7600, 16385)
    assert spc.level_surface("Platform") == '<SECURITYLEVEL name="Platform" value="2.6.1.7600" />'
    assert spc.machine_object == spc.principal.object.surface


@pytest.mark.parametrize("name", ["Platform", "Manufacturer", "Repository"])
def test_a_missing_level_is_refused(mode1: Hierarchy, name: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        SecurityProcessorCertificate.read(mode1.respelled("spc", f'name="{name}"', 'name="Other"'))


def test_another_principal_is_refused(mode1: Hierarchy) -> None:
    with pytest.raises(WrongKindError):
        SecurityProcessorCertificate.read(mode1.respelled("spc", "Machine-Unique-Identifier", "Group-Identity"))


@pytest.mark.parametrize("text", ["", "no number", "6.1.7600.16385 beta", "v6.1"])
def test_prose_without_a_version_is_an_xrml_error(text: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        repository_version(text)
