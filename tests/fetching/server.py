"""A real HTTP server on this machine, with the bad manners of real ones."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Manners:
    """How the server behaves. Lists are used up, one entry a request."""

    files: dict = field(default_factory=dict)  # name → bytes
    etag: str = '"one"'
    modified: str = ""
    ranges: bool = True
    cut_after: list = field(default_factory=list)  # bytes of the body after which the connection is dropped
    answers: list = field(default_factory=list)  # status codes instead of the file; 0: the file
    retry_after: str = ""
    drip: tuple = ()  # (bytes, seconds): send so many, wait so long
    page: bool = False  # a web page instead of the file
    chunked: bool = False
    ignore_if_range: bool = False
    seen: list = field(default_factory=list)  # (path, Range, If-Range, bytes of the body that are sent)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *said):
        """Say nothing."""

    def do_GET(self):
        m = self.server.manners
        name = self.path.rpartition("/")[2].partition("?")[0]
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        status = m.answers.pop(0) if m.answers else 0
        if status == 0 and name not in m.files:
            status = 404
        if status:
            return self._refuse(status, asked, condition)
        body, code, first = m.files[name], 200, 0
        if asked and m.ranges and (m.ignore_if_range or condition in (None, m.etag, m.modified)):
            first = int(asked.removeprefix("bytes=").rstrip("-"))
            if first >= len(body):
                return self._refuse(416, asked, condition)
            code = 206
        rest = b"<html>please click</html>" if m.page else body[first:]
        self.send_response(code)
        self.send_header("Content-Type", "text/html" if m.page else "application/octet-stream")
        if m.etag:
            self.send_header("ETag", m.etag)
        if m.modified:
            self.send_header("Last-Modified", m.modified)
        if code == 206:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        if m.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        cut = m.cut_after.pop(0) if m.cut_after else None
        self._send(m, rest if cut is None else rest[:cut], asked, condition, whole=cut is None)
        return None

    def _send(self, m, body, asked, condition, whole):
        step, pause = m.drip or (2**16, 0)
        m.seen.append((self.path, asked, condition, len(body)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for i in range(0, len(body), step):
                piece = body[i : i + step]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if m.chunked else piece)
                time.sleep(pause)
            if whole and m.chunked:
                self.wfile.write(b"0\r\n\r\n")
        if not whole:
            self.close_connection = True
            self.connection.close()

    def _refuse(self, status, asked, condition):
        m = self.server.manners
        m.seen.append((self.path, asked, condition, 0))
        self.send_response(status)
        if m.retry_after:
            self.send_header("Retry-After", m.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A dropped connection is what was asked for."""


@contextlib.contextmanager
def serving(manners):
    """Yield the address of a server with these manners."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.manners = manners
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
