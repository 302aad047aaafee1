"""HTTP on Twisted: from a TCP connection to a call of the SOAP dispatcher in a worker thread, and back.

What lives here: the URL table of [MS-RMPR] 3.1.4.2, limits on what is read and for how long, sign-on of connections, ASMX
manners, health and metrics. What does not: SOAP, the schemes of sign-on (auth), and policy. Only channel.py, site.py and
root.py know Twisted; everything else turns values into values and runs in any thread.
"""
