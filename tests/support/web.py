"""Clients of the daemon's listener: well behaved ones, and others."""
import http.client
import json
import re


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text


def get(port, path="/", method="GET", host="127.0.0.1", body=None, timeout=10,
        source=None):
    """One request; `source` is the address that it comes from."""
    connection = http.client.HTTPConnection(
        host, port, timeout=timeout,
        source_address=(source, 0) if source else None)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers,
                      answer.read().decode("utf-8"))
    finally:
        connection.close()


def answers(port, path="/healthz", host="127.0.0.1"):
    try:
        return get(port, path, host=host).status
    except OSError:
        return None


def status(port):
    return json.loads(get(port, "/status.json").text)


SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)')
ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def parse(text):
    """Samples in Prometheus' text format: (name, labels, value)."""
    samples = []
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        labels = {key: re.sub(r"\\.", lambda m: ESCAPES[m.group()], text)
                  for key, text in LABEL.findall(labels or "")}
        samples.append((name, labels, float(value)))
    return samples


def metrics(port):
    return parse(get(port, "/metrics").text)


def value(samples, name, **labels):
    """The one sample of that name with these labels; None: there is none."""
    found = [v for n, has, v in samples
             if n == name and labels.items() <= has.items()]
    assert len(found) <= 1, (name, labels, found)
    return found[0] if found else None
