"""The security processor certificate."""

from __future__ import annotations

import re

import pytest

from rmsserver.xrml.errors import WrongKindError, XrmlError, XrmlSyntaxError
from rmsserver.xrml.spc import SecurityProcessorCertificate, repository_version
from rmsserver.xrml.values import Version
from tests.conformance import conforms
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
@conforms(
    "MS-RMPR 2.2.9.4.4",
    "The level Platform has the version of the client's platform, and a certificate without it is refused.",
)
@conforms(
    "MS-RMPR 2.2.9.4.4",
    "The level Manufacturer says who made the security processor, and a certificate without it is refused.",
)
@conforms(
    "MS-RMPR 2.2.9.4.4",
    "The level Repository ends in the version of the security processor, and a certificate without it is refused.",
)
def test_a_missing_level_is_refused(mode1: Hierarchy, name: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        SecurityProcessorCertificate.read(mode1.respelled("spc", f'name="{name}"', 'name="Other"'))


@conforms("MS-RMPR 2.2.9.4", "A machine certificate says when it was issued, and one that does not is refused.")
@conforms("MS-RMPR 2.2.9.4", "A machine certificate names its issuer, and one that does not is refused.")
@conforms("MS-RMPR 2.2.9.4", "A machine certificate has a machine and its key, and one that does not is refused.")
@pytest.mark.parametrize("tag", ["ISSUEDTIME", "DESCRIPTOR", "ISSUER", "ISSUEDPRINCIPALS"])
def test_a_missing_part_is_refused(mode1: Hierarchy, tag: str) -> None:
    """Though the rest is genuinely signed."""
    found = re.search(rf"<{tag}>.*?</{tag}>", mode1.spc)
    assert found is not None
    with pytest.raises(XrmlError):
        SecurityProcessorCertificate.read(mode1.respelled("spc", found.group(), ""))


@conforms("MS-RMPR 2.2.9.4", "A machine certificate has a machine and its key, and one that does not is refused.")
def test_a_machine_without_a_key_is_refused(mode1: Hierarchy) -> None:
    """There would be nothing to seal to."""
    head, _, inside = mode1.spc.partition("<ISSUEDPRINCIPALS>")
    found = re.search("<PUBLICKEY>.*?</PUBLICKEY>", inside)
    assert head
    assert found is not None
    with pytest.raises(XrmlSyntaxError):
        SecurityProcessorCertificate.read(mode1.respelled("spc", found.group(), ""))


def test_another_principal_is_refused(mode1: Hierarchy) -> None:
    with pytest.raises(WrongKindError):
        SecurityProcessorCertificate.read(mode1.respelled("spc", "Machine-Unique-Identifier", "Group-Identity"))


@pytest.mark.parametrize("text", ["", "no number", "6.1.7600.16385 beta", "v6.1"])
def test_prose_without_a_version_is_an_xrml_error(text: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        repository_version(text)
