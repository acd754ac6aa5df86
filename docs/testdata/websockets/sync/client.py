"""A stand-in for the websockets package, for machines without it: what the samples use, over ws:// only."""

import base64
import os
import socket
import struct
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def connect(uri, subprotocols):
    url = urlsplit(uri)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        connection.sendall(
            f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}\r\n\r\n".encode()
        )
        stream = connection.makefile("rb")
        status = stream.readline()
        if b" 101 " not in status:
            raise ConnectionError(f"the handshake was answered {status!r}")
        while stream.readline() != b"\r\n":
            pass
        yield Socket(connection, stream)


class Socket:
    def __init__(self, connection, stream):
        self.connection, self.stream = connection, stream

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = struct.pack("!B", 0x80 | len(data)) if len(data) < 126 else struct.pack("!BH", 0x80 | 126, len(data))
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        self.connection.sendall(b"\x81" + size + mask + masked)

    def recv(self):
        """Reads one message; the server sends each in one frame."""
        while True:
            first, size = self.stream.read(2)
            if size == 126:
                (size,) = struct.unpack("!H", self.stream.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.stream.read(8))
            data = self.stream.read(size)
            if first & 0x0F == 0x1:
                return data.decode()
            if first & 0x0F == 0x8:
                raise ConnectionError("the server closed the connection")
