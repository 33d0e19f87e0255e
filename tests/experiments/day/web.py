# SPDX-License-Identifier: Apache-2.0
"""web.py PORT SECONDS_PER_HOUR: a web service as people write them.

GET /page?user=N    a page made of the user's session, which is made anew when it is
                    not there, grows with each page, and goes after an idle hour.
GET /report         all sessions as one JSON text: the job of the night.
"""
import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

HOUR_S = float(sys.argv[2])
sessions = {}
lock = threading.Lock()


def text(length):
    return "".join(random.choices("abcdefghij klmnop", k=length))


class Session:
    def __init__(self):
        self.profile = {f"field {i}": text(random.randint(20, 900)) for i in range(40)}
        self.pages = []
        self.seen = time.monotonic()


def expire():
    while True:
        time.sleep(HOUR_S / 20)
        before = time.monotonic() - HOUR_S
        with lock:
            for user in [u for u, s in sessions.items() if s.seen < before]:
                del sessions[user]


def page(user):
    with lock:
        session = sessions.setdefault(user, None) or Session()
        sessions[user] = session
        session.seen = time.monotonic()
        session.pages.append(text(random.randint(200, 2000)))
        del session.pages[:-20]
        return json.dumps({"user": user, "profile": session.profile, "pages": session.pages})


def report():
    with lock:
        rows = [{"user": u, "profile": s.profile, "pages": s.pages} for u, s in sessions.items()]
        return json.dumps(rows * 4, indent=2)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlparse(self.path)
        if url.path == "/report":
            body = report().encode()
        else:
            body = page(parse_qs(url.query).get("user", ["0"])[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


threading.Thread(target=expire, daemon=True).start()
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
