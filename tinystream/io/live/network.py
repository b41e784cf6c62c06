"""Samples over TCP and UDP.  Nothing here listens to other machines unless an address says so, and nothing is encrypted."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import suppress

from tinystream.errors import RecordingError
from tinystream.io.live.base import Item
from tinystream.io.live.decoder import Decoder
from tinystream.io.live.stream import PLAIN, WAIT_S, Stream, Taking, said
from tinystream.plan.signal import Signal

PIECE = 1 << 16
LOOPBACK = "127.0.0.1"
CONNECT_S = 5.0
KEPT_S = 10.0  # a sender of datagrams that was silent for so long has lost its place to another


class Tcp(Stream):
    """A server that samples are fetched from."""

    def __init__(self, host: str, port: int, x: Signal, decoder: Decoder, taking: Taking = PLAIN):
        super().__init__(f"tcp:{host}:{port}", x, decoder, taking)
        self.host, self.port = host, port

    def connect(self, again: bool) -> Socket:
        try:
            return Socket(kept_alive(socket.create_connection((self.host, self.port), CONNECT_S)))
        except OSError as error:
            raise RecordingError(f"{self.name} cannot be reached: {said(error)}", "start what sends there, or another host:port") from None


class TcpListener(Stream):
    """One client after the other may send samples here; a second one waits until the first is gone."""

    def __init__(self, port: int, x: Signal, decoder: Decoder, taking: Taking = PLAIN, host: str = LOOPBACK):
        super().__init__(f"tcp-listen:{host}:{port}", x, decoder, taking)
        self.host, self.port = host, port
        self._listening: socket.socket | None = None

    def connect(self, again: bool) -> Socket:
        if self._listening is None:
            self._listening = listening(self.name, socket.SOCK_STREAM, self.host, self.port)
            self._listening.listen(1)
        while True:
            self.look()
            with suppress(TimeoutError):
                return Socket(kept_alive(self._listening.accept()[0]))

    def items(self) -> Generator[Item, None, None]:
        try:
            yield from super().items()
        finally:
            if self._listening is not None:
                self._listening.close()
                self._listening = None


class Udp(Stream):
    """Datagrams of whole samples from one sender; what others send meanwhile is garbage.  Lost ones are known in frames alone."""

    def __init__(self, port: int, x: Signal, decoder: Decoder, taking: Taking = PLAIN, host: str = LOOPBACK):
        super().__init__(f"udp:{host}:{port}", x, decoder, taking)
        self.host, self.port = host, port

    def connect(self, again: bool) -> Datagrams:
        return Datagrams(listening(self.name, socket.SOCK_DGRAM, self.host, self.port), self)


class Socket:
    """A TCP connection."""

    lossless = True

    def __init__(self, there: socket.socket):
        self.there = there
        there.settimeout(WAIT_S)

    def read(self) -> bytes | None:
        try:
            return self.there.recv(PIECE) or None
        except TimeoutError:
            return b""

    def write(self, data: bytes) -> None:
        self.there.sendall(data)

    def close(self) -> None:
        self.there.close()


class Datagrams:
    """A UDP socket that listens to one sender at a time."""

    lossless = False

    def __init__(self, here: socket.socket, stream: Stream):
        self.here, self.stream = here, stream
        self._sender: tuple[str, int] | None = None
        self._heard = 0.0

    def read(self) -> bytes:
        try:
            raw, sender = self.here.recvfrom(PIECE)
        except TimeoutError:
            return b""
        now = self.stream.taking.clock()
        if self._sender not in (None, sender) and now - self._heard < KEPT_S:
            self.stream.decoder.garbage += 1
            return b""
        self._sender, self._heard = sender, now
        return raw

    def write(self, data: bytes) -> None:
        if self._sender:
            self.here.sendto(data, self._sender)

    def close(self) -> None:
        self.here.close()


def listening(name: str, kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    """A socket bound to an address of this machine."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
        here = socket.socket(family, kind)
        try:
            if kind == socket.SOCK_STREAM:
                here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            here.bind(address)
        except OSError:
            here.close()
            raise
    except (OSError, OverflowError) as error:
        raise RecordingError(f"{name} cannot be listened on: {said(error)}", "another port, or an address of this machine") from None
    here.settimeout(WAIT_S)
    return here


def kept_alive(there: socket.socket) -> socket.socket:
    """Its peer is asked now and then whether it is still there, so that one without power is noticed within two minutes."""
    there.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            there.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return there
