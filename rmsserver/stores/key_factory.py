"""A process that makes RSA key pairs at the lowest priority, for the key pool (threat C7).

Run as `python -m rmsserver.stores.key_factory`: one key length in bits per line in, a four-byte length and
the PKCS#8 key out, until the input ends. It has no secrets of the cluster and no database: keys pass through
an anonymous pipe and are wrapped by the server. A process and not a thread, because a thread of low priority
that holds the interpreter lock when it is put aside would hold up every request. It is started anew, never
forked, so it shares no generator state.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import BinaryIO

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more. A length other than 1024 or 2048 ends the process with
    ValueError.
    """
    for line in requests:
        bits = int(line)
        if bits not in (1024, 2048):
            raise ValueError("keys have 1024 or 2048 bits")
        # The engine's own factory is not imported here: this process stays small and starts fast.
        der = rsa.generate_private_key(65537, bits).private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        answers.write(struct.pack(">I", len(der)) + der)
        answers.flush()


if __name__ == "__main__":
    os.nice(19)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        # The server was killed; without the usual exit, which would try to flush into the same pipe.
        os._exit(0)
