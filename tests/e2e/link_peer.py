"""A peer on the cluster link that does what it likes: TLS with any certificate, frames of any kind."""
import socket
import ssl
import struct

HELLO, WELCOME, PING, GOODBYE, REQUEST, WATCH_STOP, LOG_CHUNK, STREAM_OUTPUT, RESPONSE = 1, 2, 3, 4, 10, 11, 12, 14, 20


def pack(value):
    """msgpack, of what frames have: nothing, truth, whole numbers, texts, bytes, lists."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">BQ", 0xcf, value)
    if isinstance(value, str):
        return struct.pack(">BI", 0xdb, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xc6, len(value)) + value
    return struct.pack(">BI", 0xdd, len(value)) + b"".join(map(pack, value))


def unpack(data, at=0):
    """(value, position behind it) of what pack() makes, in whatever form msgpack-c writes it."""
    kind, at = data[at], at + 1
    if kind < 0x80:
        return kind, at
    if kind >= 0xe0:
        return kind - 256, at
    if 0xa0 <= kind < 0xc0:
        return data[at:at + kind - 0xa0].decode(), at + kind - 0xa0
    if kind in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[kind], at
    if 0xcc <= kind <= 0xd3:
        size = 1 << (kind - 0xcc) % 4
        return int.from_bytes(data[at:at + size], "big", signed=kind >= 0xd0), at + size
    if kind in (0xc4, 0xc5, 0xc6, 0xd9, 0xda, 0xdb):
        width = 1 << (kind - (0xc4 if kind < 0xd0 else 0xd9))
        size = int.from_bytes(data[at:at + width], "big")
        text = data[at + width:at + width + size]
        return (text if kind < 0xd0 else text.decode()), at + width + size
    if 0x90 <= kind < 0xa0:
        count = kind - 0x90
    elif kind in (0xdc, 0xdd):
        width = 2 if kind == 0xdc else 4
        count, at = int.from_bytes(data[at:at + width], "big"), at + width
    else:
        raise ValueError(f"msgpack {kind:#x}")
    values = []
    for _ in range(count):
        value, at = unpack(data, at)
        values.append(value)
    return values, at


class LinkPeer:
    """A connection with that certificate, greeted; EOFError or OSError when the other end closes it."""

    def __init__(self, port, certificate, key, greet=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10))
        self.socket.settimeout(10)
        self.next_id = 1
        if greet:
            self.send(HELLO, pack([1, "evil"]))
            assert self.receive()[0] == WELCOME

    def send(self, kind, payload):
        self.socket.sendall(struct.pack(">IB", len(payload), kind) + payload)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def receive(self):
        """The next frame that is no ping: (kind, payload)."""
        while True:
            size, kind = struct.unpack(">IB", self.exactly(5))
            payload = self.exactly(size)
            if kind != PING:
                return kind, payload

    def ask(self, verb, target, body="", content_type="application/merge-patch+json", user=None, headers=()):
        """(code, message) of the api_server's answer. verb: get, head, post, put, patch, delete."""
        number = ("get", "head", "post", "put", "patch", "delete").index(verb)
        identifier, self.next_id = self.next_id, self.next_id + 1
        self.send(REQUEST, pack([identifier, number, target, content_type, "", "evil/1", [list(h) for h in headers],
                                 body.encode(), user, "", 0, ""]))
        while True:
            kind, payload = self.receive()
            if kind == GOODBYE:
                raise EOFError(unpack(payload)[0])
            answer = unpack(payload)[0]
            if kind == RESPONSE and answer[0] == identifier:
                return answer[1], answer[4]

    def closed(self):
        """Whether the other end closes the connection before anything but goodbye comes."""
        try:
            while self.receive()[0] == GOODBYE:
                pass
        except (EOFError, OSError):
            return True
        return False

    def close(self):
        self.socket.close()
