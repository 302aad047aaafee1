"""Connections to other servers: the ones that configuration names, and no others (threat N1).

What lives here: HTTP with sign-on, TLS verification, limits and deadlines, and the SOAP calls between servers. What does
not: which server is asked, and what its answer is worth; operations decide both. The only home of `requests` in the server.
"""
