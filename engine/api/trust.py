"""TLS to an engine's address: which authorities are trusted, and what is wrong with a certificate in words that say what to do.

Owner: nobody; functions only.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from engine.model.errors import EngineUnavailable, UsageError

# Numbers of OpenSSL's X509_V_ERR_…, which the module ssl has no names for.
NOT_YET_VALID, EXPIRED = 9, 10
OTHER_NAME, OTHER_ADDRESS = 62, 64
UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})


def context_of(ca_file: Path | None) -> ssl.SSLContext:
    """Return what checks an engine's certificate: by the authorities in a file, or by the system's. Raises UsageError for a file that is none."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one, of a file that holds something else
        what = "holds no certificates in PEM" if isinstance(error, ssl.SSLError) else f"cannot be read: {error.strerror}"
        raise UsageError(f"the file of authorities {ca_file} {what}") from error


def refusal_of(error: ssl.SSLError, address: str, ca_file: Path | None) -> EngineUnavailable:
    """Return why there is no TLS with an address, and what to do."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return EngineUnavailable(f"what answers at {address} speaks no TLS that this program does ({error.reason or error}): is it ws://, or another port?")
    host = urlsplit(address).hostname
    if error.verify_code == EXPIRED:
        told = "has expired: have it renewed there; if it has not, this machine's clock is wrong"
    elif error.verify_code == NOT_YET_VALID:
        told = "is not valid yet: see to the clocks of both machines"
    elif error.verify_code in (OTHER_NAME, OTHER_ADDRESS):
        told = f"is for other names than {host}: use a name that it has, or have one made for {host}"
    elif error.verify_code in UNKNOWN_AUTHORITY and ca_file is not None:
        told = f"is not of an authority in {ca_file}: give the file of the one that made it"
    elif error.verify_code in UNKNOWN_AUTHORITY:
        told = "is not of an authority that this machine trusts: give the authority's own with `worker --ca-file FILE`, or with the variable SSL_CERT_FILE"
    else:
        told = f"is refused: {error.verify_message}"
    return EngineUnavailable(f"the certificate at {address} {told}; nothing was sent")
