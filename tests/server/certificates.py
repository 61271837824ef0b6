# SPDX-License-Identifier: BSD-3-Clause
"""Certificates for tests, made by the openssl command: an authority and whom it signs."""

import subprocess


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)


class Authority:
    """A folder with ca.pem, and NAME.pem and NAME.key for each certificate issued."""

    def __init__(self, folder, name="Test CA"):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.ca = folder / "ca.pem"
        self.make_key("ca")
        openssl("req", "-x509", "-new", "-key", folder / "ca.key", "-subj", f"/CN={name}",
                "-days", "2", "-out", self.ca)

    def make_key(self, name):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-out", self.folder / f"{name}.key")

    def issue(self, name, subject=None, san=None, days=2):
        """Returns the paths of certificate and key."""
        self.make_key(name)
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        openssl("req", "-new", "-key", self.folder / f"{name}.key",
                "-subj", f"/CN={name}" if subject is None else subject, "-out", request)
        extensions.write_text("basicConstraints=CA:FALSE\n"
                              + ("" if san is None else f"subjectAltName={san}\n"))
        certificate = self.folder / f"{name}.pem"
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key",
                "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate)
        return str(certificate), str(self.folder / f"{name}.key")

    def tls(self, name, **arguments):
        """The "tls:" of a configuration."""
        certificate, key = self.issue(name, **arguments)
        return {"certificate": certificate, "key": key, "ca": str(self.ca)}
