"""SOAP: from a request body to a call of an operation and back. The only home of Spyne.

What lives here: reading envelopes, turning the WSDL files into Spyne services, the version header, faults, and the passage
of signed text past every parser and serialiser, so that not one of its characters changes. What does not: HTTP (the web
layer calls `SoapDispatcher.dispatch` with bytes and gets bytes), policy (operations), and the meaning of certificates.
"""

import logging

from rmsserver.soap import six_modules

six_modules.make_importable()
# Spyne logs whole requests where it cannot read them; what it has to say about a request, faults.py says without them.
logging.getLogger("spyne").setLevel(logging.CRITICAL + 1)
