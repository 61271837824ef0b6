# SPDX-License-Identifier: BSD-3-Clause
"""SCRAM-SHA-256 and DIGEST-MD5 as clients that get one thing wrong: every part may be changed by its name."""

import base64
import hashlib
import re

from tsp_peers import hmac_sha256, scram_keys, xor

NONCE = "rOprNGfwEbeRWgbNEkqO"
CNONCE = "OA6MHXh6VqTrRk"


def b64(octets):
    return base64.b64encode(octets).decode()


class Scram:
    """first() opens; final(challenge) answers. Words of the templates: user, nonce, c, r, p."""

    def __init__(self, user, password, gs2="n,,", bare="n={user},r={nonce}", nonce=NONCE,
                 binding=None, joined="{r}", proof="{p}", final="c={c},r={r}"):
        self.password = password
        self.gs2 = gs2
        self.bare = bare.replace("{user}", user).replace("{nonce}", nonce)
        self.binding = gs2 if binding is None else binding
        self.joined, self.proof, self.template = joined, proof, final

    def first(self):
        return b64((self.gs2 + self.bare).encode("latin-1"))

    def final(self, challenge):
        first = base64.b64decode(challenge).decode()
        fields = dict(part.split("=", 1) for part in first.split(","))
        joined = self.joined.replace("{r}", fields["r"])
        final = self.template.replace("{c}", b64(self.binding.encode("latin-1")))
        final = final.replace("{r}", joined)
        client_key, stored, _ = scram_keys(
            self.password, base64.b64decode(fields["s"]), int(fields["i"]))
        signed = ",".join((self.bare, first, final)).encode("latin-1")
        proof = b64(xor(client_key, hmac_sha256(stored, signed)))
        return b64(f"{final},p={self.proof.replace('{p}', proof)}".encode("latin-1"))


class Digest:
    """answer(challenge). Any directive may be given, None leaves it out; raw replaces them all."""

    def __init__(self, user, password, raw=None, more="", method="AUTHENTICATE", separator=",",
                 **changes):
        self.password, self.raw, self.more = password, raw, more
        self.method, self.separator = method, separator
        self.fields = {"charset": "utf-8", "username": f'"{user}"', "cnonce": f'"{CNONCE}"',
                       "nc": "00000001", "digest-uri": '"tsp/[::1]"', "qop": "auth"}
        self.changes = {key.replace("_", "-"): value for key, value in changes.items()}

    def answer(self, challenge):
        if self.raw is not None:
            return b64(self.raw.encode("latin-1"))
        given = dict(re.findall(r'([a-z0-9-]+)="?([^",]*)"?',
                                base64.b64decode(challenge).decode()))
        fields = dict(self.fields, nonce=f'"{given["nonce"]}"', realm=f'"{given["realm"]}"')
        fields.update({key: value for key, value in self.changes.items() if value is not None})
        fields.setdefault("response", self.response(fields))
        parts = [f"{key}={value}" for key, value in fields.items()
                 if self.changes.get(key, value) is not None]
        return b64((self.separator.join(parts) + self.more).encode("latin-1"))

    def response(self, fields):
        """RFC 2831 section 2.1.2.1 over what is sent."""
        def md5(octets):
            return hashlib.md5(octets).digest()

        words = {key: value.strip('"') for key, value in fields.items()}
        secret = md5(f"{words['username']}:{words['realm']}:{self.password}".encode("latin-1"))
        a1 = secret + f":{words['nonce']}:{words['cnonce']}".encode("latin-1")
        if "authzid" in words:
            a1 += f":{words['authzid']}".encode("latin-1")
        a2 = f"{self.method}:{words['digest-uri']}".encode("latin-1")
        middle = f"{words['nonce']}:{words['nc']}:{words['cnonce']}:{words['qop']}"
        return md5(f"{md5(a1).hex()}:{middle}:{md5(a2).hex()}".encode("latin-1")).hex()
