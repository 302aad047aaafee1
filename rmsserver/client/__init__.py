"""The RMS client ([MS-RMPR] 3.8): services, machine and account bootstrap, protecting and opening files.

What lives here stands on the engine (`xrml`) alone and never on a server module. Each module says
whether it touches the disk or the network.
"""
