"""A certificate authority for tests: good certificates, and each kind of bad
one. Everything is made by `openssl`, nothing is checked in."""
import datetime
import os
import subprocess

CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca-key.pem
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout


def stamp(days):
    at = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(days=days)
    return at.strftime("%Y%m%d%H%M%SZ")


class Authority:
    """Made in a folder of its own; `file` is what clients trust."""

    def __init__(self, folder, name="Test CA"):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.file = self.path("ca.pem")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                "3650", "-subj", f"/CN={name}", "-keyout",
                self.path("ca-key.pem"), "-out", self.file)
        with open(self.path("ca.cnf"), "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=self.folder))
        with open(self.path("index"), "w", encoding="ascii"):
            pass
        with open(self.path("serial"), "w", encoding="ascii") as file:
            file.write("1000\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", begins=-1,
              ends=30):
        """A server's certificate, valid between two numbers of days from now:
        the paths of certificate and key."""
        request, key = self.path(f"{name}.csr"), self.path(f"{name}-key.pem")
        cert = self.path(f"{name}.pem")
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj",
                f"/CN={name}", "-addext", f"subjectAltName={names}",
                "-keyout", key, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", self.path("ca.cnf"),
                "-startdate", stamp(begins), "-enddate", stamp(ends),
                "-in", request, "-out", cert)
        return cert, key
