"""An HTTP proxy in front of a server that delays, refuses, or loses what it is asked."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


class Fault(StrEnum):
    """What goes wrong with a request."""

    BUSY = "busy"
    """It is not carried out, and answered with 503."""
    LOST = "lost"
    """It is carried out, and the connection ends without an answer."""
    CUT = "cut"
    """It is carried out, and the connection ends in the middle of the answer's body."""


OFTEN = {5: Fault.BUSY, 7: Fault.LOST, 11: Fault.CUT}


@dataclass
class Trouble:
    """What a proxy does to requests."""

    fault: Callable[[str, str], Fault | None] = lambda *_: None
    """Given the method and the path of a request."""
    latency: float = 0
    """Seconds before each request is carried out."""
    met: Counter[Fault] = field(default_factory=Counter)
    """How many requests had each fault."""
    requests: int = 0

    def once(self, method: str, fault: Fault) -> None:
        """Let the next request with a method go wrong."""
        left = iter([fault])
        self.fault = lambda asked, _: next(left, None) if asked == method else None

    def often(self) -> None:
        """Refuse one request in 5, lose one answer in 7, and cut one in 11."""
        self.fault = lambda *_: next((fault for n, fault in OFTEN.items() if self.requests % n == 0), None)


@contextmanager
def in_front_of(port: int, trouble: Trouble) -> Iterator[int]:
    """A proxy in front of a server on this machine; yields its port."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                trouble.requests += 1
                fault = trouble.fault(self.command, self.path)
                if fault:
                    trouble.met[fault] += 1
            time.sleep(trouble.latency)
            if fault is Fault.BUSY:
                headers = Message()
                headers["Content-Type"] = "application/xml"
                self._send(HTTPStatus.SERVICE_UNAVAILABLE, headers, SLOW_DOWN)
                return
            status, headers, content = self._forward(body)
            if fault is Fault.LOST:
                self.close_connection = True
            elif fault is Fault.CUT and len(content) > 1:
                self._send(status, headers, content, part=len(content) // 2)
                self.close_connection = True
            else:
                self._send(status, headers, content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - as http.server calls them

        def _forward(self, body: bytes) -> tuple[int, Message, bytes]:
            upstream = HTTPConnection("127.0.0.1", port, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP | {"expect"}}
            upstream.request(self.command, self.path, body, headers)
            response = upstream.getresponse()
            content = response.read()
            upstream.close()
            return response.status, response.headers, content

        def _send(self, status: int, headers: Message, content: bytes, *, part: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP_BY_HOP | {"content-length", "date", "server"}:
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
            if status != HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else content[:part])

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
