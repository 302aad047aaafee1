"""No exception name of the three specifications is without a request over HTTP that gets it.

`NAMES` has every word that ends in "Exception" in [MS-RMPR], [MS-RMSI] and [MS-RMPRS], without namespace, with the sections
that say when it is sent. Not in it: AcquireLicenseException and AcquirePreLicenseException, which are elements that carry a
name, and InnerException, a member of a record.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import pytest

from rmsserver import errors
from rmsserver.errors import RmsError
from tests.wire import test_faults, test_faults_rmprs, test_faults_rmsi

NAMES: dict[str, str] = {
    # [MS-RMPR], the common ones first
    "UnsupportedDataVersionException": "MS-RMPR 2.2.4.2, 3.1.4.6; MS-RMSI 2.2.4.3, 3.1.4.2; MS-RMPRS 2.2.9.1",
    "MalformedDataVersionException": "MS-RMPR 3.1.4.6; MS-RMSI 3.1.4.1, 3.1.4.2; MS-RMPRS 2.2.9.1",
    "ArgumentNullException": "MS-RMPR 3.1.4.6, 3.7.4.3; MS-RMSI 3.1.4.2, 3.2.4.1.3.1; MS-RMPRS 2.2.9.1",
    "InvalidOperationException": "MS-RMPR 3.7.4.2",
    "UnspecifiedErrorException": "MS-RMPR 3.4.4.1, 3.5.4.1, 3.7.4.2; MS-RMPRS 2.2.9.1",
    "ClusterDecommissionedException": (
        "MS-RMPR 3.3.4.1, 3.4.4.1, 3.4.4.2, 3.4.4.3, 3.5.4.1, 3.5.4.2, 3.7.4.1; MS-RMSI 3.3.4.1, 3.4.4.1, 3.5.4.1"
    ),
    "UnauthorizedAccessException": "MS-RMPR 3.3.4.1; MS-RMSI 3.3.4.1; MS-RMPRS 2.2.9.1",
    "UnsupportedCryptographicSetException": "MS-RMPR 3.3.4.1, 3.4.4.1, 3.5.4.2",
    "VerifyEmailAddressFailedException": "MS-RMPR 3.3.4.1",
    "ADEntrySearchFailedException": "MS-RMPR 3.3.4.1; MS-RMPRS 2.2.9.1",
    "VerifyMachineCertificateChainFailedException": "MS-RMPR 3.3.4.1",
    "BlackBoxIsInvalidException": "MS-RMPR 3.3.4.1, 3.4.4.1, 3.5.4.2",
    "InvalidPersonaCertSignatureException": "MS-RMPR 3.4.4.1, 3.5.4.2",
    "InvalidPersonaCertTimeException": "MS-RMPR 3.4.4.1, 3.5.4.2",
    "UnexpectedPersonaCertException": "MS-RMPR 3.4.4.1, 3.5.4.2",
    "UntrustedPersonaCertException": "MS-RMPR 3.4.4.1, 3.5.4.2",
    "DrmacIsExcludedException": "MS-RMPR 3.4.4.1, 3.5.4.2",
    "CredentialCreationTimeException": "MS-RMPR 3.4.4.1",
    "NoRightsForRequestedPrincipalException": "MS-RMPR 3.4.4.1; MS-RMSI 3.5.4.1",
    "InvalidRightsLabelSignatureException": "MS-RMPR 3.4.4.1",
    "IssuanceLicenseIsNotWithinValidTimeRangeException": "MS-RMPR 3.4.4.1",
    "RightsLabelNoMatchingIssuedPrincipalException": "MS-RMPR 3.4.4.1",
    "OnlinePublishingDisabledException": "MS-RMPR 3.5.4.1; MS-RMSI 3.4.4.1",
    "UnsignedIssuanceLicenseNoMatchingIssuedPrincipalException": "MS-RMPR 3.5.4.1; MS-RMSI 3.2.4.1, 3.4.4.1",
    "InvalidOfficialRightsTemplateException": "MS-RMPR 3.5.4.1; MS-RMSI 3.4.4.1",
    "CryptoUnsupportedSymKeyException": "MS-RMPR 3.5.4.1",
    "EnablingBitsHashDoesNotMatchException": "MS-RMPR 3.5.4.1",
    # [MS-RMSI]
    "ClusterNotDecommissionedException": "MS-RMSI 3.2.4.1",
    "DRMSArgumentException": "MS-RMSI 3.3.4.1, 3.3.4.1.2.1; MS-RMPRS 2.2.9.1",
    "ServerRepublishIllegalException": "MS-RMSI 3.4.4.1",
    "InvalidSignedIssuanceLicenseException": "MS-RMSI 3.4.4.1",
    "AcquirePreLicenseInvalidLicenseeException": "MS-RMSI 3.5.4.1",
    # [MS-RMPRS]
    "ArgumentException": "MS-RMPRS 2.2.9.1",
    "ArgumentOutOfRangeException": "MS-RMPRS 2.2.9.1",
    "FormatException": "MS-RMPRS 2.2.9.1",
    "RemotingException": "MS-RMPRS 2.3.1.3.1, 2.3.6.9",
}
REMOTING_EXCEPTION = "RemotingException"
"""The only name that has no error of its own: it carries the others where the binary form is spoken."""


def short_names(found: Iterable[type[RmsError]]) -> set[str]:
    return {error.wire_name.rpartition(".")[2] for error in found}


def asked_for() -> dict[str, set[str]]:
    """For each kind of answer the names that a test asks a served cluster for."""
    tables = (test_faults.CASES, test_faults_rmsi.CASES, test_faults_rmprs.CASES)
    return {
        "SOAP fault": short_names(error for table in tables for error, cases in table.items() if cases),
        "error of an item": short_names(test_faults_rmsi.PER_IDENTITY),
        "binary": {REMOTING_EXCEPTION} if test_faults_rmprs.BINARY else set(),
    }


def test_the_table_has_32_names_and_four() -> None:
    """32 of [MS-RMPR] and [MS-RMSI]; [MS-RMPRS] adds three of .NET and the one of the binary form."""
    of_clients = {name for name, sections in NAMES.items() if "MS-RMPR " in sections or "MS-RMSI " in sections}
    assert len(of_clients) == 32
    assert len(NAMES) == 36


@pytest.mark.parametrize("name", NAMES)
def test_a_request_over_http_gets_every_name(name: str) -> None:
    """By a case of test_faults.py, test_faults_rmsi.py or test_faults_rmprs.py, each of which is sent to a served cluster."""
    assert [kind for kind, names in asked_for().items() if name in names], f"no request is answered with {name}"


def test_every_error_of_ours_is_a_name_of_the_specifications() -> None:
    """Whoever adds an error to errors.py finds its name in a specification, and adds the request that reaches it."""
    ours = {
        found
        for _, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, RmsError) and found is not RmsError and found.__module__ == errors.__name__
    }
    assert short_names(ours) | {REMOTING_EXCEPTION} == set(NAMES)


def test_every_operation_between_servers_has_a_fault() -> None:
    """As the operations of clients have theirs (test_faults.py)."""
    operations = {case().operation for cases in test_faults_rmprs.CASES.values() for case in cases}
    assert operations == set(test_faults_rmprs.OPERATIONS)


def test_every_operation_for_applications_has_a_fault() -> None:
    """The four of [MS-RMSI]."""
    operations = {case().operation for cases in test_faults_rmsi.CASES.values() for case in cases}
    assert operations == set(test_faults_rmsi.OPERATIONS)
