"""Servers that ask for a certificate, in either mode."""

from __future__ import annotations

import base64

from rmsserver.operations.enrollee import EnrolleeInformation, EnrolleeKey
from rmsserver.xrml.keys import PrivateKey
from tests.cluster import Cluster, key

GUID = "8f2e3a10-0000-4000-8000-00000000beef"
URL = "http://branch.example.com/_wmcs"
INFORMATION = EnrolleeInformation("RMS 2.0", "6.3.0.0", "BRANCH", URL)


def key_of(cluster: Cluster) -> PrivateKey:
    return key("branch slc", cluster.mode.rsa_bits)


def encoded(private: PrivateKey) -> str:
    """As aPublicKeyBytes has it."""
    return base64.b64encode(private.public.pkcs1_der).decode()


def sent_by(cluster: Cluster) -> EnrolleeKey:
    return EnrolleeKey(encoded(key_of(cluster)), GUID)
