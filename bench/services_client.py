# SPDX-License-Identifier: Apache-2.0
"""services_client.py KIND PORT SECONDS: one client, one request after the other.

KIND is memcached, nginx or web. Each answer is checked. Prints requests a second,
the 99th percentile of their times in microseconds, and how many went wrong.
"""
import http.client
import random
import socket
import sys
import time

KIND, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


class Memcached:
    """A value of up to 16 KB is stored, and read back."""

    def __init__(self):
        self.at = socket.create_connection(("127.0.0.1", PORT), 20)
        self.lines = self.at.makefile("rb")

    def ask(self):
        key = b"k%d" % random.randrange(500)
        value = b"%d" % random.randrange(10) * random.randrange(1, 16000)
        self.at.sendall(b"set %b 0 0 %d\r\n%b\r\n" % (key, len(value), value))
        stored = self.lines.readline() == b"STORED\r\n"
        self.at.sendall(b"get %b\r\n" % key)
        head = self.lines.readline() == b"VALUE %b 0 %d\r\n" % (key, len(value))
        found = self.lines.read(len(value) + 2) == value + b"\r\n"
        return stored and head and found and self.lines.readline() == b"END\r\n"


class Http:
    def __init__(self):
        self.at = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)

    def get(self, path):
        self.at.request("GET", path)
        answer = self.at.getresponse()
        body = answer.read()
        return body if answer.status == 200 else None


class Nginx(Http):
    def ask(self):
        return self.get("/text") == b"0123456789abcdef"


class Web(Http):
    def ask(self):
        user = str(random.randrange(200))
        body = self.get("/page?user=" + user)
        return body is not None and body.startswith(b'{"user": "%b"' % user.encode()) and body.endswith(b"]}")


def run(client):
    took, wrong = [], 0
    begun = now = time.monotonic()
    while now - begun < SECONDS:
        try:
            wrong += not client.ask()
        except (OSError, http.client.HTTPException) as error:
            print(error, file=sys.stderr)
            wrong += 1
            client.__init__()
        then, now = now, time.monotonic()
        took.append(now - then)
    took.sort()
    print(f"{len(took) / (now - begun):.1f} {took[len(took) * 99 // 100] * 1e6:.0f} {wrong}")


run({"memcached": Memcached, "nginx": Nginx, "web": Web}[KIND]())
