"""The cluster's own revocation list, as it serves it to everybody ([XRML] 3.17, [MS-RMPR] 2.2.9.7.9).

It is signed anew every hour: a licence's REFRESH condition bounds the list's age, so one that was signed once and for all
would in the end keep everybody from opening anything.
"""

from __future__ import annotations

import datetime as dt

from rmsserver.operations.preconditions import check_may_issue
from rmsserver.state import Licensor, ServerState
from rmsserver.xrml.revocation import RevocationPoint, write_revocation_list

PATH = "/revocation/revocationlist.xml"
"""Below the cluster's URL; `?key=` and the key id of an own SLC, present or former, says who is to sign it."""


def own_revocation_point(
    state: ServerState, interval: dt.timedelta, licensor: Licensor | None = None
) -> RevocationPoint:
    """What licences say that depend on the cluster's own list, signed by `licensor` (the present one, unless told).

    The URL names the key, so that documents find a list signed by the key that they name after a rollover too.
    """
    signer = licensor or state.licensor
    server = signer.certificate.principal.object
    url = f"{state.base_url}{PATH}?key={signer.key.public.id.hex()}"
    return RevocationPoint(server.id_type, server.id, url, signer.key.public, interval, state.name)


def list_signer(state: ServerState, key_id: str) -> Licensor | None:
    """The own licensor with that key id, the present one for ""; None where there is none."""
    own = (state.licensor, *state.former_licensors)
    return next((licensor for licensor in own if key_id in ("", licensor.key.public.id.hex())), None)


def revocation_list(state: ServerState, now: dt.datetime, licensor: Licensor | None = None) -> str:
    """The list as signed text. Raises UnspecifiedError where the server may not sign, XrmlSyntaxError for a bad entry."""
    check_may_issue(state, now)
    signer = licensor or state.licensor
    return write_revocation_list(
        list_id=signer.certificate.principal.object.guid,
        point=own_revocation_point(state, dt.timedelta(), signer),
        revocations=state.revocations,
        issued=now,
        signing_key=signer.key,
        mode=signer.mode,
    )
