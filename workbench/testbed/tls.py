"""Certificates for an emulator that speaks TLS: a good one, and the bad ones a client must refuse.

Lives here: making them, in a private folder that is gone afterwards. Not here: serving (server.py).
"""

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from workbench.errors import UnknownName

__all__ = ["TLS_MODES", "Certificate"]

TLS_MODES: Final = {
    "": "plain HTTP",
    "good": "a certificate for 127.0.0.1 and localhost, signed by itself",
    "wrong-host": "one for another host",
    "expired": "one that ran out yesterday",
}


class Certificate:
    """A self-signed certificate: `context` serves with it, `pem` is what a client may pin.

    Raises:
        UnknownName: no such mode, with the nearest one.
    """

    def __init__(self, mode: str) -> None:
        if mode not in TLS_MODES or not mode:
            raise UnknownName("tls", mode, [name for name in TLS_MODES if name])
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        key = ec.generate_private_key(ec.SECP256R1())
        host = "elsewhere.example" if mode == "wrong-host" else "localhost"
        names: list[x509.GeneralName] = [x509.DNSName(host)]
        if mode != "wrong-host":
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        until = datetime.now(UTC) + timedelta(days=-1 if mode == "expired" else 30)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - timedelta(days=60))
            .not_valid_after(until)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "both.pem"
            path.touch(mode=0o600)
            path.write_bytes(private + self.pem.encode())
            self.context.load_cert_chain(path)
