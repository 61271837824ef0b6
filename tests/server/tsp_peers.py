# SPDX-License-Identifier: BSD-3-Clause
"""
TSP spoken by hand, from docs and specifications: a scripted TEP and scripted clients.

Nothing here uses the library under test: framing, XML, SCRAM-SHA-256 and DIGEST-MD5 are written out
with the standard library.
"""

import base64
import hashlib
import hmac
import os
import re
import socket
import threading
import time
import xml.etree.ElementTree as ElementTree

TIMEOUT_S = 15


class Message:
    """One body: code of the status line (None: a request), and the tunnel element (None: no XML)."""

    def __init__(self, body):
        self.raw = body
        head, _, rest = body.partition(b"\r\n")
        match = re.fullmatch(rb"(\d{3,4}) (.*)", head)
        self.code = int(match[1]) if match else None
        text = rest if match else body
        self.tunnel = ElementTree.fromstring(text) if text.strip() else None

    @property
    def action(self):
        return None if self.tunnel is None else self.tunnel.get("action")

    @property
    def sync(self):
        return self.tunnel.get("sync")

    @property
    def lifetime(self):
        return int(self.tunnel.get("lifetime"))

    def address(self, party, family):
        found = self.tunnel.find(f"{party}/address[@type='{family}']")
        return None if found is None else found.text

    def ports_of(self, party):
        return tuple((int(p.get("start")), int(p.get("end")))
                     for p in self.tunnel.findall(f"{party}/ports") if p.get("start"))

    @property
    def ports(self):
        return self.ports_of("client")


def frame(text):
    body = text.encode()
    return b"Content-length: %d\r\n" % len(body) + body


def address_xml(v4=None, v6=(), ports=()):
    parts = [f'<address type="ipv4" length="32">{v4}</address>'] if v4 else []
    parts += [f'<address type="ipv6">{v}</address>' for v in ([v6] if isinstance(v6, str) else v6)]
    parts += [f'<ports start="{first}" end="{last}"/>' for first, last in ports]
    return "".join(parts)


class Stream:
    """A socket read by line and by message."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(TIMEOUT_S)
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data)

    def send_line(self, text):
        self.send(text.encode() + b"\r\n")

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("end of stream")
        self.buffer += data

    def read_line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode()

    def read_message(self):
        header = self.read_line()
        while header == "":  # an empty token, or stray line ends
            header = self.read_line()
        match = re.fullmatch(r"Content-length: (\d+)", header)
        assert match, f"not a header: {header!r}"
        length = int(match[1])
        while len(self.buffer) < length:
            self.fill()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Message(body)

    def is_closed(self, timeout_s=TIMEOUT_S):
        """True when the peer ends the stream without another octet."""
        self.sock.settimeout(timeout_s)
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.sock.close()


def hmac_sha256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def scram_keys(password, salt, rounds):
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client_key = hmac_sha256(salted, b"Client Key")
    return client_key, hashlib.sha256(client_key).digest(), hmac_sha256(salted, b"Server Key")


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def encode(text):
    return base64.b64encode(text.encode()).decode()


def decode(line):
    return base64.b64decode(line).decode()


class Client(Stream):
    """A client of either generation; tls is an ssl.SSLContext."""

    def __init__(self, port, version="2.0.0", host="::1", tls=None):
        sock = socket.create_connection((host, port), TIMEOUT_S)
        super().__init__(sock if tls is None else tls.wrap_socket(sock, server_hostname=host))
        self.send_line(f"VERSION={version}")
        self.capability = self.read_line()

    def anonymous(self):
        self.send_line("AUTHENTICATE ANONYMOUS")
        self.send_line("")
        return self.read_line()

    def plain(self, user, password, role="", stray=b""):
        """Raw and at once, as old clients send it; stray is what stands behind AUTHENTICATE."""
        raw = b"\0".join(part.encode() for part in (role, user, password))
        self.send(b"AUTHENTICATE PLAIN\r\n" + stray + raw + b"\r\n")
        return self.read_line()

    def external(self, role=""):
        self.send(b"AUTHENTICATE EXTERNAL\r\n" + base64.b64encode(role.encode()) + b"\r\n")
        return self.read_line()

    def scram(self, user, password):
        nonce = base64.b64encode(os.urandom(12)).decode()
        bare = f"n={user},r={nonce}"
        self.send_line("AUTHENTICATE SCRAM-SHA-256")
        self.send_line(encode("n,," + bare))
        line = self.read_line()
        if line.startswith("300"):
            return line
        first = decode(line)
        fields = dict(part.split("=", 1) for part in first.split(","))
        final = f"c=biws,r={fields['r']}"
        client_key, stored, server_key = scram_keys(
            password, base64.b64decode(fields["s"]), int(fields["i"]))
        signed = ",".join((bare, first, final)).encode()
        proof = base64.b64encode(xor(client_key, hmac_sha256(stored, signed))).decode()
        self.send_line(encode(f"{final},p={proof}"))
        line = self.read_line()
        if line.startswith("300"):
            return line
        verifier = base64.b64encode(hmac_sha256(server_key, signed)).decode()
        assert decode(line) == f"v={verifier}"
        return self.read_line()

    def digest_md5(self, user, password, uri="tsp/[::1]"):
        self.send_line("AUTHENTICATE DIGEST-MD5")
        challenge = decode(self.read_line())
        assert ", " not in challenge
        fields = dict(re.findall(r'([a-z0-9-]+)="?([^",]*)"?', challenge))
        assert fields["qop"] == "auth" and fields["algorithm"] == "md5-sess"

        def md5(text):
            return hashlib.md5(text).digest()

        def response(method):
            secret = md5(f"{user}:{fields['realm']}:{password}".encode())
            a1 = secret + f":{fields['nonce']}:{cnonce}".encode()
            middle = f"{fields['nonce']}:00000001:{cnonce}:auth"
            a2 = md5(f"{method}:{uri}".encode()).hex()
            return md5(f"{md5(a1).hex()}:{middle}:{a2}".encode()).hex()

        cnonce = os.urandom(8).hex()
        self.send_line(encode(
            f'charset=utf-8,username="{user}",realm="{fields["realm"]}",'
            f'nonce="{fields["nonce"]}",nc=00000001,cnonce="{cnonce}",digest-uri="{uri}",'
            f'response={response("AUTHENTICATE")},qop=auth'))
        line = self.read_line()
        if line.startswith("300"):
            return line
        assert decode(line) == "rspauth=" + response("")
        self.send_line("")
        return self.read_line()

    def tell(self, action, inside="", attributes=""):
        self.send(frame(f'<tunnel action="{action}" type="v4v6"{attributes}>'
                        f"<client>{inside}</client></tunnel>"))

    def ask(self, action, inside="", attributes=""):
        self.tell(action, inside, attributes)
        return self.read_message()

    def create(self, v6, lifetime=None, v4=None, ports=None, want="<ports/>"):
        """ports: what it holds (a renewal); want: what it asks for otherwise."""
        inside = address_xml(v4, v6, ports or ()) + ("" if v4 else want)
        return self.ask("create", inside, "" if lifetime is None else f' lifetime="{lifetime}"')

    def accept(self):
        self.send(frame('<tunnel action="accept"/>'))

    def reject(self):
        self.send(frame('<tunnel action="reject"/>'))


class ScriptedTep:
    """
    A TEP on ::1 that authenticates its server by SCRAM-SHA-256 and keeps a table. It is of before there were
    digests: it refuses to tell any, and has to be told everything.

    behaviour: "ok", "refuse" (307), "silent" (reads, never answers). refuse_list: it will not get level.
    delay_s: before each answer. requests is every message, in order; table maps (v4, ports) to
    (client, lifetime).
    """

    V4 = "192.0.0.1"

    def __init__(self, user="server1", password="between-us", v6="2001:db8::1", tls=None):
        self.V6 = v6
        self.user, self.password, self.tls = user, password, tls
        self.behaviour = "ok"
        self.refuse_list = False
        self.delay_s = 0
        self.requests = []
        self.answers = []  # to its own queries
        self.table = {}
        self.named = None
        self.sessions = 0
        self.stream = None
        self.lock = threading.Lock()
        self.socket = None
        self.port = 0
        self.start()

    def start(self):
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("::1", self.port))
        self.port = self.socket.getsockname()[1]
        self.socket.listen(8)
        threading.Thread(target=self.serve, args=(self.socket,), daemon=True).start()

    def stop(self):
        """As if killed: no socket, no session, and the table lost."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.drop()
        self.table = {}

    def drop(self):
        if self.stream is not None:
            try:
                self.stream.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def serve(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            try:
                stream = Stream(sock if self.tls is None
                                else self.tls.wrap_socket(sock, server_side=True))
            except OSError:
                sock.close()
                continue
            try:
                self.authenticate(stream)
                stream.sock.settimeout(None)
                self.stream = stream
                self.sessions += 1
                while True:
                    self.handle(stream, stream.read_message())
            except (EOFError, OSError):
                stream.close()

    def authenticate(self, stream):
        assert stream.read_line().startswith("VERSION=2.0")
        if self.password is None:
            self.authenticate_external(stream)
            return
        stream.send_line("CAPABILITY TUNNEL=V4V6 AUTH=SCRAM-SHA-256")
        assert stream.read_line() == "AUTHENTICATE SCRAM-SHA-256"
        first = decode(stream.read_line())
        bare = first.split(",", 2)[2]
        fields = dict(part.split("=", 1) for part in bare.split(","))
        salt, rounds = os.urandom(12), 4096
        nonce = fields["r"] + base64.b64encode(os.urandom(9)).decode()
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={rounds}"
        stream.send_line(encode(challenge))
        final = decode(stream.read_line())
        without_proof, _, proof = final.rpartition(",p=")
        signed = ",".join((bare, challenge, without_proof)).encode()
        _, stored, server_key = scram_keys(self.password, salt, rounds)
        client_key = xor(base64.b64decode(proof), hmac_sha256(stored, signed))
        if fields["n"] != self.user or hashlib.sha256(client_key).digest() != stored:
            stream.send_line("300 Authentication failed")
            raise EOFError
        stream.send_line(encode(
            "v=" + base64.b64encode(hmac_sha256(server_key, signed)).decode()))
        time.sleep(0.02)
        stream.send_line("200 Success")

    def authenticate_external(self, stream):
        stream.send_line("CAPABILITY TUNNEL=V4V6 AUTH=EXTERNAL AUTH=SCRAM-SHA-256")
        assert stream.read_line() == "AUTHENTICATE EXTERNAL"
        assert stream.read_line() == ""
        subject = dict(pair for part in stream.sock.getpeercert()["subject"] for pair in part)
        if subject["commonName"] != self.user:
            stream.send_line("300 Authentication failed")
            raise EOFError
        stream.send_line("200 Success")

    def handle(self, stream, message):
        time.sleep(self.delay_s)
        if message.code is not None:
            self.answers.append(message)
            return
        with self.lock:
            self.requests.append(message)
            answer = self.apply(message)
        if answer is not None:
            stream.send(frame(answer))

    def apply(self, message):
        behaviour = self.behaviour
        if message.action == "list":
            if self.refuse_list or message.sync not in ("begin", "end"):
                return "500 Malformed\r\n"
            if message.sync == "begin":
                self.named = set()
            else:
                self.table = {k: v for k, v in self.table.items() if k in self.named}
                self.named = None
            return "200 Success\r\n"
        key = (message.address("client", "ipv4"), message.ports)
        if behaviour == "silent":
            return None
        if behaviour == "refuse" and message.action == "create":
            return "310 Configuration error\r\n"
        if message.action == "create":
            self.table[key] = (message.address("client", "ipv6"), message.lifetime)
            if self.named is not None:
                self.named.add(key)
        elif self.table.pop(key, None) is None:
            return "301 Unavailable\r\n"
        lifetime = f' lifetime="{message.lifetime}"' if message.action == "create" else ""
        return (f'200 Success\r\n<tunnel action="info" type="v4v6"{lifetime}>'
                f"<server>{address_xml(self.V4, self.V6)}</server>"
                f"<client>{address_xml(key[0], message.address('client', 'ipv6'), key[1])}"
                "</client></tunnel>")

    def query(self, v4, *ports):
        """Asks the server who holds it (R73); the answer."""
        n = len(self.answers)
        self.stream.send(frame('<tunnel action="query" type="v4v6">'
                               f"<server>{address_xml(v4, (), ports)}</server>"
                               f"<client>{address_xml(self.V4, self.V6)}</client></tunnel>"))
        deadline = time.monotonic() + 20
        while len(self.answers) == n and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.answers[n]

    def seen(self, action):
        with self.lock:
            return [m for m in self.requests if m.action == action]

    def forget(self):
        with self.lock:
            self.requests.clear()
