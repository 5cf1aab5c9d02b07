"""Our S3 client, driven by tests: see tests/integration/s3_client.c."""
import json
import os
import subprocess
import threading

from support import dataflow, s3

PROGRAM = os.path.join(os.path.dirname(dataflow.program()),
                       "tests/integration/s3_client")


class Failed(AssertionError):
    """The client refused: kind, retryable and message say why."""

    def __init__(self, answer):
        super().__init__(f"{answer['kind']}: {answer['message']}")
        self.kind = answer["kind"]
        self.retryable = answer["retryable"]
        self.message = answer["message"]
        self.ms = answer.get("ms", 0)


class Client:
    """One process. Whatever it says on stderr is a failure of the test, unless
    `noisy`: it is a sanitizer's."""

    def __init__(self, connection_string, noisy=False, **environment):
        self.noisy = noisy
        self.process = subprocess.Popen(
            [PROGRAM, connection_string], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=s3.clean_environment(**dataflow.sanitizer_environment(),
                                     **environment))
        self.stderr = ""
        self.reader = threading.Thread(target=self._read_stderr)
        self.reader.start()
        try:
            self.name = self._answer()["name"]
        except Failed:
            self.close()
            raise

    def _read_stderr(self):
        self.stderr = self.process.stderr.read()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.reader.join()
            raise AssertionError(f"the client died: {self.stderr}")
        answer = json.loads(line)
        if not answer["ok"]:
            raise Failed(answer)
        return answer

    def send(self, do, **arguments):
        """Without waiting for the answer, which answer() gives."""
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()

    answer = _answer

    def __getattr__(self, do):
        def call(**arguments):
            self.send(do, **arguments)
            return self._answer()
        return call

    def upload(self, key, file, piece=0, **how):
        self.begin(key=key, **how)
        self.write(file=str(file), piece=piece)
        return self.complete()

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self.reader.join()
            self.process.stdout.close()
            self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        if kind is None:
            assert self.process.returncode == 0, self.stderr
            assert self.noisy or not self.stderr
