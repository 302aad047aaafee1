"""Federated sign-on: WS-Federation with SAML 1.1 tokens ([MS-MWBF]), for the paths `…external` alone ([MS-RMPR] 3.1.4.2).

`issuer.py`: whom this cluster believes, and about which e-mail domains. `token.py`: from the text of a token response to a
verified assertion; `assertion.py`: what the assertion says. `seen_tokens.py`: a token counts once. `session.py`: the cookie
that stands for a verified token for a while. `wsfed.py`: the messages wsignin1.0, wsignout1.0 and wsignoutcleanup1.0.

What does not live here: HTTP (web/federation.py), files and configuration (federation_setup.py). Nothing here opens a
connection: metadata, revocation lists and pointers to tokens are never fetched (threat N1).
"""

from __future__ import annotations


class TokenRefused(Exception):
    """Why a token or a message is not accepted. `reason` is for the log: fixed words, nothing of the token in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
