"""The cluster's own revocation list, as it serves it to everybody ([XRML] 3.17, [MS-RMPR] 2.2.9.7.9).

It is signed anew every hour: a licence's REFRESH condition bounds the list's age, so one that was signed once and for all
would in the end keep everybody from opening anything.
"""

from __future__ import annotations

import datetime as dt

from rmsserver.operations.preconditions import check_may_issue
from rmsserver.state import ServerState
from rmsserver.xrml.revocation import RevocationPoint, write_revocation_list

PATH = "/revocation/revocationlist.xml"
"""Below the cluster's URL."""


def own_revocation_point(state: ServerState, interval: dt.timedelta) -> RevocationPoint:
    """What licences say that depend on the cluster's own list. Signed by the SLC's key: after a rollover, templates that name
    the list have to be made anew, as documents keep the key that they name.
    """
    server = state.licensor.certificate.principal.object
    url = state.base_url + PATH
    return RevocationPoint(server.id_type, server.id, url, state.licensor.key.public, interval, state.name)


def revocation_list(state: ServerState, now: dt.datetime) -> str:
    """The list as signed text. Raises UnspecifiedError where the server may not sign, XrmlSyntaxError for a bad entry."""
    check_may_issue(state, now)
    server = state.licensor.certificate.principal.object
    return write_revocation_list(
        list_id=server.guid,
        point=own_revocation_point(state, dt.timedelta()),
        revocations=state.revocations,
        issued=now,
        signing_key=state.licensor.key,
        mode=state.licensor.mode,
    )
