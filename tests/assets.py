#!/usr/bin/env python3
"""What do visitors miss of the pages that they get?

usage: assets.py PORT PROGRESS

Asks 127.0.0.1:PORT, over connections that stay open, for "/" and then for what
the page names (src="..."), each as often as there are servers behind a load
balancer that takes them in turn; and for what a page named that came a while
ago, as a browser does that is slow.  PROGRESS is a file that gets the number of
pages so far.  SIGTERM ends it, and it prints how many pages came, how many
assets were asked for, how many pages failed and how many assets.
"""
import collections
import http.client
import os
import re
import signal
import sys

SERVERS = 4
LATER = 40

over = False


def stop(_signal, _frame):
    global over
    over = True


class Visitor:
    def __init__(self, port):
        self.port = port
        self.connection = None

    def get(self, path):
        for _ in range(3):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(
                        "127.0.0.1", self.port, timeout=60)
                self.connection.request("GET", path)
                answer = self.connection.getresponse()
                body = answer.read()
                return answer.status, body
            except (http.client.HTTPException, OSError) as error:
                self.connection = None
                last = error
        return str(last), b""


def main():
    visitor = Visitor(int(sys.argv[1]))
    progress = sys.argv[2]
    pages = asked = bad_pages = missing = 0
    earlier = collections.deque(maxlen=LATER)
    signal.signal(signal.SIGTERM, stop)
    while not over:
        status, body = visitor.get("/")
        pages += 1
        names = re.findall(rb'src="([^"]*)"', body)
        if status != 200 or not names:
            bad_pages += 1
            print("page:", status, file=sys.stderr)
        earlier.append(names)
        for name in names + earlier[0]:
            for _ in range(SERVERS):
                status, _ = visitor.get("/" + name.decode())
                asked += 1
                if status != 200:
                    missing += 1
                    print(name.decode(), status, file=sys.stderr)
        with open(progress + ".new", "w", encoding="ascii") as f:
            f.write("%d\n" % pages)
        os.rename(progress + ".new", progress)
    print(pages, asked, bad_pages, missing)


main()
