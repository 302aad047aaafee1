"""Requests of every operation as bytes, as clients send them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from tests.http_server import request
from tests.soap_messages import (
    CERTIFICATION,
    DECOMMISSION,
    ENVELOPE_11,
    ENVELOPE_12,
    LICENSING,
    PUBLISHING,
    REPUBLISHING,
    SERVER,
    TEMPLATES,
    TYPE_11,
    TYPE_12,
    envelope,
    version_data,
)

GROUP_EXPANSION = "http://microsoft.com/DRM/GroupExpansionWebService"
SUB_ENROLLMENT = "http://microsoft.com/DRM/SubEnrollmentService"
ENROLLMENT = "http://microsoft.com/DRM/EnrollmentService"
ACTIVATION = "http://microsoft.com/DRM/ActivationService"

SERVICES = {
    "Certify": (CERTIFICATION, "certification/certification.asmx"),
    "AcquireLicense": (LICENSING, "licensing/license.asmx"),
    "AcquireIssuanceLicense": (PUBLISHING, "licensing/publish.asmx"),
    "GetClientLicensorCert": (PUBLISHING, "licensing/publish.asmx"),
    "GetLicensorCertificate": (SERVER, "licensing/server.asmx"),
    "FindServiceLocationsForUser": (SERVER, "certification/server.asmx"),
    "FindServiceLocations": (SERVER, "licensing/server.asmx"),
    "GetServerInfo": (SERVER, "licensing/server.asmx"),
    "AcquireTemplateInformation": (TEMPLATES, "licensing/templatedistribution.asmx"),
    "AcquireTemplates": (TEMPLATES, "licensing/templatedistribution.asmx"),
}
"""Namespace and path below the base path of every operation that is served."""
BETWEEN_SERVERS = {
    "IsPrincipalMemberOf": (GROUP_EXPANSION, "groupexpansion/groupexpansion.asmx"),
    "SubEnroll": (SUB_ENROLLMENT, "certification/subenrollservice.asmx"),
    "Enroll": (ENROLLMENT, "enrollment/enrollservice.asmx"),
    "Activate": (ACTIVATION, "certification/activation.asmx"),
}
"""The same of the services that other servers and the first clients call: closed to everybody by default."""
FOR_APPLICATIONS = {
    "AcquirePreLicense": (LICENSING, "licensing/license.asmx"),
    "Precertify": (CERTIFICATION, "certification/precertification.asmx"),
    "EditIssuanceLicense": (REPUBLISHING, "licensing/editissuancelicense.asmx"),
    "AcquireContentKey": (DECOMMISSION, "decommission/decommission.asmx"),
}
"""The same of [MS-RMSI], closed to everybody by default."""
AGENT = "MSIPC;version=1.0.4349.3;AppName=WINWORD.EXE;AppVersion=16.0;AppArch=x86;OSName=Windows;OSVersion=10.0"


def signed_on(person: str, password: str = "correct horse") -> str:
    """An Authorization header."""
    return "Basic " + base64.b64encode(f"{person}:{password}".encode()).decode()


def call(
    operation: str,
    parameters: str = "",
    *,
    soap12: bool = False,
    version: str = "1.0.0.0",
    minimum: str | None = None,
    person: str | None = "author",
) -> bytes:
    """A whole HTTP request. `person` signs on with Basic; None sends no Authorization."""
    namespace, path = {**SERVICES, **BETWEEN_SERVERS, **FOR_APPLICATIONS}[operation]
    body = envelope(
        f'<{operation} xmlns="{namespace}">{parameters}</{operation}>',
        header=version_data(namespace, minimum or version, version),
        soap=ENVELOPE_12 if soap12 else ENVELOPE_11,
    ).encode()
    action = {} if soap12 else {"SOAPAction": f'"{namespace}/{operation}"'}
    authorization = {} if person is None else {"Authorization": signed_on(person)}
    content_type = f'{TYPE_12}; action="{namespace}/{operation}"' if soap12 else TYPE_11
    return request(f"/_wmcs/{path}", body, content_type=content_type, User_Agent=AGENT, **action, **authorization)


def certificates(texts: Iterable[str]) -> str:
    return "".join(f"<Certificate>{text}</Certificate>" for text in texts)


def certify(chain: Sequence[str], *, persistent: bool = True) -> str:
    """The parameters of Certify, as those below of the operations that they are named for."""
    flag = str(persistent).lower()
    return (
        f"<requestParams><MachineCertificateChain>{certificates(chain)}</MachineCertificateChain>"
        f"<Persistent>{flag}</Persistent></requestParams>"
    )


def acquire_license(*items: tuple[Sequence[str], Sequence[str]]) -> str:
    """Items are (RAC chain, publishing licence chain)."""
    inner = "".join(
        f"<AcquireLicenseParams><LicenseeCerts>{certificates(racs)}</LicenseeCerts>"
        f"<IssuanceLicense>{certificates(licenses)}</IssuanceLicense><ApplicationData /></AcquireLicenseParams>"
        for racs, licenses in items
    )
    return f"<RequestParams>{inner}</RequestParams>"


def acquire_pre_license(identities: Sequence[str], licenses: Sequence[str]) -> str:
    strings = "".join(f"<string>{identity}</string>" for identity in identities)
    return (
        f"<RequestParams><AcquirePreLicenseParams><LicenseeIdentities>{strings}</LicenseeIdentities>"
        f"<IssuanceLicense>{certificates(licenses)}</IssuanceLicense></AcquirePreLicenseParams></RequestParams>"
    )


def precertify(*names: str, sid: str | None = None) -> str:
    """One PrecertifyParams for each name; with the SID in each where it is given."""
    identification = (
        f"<Identification><AuthenticationMode>Windows</AuthenticationMode><Id>{sid}</Id></Identification>"
        if sid is not None
        else ""
    )
    inner = "".join(
        f"<PrecertifyParams>{f'<UserName>{name}</UserName>' if name else ''}{identification}</PrecertifyParams>"
        for name in names
    )
    return f"<requestParams>{inner}</requestParams>"


def edit_issuance_license(signed: str, unsigned: str) -> str:
    return (
        f"<RequestParams><EditIssuanceLicenseParams><SignedIssuanceLicense>{signed}</SignedIssuanceLicense>"
        f"<UnsignedIssuanceLicense>{unsigned}</UnsignedIssuanceLicense></EditIssuanceLicenseParams></RequestParams>"
    )


def acquire_content_key(*chains: Sequence[str]) -> str:
    inner = "".join(
        f"<AcquireContentKeyParams><IssuanceLicense>{certificates(chain)}</IssuanceLicense></AcquireContentKeyParams>"
        for chain in chains
    )
    return f"<paramsSoap>{inner}</paramsSoap>"


def acquire_issuance_license(*texts: str) -> str:
    inner = "".join(
        f"<AcquireIssuanceLicenseParams><UnsignedIssuanceLicense>{text}</UnsignedIssuanceLicense>"
        "</AcquireIssuanceLicenseParams>"
        for text in texts
    )
    return f"<RequestParams>{inner}</RequestParams>"


def get_client_licensor_cert(*chains: Sequence[str]) -> str:
    inner = "".join(
        f"<GetClientLicensorCertParams><PersonaCerts>{certificates(chain)}</PersonaCerts></GetClientLicensorCertParams>"
        for chain in chains
    )
    return f"<RequestParams>{inner}</RequestParams>"


def find_service_locations(*types: str) -> str:
    inner = "".join(f"<ServiceLocationRequest><Type>{type_}</Type></ServiceLocationRequest>" for type_ in types)
    return f"<ServiceNames>{inner}</ServiceNames>"


def get_server_info(*types: str) -> str:
    inner = "".join(f"<ServerInfoRequest><Type>{type_}</Type><AdditionalInfo /></ServerInfoRequest>" for type_ in types)
    return f"<requests>{inner}</requests>"


def acquire_templates(*guids: str) -> str:
    return f"<guids>{''.join(f'<string>{guid}</string>' for guid in guids)}</guids>"


def is_principal_member_of(principal: str | None, groups: Sequence[str], calls: int | str | None = 0) -> str:
    name = "" if principal is None else f"<principalName>{principal}</principalName>"
    same = name.replace("principalName", "principalCrossForest")
    count = "" if calls is None else f"<crossForestCallsSoFar>{calls}</crossForestCallsSoFar>"
    strings = "".join(f"<string>{group}</string>" for group in groups)
    return f"{name}{same}<targetGroups>{strings}</targetGroups>{count}"


def enrollee(public_key: str, guid: str, version: str = "6.3.0.0", url: str = "http://branch.example.com/_wmcs") -> str:
    """What SubEnroll and Enroll have in common: key and information."""
    return (
        f"<CertificatePublicKey><aPublicKeyBytes>{public_key}</aPublicKeyBytes><Guid>{guid}</Guid></CertificatePublicKey>"
        f"<EnrolleeInformation><SKU>RMS 2.0</SKU><Version>{version}</Version><Name>BRANCH</Name><URL>{url}</URL>"
        "</EnrolleeInformation>"
    )


def sub_enroll(parts: str) -> str:
    return f"<oInput>{parts}</oInput>"


def enroll(parts: str, revocation: str = "<RevocationType>StandardRevocation</RevocationType>") -> str:
    return (
        "<oInput><AuthorizationInformation><SignedDataBase64Encoded>x</SignedDataBase64Encoded></AuthorizationInformation>"
        f"<RevocationInformation>{revocation}</RevocationInformation>{parts}</oInput>"
    )
