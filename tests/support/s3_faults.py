"""A web server in front of an S3 server that passes requests on, or does what a
test wants instead; services that give credentials; a proxy that wants a
password."""
import base64
import http.client
import http.server
import json
import re
import select
import socket
import threading
import time
import urllib.parse


class Answer:
    def __init__(self, status, body=b"", headers=()):
        self.status, self.body = status, body
        self.headers = dict(headers)
        self.broken = False  # hang up in the end


def s3_error(status, code, message="in its own words", extra=""):
    return Answer(status, (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>{message}</Message>{extra}<RequestId>1</RequestId></Error>"
    ).encode(), {"Content-Type": "application/xml"})


class Cut(Exception):
    """Hang up."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def handle_error(self, request, client_address):
        pass  # whoever hangs up does so on purpose


class Service:
    """Something that answers to HTTP: answer(request) says what, request has
    command, path, headers and body. In a thread, until closed."""

    def __init__(self):
        self.requests = []  # (method, path)
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                self.body = self.rfile.read(length)
                service.requests.append((self.command, self.path))
                try:
                    answer = service.answer(self)
                    service.send(self, answer)
                except (Cut, OSError):
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

            def log_message(self, *arguments):
                pass

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.05})
        self.thread.start()

    def answer(self, request):
        raise NotImplementedError

    def send(self, request, answer):
        request.send_response_only(answer.status)
        headers = {name: value for name, value in answer.headers.items()
                   if name.lower() not in ("connection", "keep-alive",
                                           "transfer-encoding")}
        if not any(name.lower() == "content-length" for name in headers):
            headers["Content-Length"] = str(len(answer.body))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(answer.body)
        if answer.broken:
            request.wfile.flush()
            raise Cut

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Front(Service):
    """Before an S3 server. `faults` are asked in turn, each a function of
    (request, forward) that returns an Answer, raises Cut, or returns None: then
    the next one is asked, and in the end the request is passed on. forward()
    passes it on and returns the Answer."""

    def __init__(self, server):
        self.backend = server
        self.faults = []
        super().__init__()

    def _forward(self, request):
        connection = http.client.HTTPConnection(
            self.backend.host, self.backend.port, timeout=60)
        try:
            connection.putrequest(request.command, request.path,
                                  skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in ("expect", "connection"):
                    connection.putheader(name, value)
            connection.endheaders(request.body or None)
            response = connection.getresponse()
            body = response.read()
            return Answer(response.status, body, response.getheaders())
        finally:
            connection.close()

    def answer(self, request):
        for fault in list(self.faults):
            answer = fault(request, lambda: self._forward(request))
            if answer is not None:
                return answer
        return self._forward(request)


class Fault:
    """Does something to the requests that `match`, from the `first` one on,
    `times` times; counts all that match."""

    def __init__(self, do, match=lambda request: True, times=1, first=1):
        self.do, self.match = do, match
        self.first, self.last = first, first + times
        self.seen = 0
        self.lock = threading.Lock()

    def __call__(self, request, forward):
        if not self.match(request):
            return None
        with self.lock:
            self.seen += 1
            now = self.first <= self.seen < self.last
        return self.do(request, forward) if now else None


# What can be done.

def answer(made):
    return lambda request, forward: made


def hang_up(request, forward):
    raise Cut


def hang_up_after(request, forward):
    """It was done, and nobody hears of it."""
    forward()
    raise Cut


def stall(seconds):
    def do(request, forward):
        time.sleep(seconds)
        raise Cut
    return do


def set_header(name, value):
    """An answer has this header instead of its own."""
    def function(made):
        for other in list(made.headers):
            if other.lower() == name.lower():
                del made.headers[other]
        made.headers[name] = value
    return change(function)


def change(function):
    """The answer is changed by function(answer)."""
    def do(request, forward):
        made = forward()
        function(made)
        if request.command != "HEAD":
            made.headers = {name: value for name, value in
                            made.headers.items()
                            if name.lower() != "content-length"}
        return made
    return do


def break_off(count):
    """Only so many bytes of the body come, then the connection is cut."""
    def do(request, forward):
        made = forward()
        length = str(len(made.body))
        made.headers = {name: value for name, value in made.headers.items()
                        if name.lower() != "content-length"}
        made.headers["Content-Length"] = length
        made.body = made.body[:count]
        made.broken = True
        return made
    return do


def as_minio(forgetful=False):
    """Lists uploads as MinIO does: those of one key, if the prefix is a key;
    without a prefix all, which old versions, and restarted ones, forgot."""
    def fault(request, forward):
        query = urllib.parse.parse_qs(
            urllib.parse.urlsplit(request.path).query, keep_blank_values=True)
        if request.command != "GET" or "uploads" not in query:
            return None
        prefix = query.get("prefix", [""])[0]

        def is_listed(upload):
            key = re.search(b"<Key>(.*?)</Key>", upload)[1].decode()
            return urllib.parse.unquote(key) == prefix if prefix \
                else not forgetful

        def leave_out(made):
            made.body = re.sub(
                b"<Upload>.*?</Upload>",
                lambda found: found[0] if is_listed(found[0]) else b"",
                made.body, flags=re.DOTALL)
        return change(leave_out)(request, forward)
    return fault


# ------------------------------------------------------------------ credentials

def credentials_json(server, expires_in=3600, **more):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                          time.gmtime(time.time() + expires_in))
    return {"Code": "Success", "AccessKeyId": server.access_key,
            "SecretAccessKey": server.secret_key, "Expiration": stamp,
            **({"Token": server.session_token} if server.session_token
               else {}), **more}


class Instance(Service):
    """The metadata service of EC2, version 2."""

    def __init__(self, server, role="Some-Role_1", expires_in=3600):
        self.credentials = lambda: credentials_json(server, expires_in)
        self.role, self.token = role, "session token=="
        self.without = ()  # paths that it does not know
        super().__init__()

    def answer(self, request):
        base = "/latest/meta-data/iam/security-credentials/"
        if request.path in self.without:
            return Answer(404)
        if (request.command, request.path) == ("PUT", "/latest/api/token"):
            seconds = request.headers["X-aws-ec2-metadata-token-ttl-seconds"]
            assert 1 <= int(seconds) <= 21600
            return Answer(200, self.token.encode())
        if request.headers["X-aws-ec2-metadata-token"] != self.token:
            return Answer(401)
        if request.path == base:
            return Answer(200, (self.role + "\n").encode())
        if request.path == base + self.role:
            return Answer(200, json.dumps(self.credentials()).encode())
        return Answer(404)


class Container(Service):
    """The credentials of a task or a pod, which wants a token."""

    def __init__(self, server, token="let me in", expires_in=3600):
        self.credentials = lambda: credentials_json(server, expires_in)
        self.token = token
        super().__init__()

    def answer(self, request):
        if request.headers["Authorization"] != self.token:
            return Answer(401, b"who are you?")
        return Answer(200, json.dumps(self.credentials()).encode())


# ----------------------------------------------------------------------- proxy

class Proxy(Service):
    """Passes on what it is asked for by whoever has the password."""

    def __init__(self, user="", password=""):
        self.wanted = "Basic " + base64.b64encode(
            f"{user}:{password}".encode()).decode() if user else None
        self.passed = 0
        super().__init__()
        handler = self.server.RequestHandlerClass
        proxy = self

        def connect(request):
            proxy.requests.append((request.command, request.path))
            if not proxy.may_pass(request):
                proxy.send(request, proxy.refusal())
                return
            host, port = request.path.rsplit(":", 1)
            proxy.tunnel(request, (host, int(port)))
        handler.do_CONNECT = connect

    def may_pass(self, request):
        return not self.wanted or \
            request.headers["Proxy-Authorization"] == self.wanted

    @staticmethod
    def refusal():
        return Answer(407, b"no", {"Proxy-Authenticate": "Basic realm=x"})

    def tunnel(self, request, to):
        self.passed += 1
        other = socket.create_connection(to)
        request.connection.sendall(b"HTTP/1.1 200 go on\r\n\r\n")
        ends = {request.connection: other, other: request.connection}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    other.close()
                    request.close_connection = True
                    return
                ends[end].sendall(data)

    def answer(self, request):
        if not self.may_pass(request):
            return self.refusal()
        self.passed += 1
        host, _, path = request.path[len("http://"):].partition("/")
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.putrequest(request.command, "/" + path, skip_host=True,
                              skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in ("expect", "proxy-authorization",
                                    "proxy-connection"):
                connection.putheader(name, value)
        connection.endheaders(request.body or None)
        response = connection.getresponse()
        made = Answer(response.status, response.read(), response.getheaders())
        connection.close()
        return made
