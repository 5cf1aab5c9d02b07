"""Who gets notifications: a web server and a mail server, as others wrote them
(Python's own and aiosmtpd), that keep what arrives and answer as told."""
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import threading
import time
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from support import dataflow


def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


class Hook:
    """Takes POSTs. `answers` is a list of (status, headers) used up one by one;
    then it is 204."""

    def __init__(self, certificate=None, port=0):
        self.posts = []
        self.answers = []
        self.delay = 0
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(hook.delay)
                hook.posts.append((self.path, dict(self.headers), body))
                status, headers = hook.answers.pop(0) if hook.answers \
                    else (204, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port),
                                                      Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.scheme = "http"
        if certificate:
            self.scheme = "https"
            self.server.socket = server_context(certificate).wrap_socket(
                self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.05})
        self.thread.start()

    def url(self, path="/hook", host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def messages(self):
        return [json.loads(body) for _, _, body in self.posts]

    def notices(self):
        """All that was told, in order: (event, mapping id)."""
        return [(n["event"], n["mapping_id"]) for m in self.messages()
                for n in m["notices"]]

    def wait(self, count=1, timeout=30):
        dataflow.wait_for(lambda: len(self.posts) >= count, timeout,
                          what=f"message {count}")
        return self.messages()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def check_signature(headers, body, secret):
    """As docs/notifications.md tells a receiver to do it."""
    wanted = hmac.new(secret.encode(),
                      headers["X-Dataflow-Timestamp"].encode() + b"." + body,
                      hashlib.sha256).hexdigest()
    assert headers["X-Dataflow-Signature"] == "sha256=" + wanted
    assert abs(time.time() - int(headers["X-Dataflow-Timestamp"])) < 60


class MailServer:
    """With STARTTLS or TLS from the start, with or without a login. Addresses
    in `refused` are answered with 550, everything with `busy` while it is set."""

    def __init__(self, certificate=None, implicit=False, login=None):
        self.mails = []
        self.refused = set()
        self.busy = None
        self.logins = []
        context = server_context(certificate) if certificate else None
        sink = self

        class Handler:
            async def handle_RCPT(self, server, session, envelope, address,
                                  options):
                if sink.busy:
                    return sink.busy
                if address in sink.refused:
                    return "550 5.1.1 no such user here"
                envelope.rcpt_tos.append(address)
                return "250 fine"

            async def handle_DATA(self, server, session, envelope):
                sink.mails.append((session.ssl is not None, envelope))
                return "250 taken"

        def authenticate(server, session, envelope, mechanism, data):
            sink.logins.append((mechanism, session.ssl is not None))
            return AuthResult(handled=False,
                              success=login == (data.login.decode(),
                                                data.password.decode()))

        class Server(Controller):
            def _trigger_server(self):
                """Its first client, who does not look at certificates."""
                with socket.create_connection((self.hostname, self.port)) as s:
                    if self.ssl_context:
                        trusting = ssl.create_default_context()
                        trusting.check_hostname = False
                        trusting.verify_mode = ssl.CERT_NONE
                        s = trusting.wrap_socket(s)
                    s.recv(100)
                    s.close()

            def factory(self):
                warnings.filterwarnings("ignore", "Requiring AUTH while not")
                return SMTP(Handler(), hostname="mail.test",
                            tls_context=None if implicit else context,
                            auth_required=login is not None,
                            auth_require_tls=False,
                            authenticator=authenticate if login else None)

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.controller = Server(Handler(), hostname="127.0.0.1",
                                 port=self.port,
                                 ssl_context=context if implicit else None)
        self.scheme = "smtps" if implicit else "smtp"
        self.controller.start()

    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def letters(self):
        """As a mail reader sees them."""
        return [email.message_from_bytes(envelope.content,
                                         policy=email.policy.default)
                for _, envelope in self.mails]

    def wait(self, count=1, timeout=30):
        dataflow.wait_for(lambda: len(self.mails) >= count, timeout,
                          what=f"letter {count}")
        return self.letters()

    def close(self):
        self.controller.stop()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class BlackHole:
    """Accepts connections and never says a word."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(50)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()
