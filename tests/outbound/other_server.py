"""Another server on 127.0.0.1: answers what a test says, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class OtherServer:
    """`wait_seconds` before the answer; `drip` sends it octet by octet with such a wait between."""

    status: int = 200
    content_type: str = "text/xml; charset=utf-8"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0
    drip: bool = False
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/service.asmx"

    @contextlib.contextmanager
    def serving(self) -> Iterator[OtherServer]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append((self.path, dict(self.headers.items()), body))
                time.sleep(0 if outer.drip else outer.wait_seconds)
                self.send_response(outer.status)
                self.send_header("Content-Type", outer.content_type)
                self.send_header("Content-Length", str(len(outer.body)))
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self._write(outer.body)

            def _write(self, body: bytes) -> None:
                if not outer.drip:
                    self.wfile.write(body)
                    return
                for octet in body:
                    self.wfile.write(bytes([octet]))
                    time.sleep(outer.wait_seconds)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
