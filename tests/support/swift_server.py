"""OpenStack Swift with its S3 API, all of it in one process: for tests.

    swift_server.py FOLDER PORT ACCESS_KEY SECRET_KEY REGION

Proxy, account, container and object server on one disk, which is a folder; the
rings say so. It is Debian's python3-swift, with its configuration made here
instead of in /etc/swift.
"""
import logging
import os
import sys

import eventlet

eventlet.patcher.monkey_patch(all=False, socket=True, select=True,
                              thread=True, time=True)

import eventlet.wsgi  # noqa: E402
from swift.account.server import AccountController  # noqa: E402
from swift.common import storage_policy, utils, wsgi  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.container.server import ContainerController  # noqa: E402
from swift.obj.server import ObjectController  # noqa: E402

COMMON = """[swift-hash]
swift_hash_path_suffix = tests
swift_hash_path_prefix = tests
[storage-policy:0]
name = zero
default = yes
"""

PROXY = """[DEFAULT]
swift_dir = {folder}
log_address = /nowhere
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth slo dlo \
proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_{access_key} = {secret_key} .admin
[filter:s3api]
use = egg:swift#s3api
location = {region}
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
"""


class Cache:
    """What memcached would do."""

    def __init__(self):
        self.values = {}

    def get(self, key, **_):
        return self.values.get(key)

    def set(self, key, value, **_):
        self.values[key] = value

    def incr(self, key, delta=1, **_):
        self.values[key] = int(self.values.get(key) or 0) + delta
        return self.values[key]

    def delete(self, key, **_):
        self.values.pop(key, None)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def storage(folder):
    """The three servers that keep things, each with its ring."""
    settings = {"devices": os.path.join(folder, "disks"), "swift_dir": folder,
                "mount_check": "false", "disable_fallocate": "true",
                "fallocate_reserve": "0"}
    os.makedirs(os.path.join(settings["devices"], "disk"), exist_ok=True)
    for kind, controller in (("account", AccountController),
                             ("container", ContainerController),
                             ("object", ObjectController)):
        listener = eventlet.listen(("127.0.0.1", 0))
        builder = RingBuilder(4, 1, 1)
        builder.add_dev({"id": 0, "region": 1, "zone": 0, "weight": 1,
                         "ip": "127.0.0.1",
                         "port": listener.getsockname()[1], "device": "disk"})
        builder.rebalance()
        builder.get_ring().save(os.path.join(folder, f"{kind}.ring.gz"))
        eventlet.spawn(eventlet.wsgi.server, listener, controller(settings),
                       logging.getLogger(kind))


def main():
    folder, port, access_key, secret_key, region = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    utils.HASH_PATH_SUFFIX = utils.HASH_PATH_PREFIX = b"tests"
    utils.SWIFT_CONF_FILE = write(os.path.join(folder, "swift.conf"), COMMON)
    storage_policy.reload_storage_policies()
    storage(folder)
    proxy = wsgi.loadapp(write(
        os.path.join(folder, "proxy.conf"),
        PROXY.format(folder=folder, secret_key=secret_key, region=region,
                     access_key=access_key.replace(":", "_"))))
    cache = Cache()

    def app(environment, start):
        environment["swift.cache"] = cache
        return proxy(environment, start)
    eventlet.wsgi.server(eventlet.listen(("127.0.0.1", int(port))), app,
                         logging.getLogger("proxy"),
                         protocol=wsgi.SwiftHttpProtocol)


if __name__ == "__main__":
    main()
