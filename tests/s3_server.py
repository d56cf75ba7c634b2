"""A server that speaks S3: moto's, as a process."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import Request, urlopen


@dataclass
class S3Server:
    """A running server.

    Attributes:
        address: its URL.
        process: the server, for tests that stop it for a while.
    """

    address: str
    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["S3Server"]:
        """A server on a free port of this machine, until the block ends; what it holds is in its memory."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                assert process.stdout is not None
                found = (re.search(r"Running on (http://127\.0\.0\.1:\d+)", line) for line in process.stdout)
                address = next(match[1] for match in found if match)
                threading.Thread(target=process.stdout.read, daemon=True).start()  # a full pipe would stop it
                yield cls(address, process)
            finally:
                process.send_signal(signal.SIGCONT)
                process.kill()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "something",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self, name: str) -> str:
        """Make a bucket; returns its URI."""
        urlopen(Request(f"{self.address}/{name}", method="PUT")).close()
        return f"s3://{name}"

    def keys(self, bucket: str) -> list[str]:
        """What a bucket holds, without the empty keys that stand for folders."""
        with urlopen(f"{self.address}/{bucket}?list-type=2") as answer:
            return [key for key in re.findall(r"<Key>(.*?)</Key>", answer.read().decode()) if not key.endswith("/")]
