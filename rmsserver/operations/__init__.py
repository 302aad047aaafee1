"""The protocol's operations: plain functions `operation(request, caller, state, ports, now) -> result`.

Each module is one operation: its request and result as frozen values, its checks in the order of the rulings, a table
that gives each engine error its wire name. Nothing here knows of SOAP, HTTP, SQL or files. Certificates come in and go
out as surface text.
"""
