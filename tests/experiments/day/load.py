# SPDX-License-Identifier: Apache-2.0
"""load.py SECONDS WEB_PORT MEMCACHED_PORT: a day of requests in so many seconds.

Through nginx to the web service, and to memcached: at night a fifteenth of what comes
at ten in the morning and seven in the evening. At two in the night the report is made,
at noon someone fetches large values. Prints the hour and the load as they change.
"""
import random
import socket
import sys
import threading
import time
import urllib.request

SECONDS, WEB, CACHE = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
CURVE = [.15, .1, .07, .07, .07, .1, .2, .4, .7, .9, 1, .95,
         .8, .85, .95, .95, .9, .8, .9, 1, .95, .7, .4, .25]
HOUR_S = SECONDS / 24
PEAK_PER_S = 40
MOST_CONNECTIONS = 48
begun = time.monotonic()
failed = [0, 0]


def hour():
    return (time.monotonic() - begun) / HOUR_S


def load():
    at = min(hour(), 23.999)
    a, b = CURVE[int(at)], CURVE[(int(at) + 1) % 24]
    return a + (b - a) * (at % 1)


def requests(per_s, one, which):
    """one() at the load's rate, until the day is over."""
    while hour() < 24:
        time.sleep(random.expovariate(per_s * load()))
        try:
            one()
        except OSError:
            failed[which] += 1


def web():
    users = int(20 + 400 * load())
    url = f"http://127.0.0.1:{WEB}/page?user={random.randrange(users)}"
    urllib.request.urlopen(url, timeout=20).read()


class Cache:
    """As a pool of connections: as many as the load asks for."""

    def __init__(self):
        self.open = []

    def size(self):
        wanted = max(1, int(MOST_CONNECTIONS * load()))
        while len(self.open) < wanted:
            self.open.append(socket.create_connection(("127.0.0.1", CACHE), 20))
        while len(self.open) > wanted:
            self.open.pop(random.randrange(len(self.open))).close()

    def one(self):
        self.size()
        line = random.choice(self.open)
        key = int(random.paretovariate(1.2)) % 20000
        large = 12 <= hour() < 12.5
        value = b"v" * (random.randint(200_000, 900_000) if large
                        else int(min(60_000, 80 * random.paretovariate(.9))))
        line.sendall(b"set k%d 0 %d %d\r\n%s\r\n" % (key, 3 * HOUR_S, len(value), value))
        line.recv(64)
        keys = b" ".join(b"k%d" % random.randrange(2000) for _ in range(random.randint(1, 30)))
        line.sendall(b"get " + keys + b"\r\n")
        end = b""
        while not end.endswith(b"END\r\n"):
            end = end[-8:] + line.recv(1 << 20)


def night():
    while hour() < 24:
        time.sleep(HOUR_S / 20)
        if hour() >= 2:
            urllib.request.urlopen(f"http://127.0.0.1:{WEB}/report", timeout=60).read()
            return


threads = [threading.Thread(target=requests, args=(PEAK_PER_S / 4, web, 0)) for _ in range(4)]
threads.append(threading.Thread(target=requests, args=(PEAK_PER_S, Cache().one, 1)))
threads.append(threading.Thread(target=night))
for thread in threads:
    thread.start()
while hour() < 24:
    print(f"{int(hour())} {load():.2f}", flush=True)
    time.sleep(HOUR_S)
for thread in threads:
    thread.join()
print(f"failed: {failed[0]} pages, {failed[1]} of memcached", file=sys.stderr)
