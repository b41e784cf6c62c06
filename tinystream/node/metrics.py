"""Prometheus asks this computer how its node is; nobody from outside can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tinystream.errors import TinystreamError
from tinystream.io.delivery import Managed
from tinystream.node.health import metrics

HOST = "127.0.0.1"
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics(Managed):
    """http://127.0.0.1:port/metrics; a port of 0 is a free one, told by `port` once it is open."""

    def __init__(self, port: int, status: Callable[[], Mapping[str, Any]]):
        self.port, self.status = port, status
        self._server: ThreadingHTTPServer | None = None

    def open(self) -> None:
        status = self.status

        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # seconds, for who connects and says nothing

            def do_GET(self) -> None:
                if self.path != "/metrics":
                    return self.send_error(404)
                body = metrics(status()).encode()
                self.send_response(200)
                self.send_header("Content-Type", TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return None

            def log_message(self, format: str, *arguments: Any) -> None:
                """Every look of Prometheus is no news."""

        try:
            self._server = ThreadingHTTPServer((HOST, self.port), Handler)
        except (OSError, OverflowError) as error:
            what = f"metrics cannot be had at {HOST}:{self.port}: {getattr(error, 'strerror', None) or error}"
            raise TinystreamError(what, "--metrics with another port") from None
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
