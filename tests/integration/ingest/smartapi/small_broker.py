"""The few REST routes that a session needs, on loopback, answering as a test says."""

import contextlib
import json
import ssl
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOGIN = "/rest/auth/angelbroking/user/v1/loginByPassword"
RENEW = "/rest/auth/angelbroking/jwt/v1/generateTokens"
PROFILE = "/rest/secure/angelbroking/user/v1/getProfile"
QUOTE = "/rest/secure/angelbroking/market/v1/quote"
OI = "/rest/secure/angelbroking/historical/v1/getOIData"
TOKENS = ("eyJqd3Q.c2VjcmV0.first", "refresh-secret-one", "feed-secret-one")
RENEWED = ("eyJqd3Q.c2VjcmV0.second", "refresh-secret-two", "feed-secret-two")
THROTTLED = (403, b"Access denied because of exceeding access rate")


def good(data):
    body = {"status": True, "message": "SUCCESS", "errorcode": "", "data": data}
    return 200, json.dumps(body).encode()


def refused(code, message="refused", **more):
    body = {"status": False, "message": message, "errorcode": code, "data": None} | more
    return 200, json.dumps(body).encode()


def gateway(code, message="Invalid Token"):
    body = {"success": False, "message": message, "errorCode": code, "data": ""}
    return 200, json.dumps(body).encode()


def tokens(three):
    return good(dict(zip(("jwtToken", "refreshToken", "feedToken"), three, strict=True)))


class SmallBroker:
    """Answers each path from its script, then well; keeps what was asked."""

    def __init__(self, certificate=None):
        self.scripts: dict[str, deque] = {}
        self.asked: list[tuple[str, dict, dict]] = []
        self.released = threading.Event()
        broker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                self._answer(json.loads(self.rfile.read(length) or b"{}"))

            def do_GET(self):
                self._answer({})

            def _answer(self, body):
                path = self.path.partition("?")[0]
                broker.asked.append((path, body, dict(self.headers)))
                status, content = broker._next(path)
                with contextlib.suppress(BrokenPipeError):  # a client that waited no longer
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "http"
        if certificate:
            self._scheme = "https"
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            # Not in the loop that accepts: a handshake that breaks off must not end it.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._server.handle_error = lambda *_: None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self):
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def paths(self):
        return [path for path, _, _ in self.asked]

    def script(self, path, *steps):
        self.scripts[path] = deque(steps)

    def _next(self, path):
        script = self.scripts.get(path)
        step = script.popleft() if script else None
        if step == "hang":
            self.released.wait(20)
            step = None
        if step is not None:
            return step
        return {
            LOGIN: tokens(TOKENS),
            RENEW: tokens(RENEWED),
            PROFILE: good({"clientcode": "A123456", "name": "NOBODY"}),
            QUOTE: good({"fetched": [], "unfetched": []}),
        }.get(path, good(None))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
