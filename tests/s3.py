"""A real S3-compatible server on 127.0.0.1, for as long as a test needs it, with an empty bucket in it."""

import http.client
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager

from moto.server import ThreadedMotoServer

from knownas.storage.files_s3 import Bucket

REGION = "us-east-1"


@contextmanager
def s3_bucket(name: str = "attachments", prefix: str = "knownas/") -> Iterator[Bucket]:
    """The bucket, and how to reach it. Its server keeps everything in memory and believes any key."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with closing(http.client.HTTPConnection(host, port, timeout=10)) as connection:
            connection.request("PUT", f"/{name}")
            assert connection.getresponse().status == 200
        yield Bucket(f"http://{host}:{port}", REGION, name, "key", "secret", prefix)
    finally:
        server.stop()
