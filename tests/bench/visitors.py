#!/usr/bin/env python3
"""What visitors get while a site is deployed, held against the truth.

usage: visitors.py load PORT TRUTH PROGRESS
       visitors.py settled VERSION TRUTH SEEN EDGE PORT...

TRUTH has a line for each file of each version: version, path, SHA-256.

load: ask for pages and for what they name, over a connection that stays open,
until SIGTERM; each second page takes gzip, and what a page named that came a
while ago is asked for, too, as by a browser that is slow.  An answer is right
when it is the file of some version, whole.  Prints requests, wrong answers,
missing assets and wrong encodings; PROGRESS gets the number of requests.

settled: nothing is deployed now, and all servers have to give that version: as
it is, with gzip, and to who comes with the validators of the version before,
which SEEN has; so has what is in front of them (EDGE).  Prints requests, wrong
answers, wrong encodings, wrong validators (a 304 for what has changed) and what
is stale at the edge.
"""
import collections
import gzip
import hashlib
import http.client
import json
import os
import re
import signal
import sys
import zlib

LATER = 30


class Truth:
    def __init__(self, path):
        self.path = path
        self.size = -1
        self.versions = collections.defaultdict(dict)
        self.known = collections.defaultdict(set)

    def read(self):
        if os.stat(self.path).st_size == self.size:
            return
        with open(self.path, encoding="ascii") as f:
            text = f.read()
        self.size = len(text)
        for line in text.splitlines():
            version, path, digest = line.split(" ")
            self.versions[version][path] = digest
            self.known[path].add(digest)


class Server:
    def __init__(self, port):
        self.port = port
        self.connection = None

    def get(self, path, **fields):
        for _ in range(3):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(
                        "127.0.0.1", self.port, timeout=60)
                self.connection.request("GET", path, headers={
                    k.replace("_", "-"): v for k, v in fields.items() if v})
                answer = self.connection.getresponse()
                return answer.status, answer.headers, answer.read()
            except (http.client.HTTPException, OSError) as error:
                self.connection = None
                last = error
        return str(last), {}, b""


def content(headers, body):
    """The SHA-256 of what the body stands for, or None."""
    if headers.get("Content-Encoding") == "gzip":
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return None, b""
    return hashlib.sha256(body).hexdigest(), body


def load(port, truth, progress):
    server = Server(int(port))
    truth = Truth(truth)
    over = []
    n = wrong = missing = encodings = i = 0
    earlier = collections.deque(maxlen=LATER)
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    while not over:
        truth.read()
        pages = sorted(p for p in truth.known if p.endswith(".html"))
        page = pages[i % len(pages)]
        i += 1
        packed = "gzip" if i % 2 else None
        status, headers, body = server.get("/" + page, Accept_Encoding=packed)
        n += 1
        digest, body = content(headers, body)
        truth.read()
        if status != 200 or digest not in truth.known[page]:
            if status == 200 and packed:
                encodings += 1
            else:
                wrong += 1
            print(page, status, packed, file=sys.stderr)
        names = re.findall(rb'(?:src|href)="/(assets/[^"]*)"', body)
        earlier.append(names)
        for name in names + earlier[0]:
            name = name.decode()
            status, headers, body = server.get("/" + name)
            n += 1
            if status != 200 or \
                    content(headers, body)[0] not in truth.known[name]:
                missing += 1
                print(name, status, file=sys.stderr)
        with open(progress + ".new", "w", encoding="ascii") as f:
            f.write("%d\n" % n)
        os.rename(progress + ".new", progress)
    print(n, wrong, missing, encodings)


def settled(version, truth, seen, edge, *ports):
    truth = Truth(truth)
    truth.read()
    files = truth.versions[version]
    n = wrong = encodings = validators = stale = 0
    before = {}
    if os.path.exists(seen):
        with open(seen, encoding="ascii") as f:
            before = json.load(f)
    now = {}
    for port in ports:
        server = Server(int(port))
        for path, want in files.items():
            for packed in None, "gzip":
                old = before.get("%s %s" % (path, packed))
                status, headers, body = server.get(
                    "/" + path, Accept_Encoding=packed)
                n += 1
                if status != 200 or content(headers, body)[0] != want:
                    print(port, path, packed, status, file=sys.stderr)
                    wrong += packed is None
                    encodings += packed is not None
                now["%s %s" % (path, packed)] = [
                    want, headers.get("ETag"), headers.get("Last-Modified")]
                if old is None or old[0] == want:
                    continue
                for fields in ({"If_None_Match": old[1]},
                               {"If_Modified_Since": old[2]}):
                    status, _, _ = server.get(
                        "/" + path, Accept_Encoding=packed, **fields)
                    n += 1
                    if status == 304:
                        validators += 1
                        print(port, path, fields, status, file=sys.stderr)
    server = Server(int(edge))
    for path, want in files.items():
        for packed in None, "gzip":
            status, headers, body = server.get(
                "/" + path, Accept_Encoding=packed)
            n += 1
            if status != 200 or content(headers, body)[0] != want:
                stale += 1
                print("edge", path, packed, status, file=sys.stderr)
    with open(seen, "w", encoding="ascii") as f:
        json.dump(now, f)
    print(n, wrong, encodings, validators, stale)


{"load": load, "settled": settled}[sys.argv[1]](*sys.argv[2:])
