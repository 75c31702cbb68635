"""A service that takes alerts: what Apprise posts to a ``json://`` address, over a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer


@dataclass
class AlertReceiver:
    """What arrived, and what is answered: ``status`` for every alert."""

    port: int
    status: int = 200
    alerts: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, as Apprise takes it."""
        return f"json://127.0.0.1:{self.port}/secret-token"


@contextmanager
def alert_receiver(status: int = 200) -> Iterator[AlertReceiver]:
    """Run a service on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.alerts.append(str(json.loads(body)["message"]))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    receiver = AlertReceiver(server.server_port, status)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
