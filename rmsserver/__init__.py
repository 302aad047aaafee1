"""A server for Rights Management Services: the on-premises AD RMS protocol, [MS-RMPR] and its siblings."""

__version__ = "0.1.0"
