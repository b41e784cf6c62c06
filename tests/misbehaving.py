"""A broker that misbehaves as it is told, for the tests of what must not lose an alert."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ = 1, b"\x20\x02\x00\x00", 3, b"\x40\x02", 12


class Misbehaving:
    """Speaks just enough MQTT 3.1.1.  `acknowledges` gives, for each PUBLISH, how many PUBACKs it gets; None: the connection ends instead.

    greets:      whether it answers a CONNECT.
    hates:       ends the connection at each PUBLISH whose payload holds these bytes.
    sends:       bytes that it sends after its greeting, by number of the connection (from 1).
    published:   payloads as they came, by connection.
    """

    def __init__(self, acknowledges=lambda count: 1, greets=True, sends=lambda connection: b"", hates=None):
        self.acknowledges = acknowledges
        self.greets = greets
        self.sends = sends
        self.hates = hates
        self.published: list[list[bytes]] = []
        self._count = 0

    def __enter__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.close()
        for connection in self._connections:
            connection.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                self._connections.append(connection)
                self.published.append([])
                threading.Thread(target=self._serve, args=(connection, self.published[-1]), daemon=True).start()

    def _serve(self, connection, published):
        with contextlib.suppress(OSError, EOFError), connection:
            while True:
                first, body = packet(connection)
                if first >> 4 == CONNECT and self.greets:
                    connection.sendall(CONNACK)
                    connection.sendall(self.sends(len(self.published)))
                elif first >> 4 == PUBLISH:
                    self._take(connection, published, body)
                elif first >> 4 == PINGREQ:
                    connection.sendall(b"\xd0\x00")

    def _take(self, connection, published, body):
        (length,) = struct.unpack(">H", body[:2])
        published.append(body[4 + length :])
        self._count += 1
        times = self.acknowledges(self._count)
        if times is None or (self.hates and self.hates in body):
            raise EOFError
        connection.sendall((PUBACK + body[2 + length : 4 + length]) * times)


def packet(connection) -> tuple[int, bytes]:
    first, size, shift = exactly(connection, 1)[0], 0, 0
    while True:
        byte = exactly(connection, 1)[0]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first, exactly(connection, size)


def exactly(connection, size) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
