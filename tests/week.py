#!/usr/bin/env python3
"""Visitors of a site that is deployed all the time, who know what is right.

usage: week.py DIR PAUSE NAME=PORT...

DIR/truth has a line for each file of each version: version, path, SHA-256.
DIR/story has a line for each time at which it changed what may be seen: when,
"live" or the name of a preview, and the versions (- for none), with commas
between.  An answer is right when it is of a version that may be seen at some
time between the question and the answer.

They come by the servers of 127.0.0.1 at these ports, one after the other, over
connections that stay open, with so many seconds between their rounds.  A NAME that begins with "edge" is a cache;
"balancer" has the previews.  Each asks for a page, for what it names, and for
what a page named that came a while ago; with and without gzip; with what it
knows of an earlier answer (If-None-Match); and with an earlier version of a
script as dictionary (RFC 9842).

DIR/progress gets the number of requests.  SIGTERM ends it; then DIR/columns has
a line for each column, with its name and number:

	requests	how many
	wrong		pages that did not come, or of no such version
	missing		assets that a page names, or named, which are not there
	validators	a 304 for what has changed, or one ETag for two contents
	encodings	what came compressed is not the file
	stale		old pages, from a cache
	previews	previews that are shown as the site, or wrong, or to search
			engines
	gzip, dcz, unchanged, hits
			answers of these kinds, which show that they were had
"""
import collections
import fnmatch
import gzip
import hashlib
import base64
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import zlib

LATER = 30
COLUMNS = ("requests", "wrong", "missing", "validators", "encodings", "stale",
           "previews", "gzip", "dcz", "unchanged", "hits")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Truth:
    """What the files `truth` and `story` say."""

    def __init__(self, where):
        self.where = where
        self.sizes = None
        self.read()

    def read(self):
        names = [os.path.join(self.where, n) for n in ("truth", "story")]
        sizes = [os.stat(n).st_size for n in names]
        if sizes == self.sizes:
            return
        self.sizes = sizes
        self.versions = collections.defaultdict(dict)
        self.known = collections.defaultdict(set)
        with open(names[0], encoding="ascii") as f:
            for line in f:
                version, path, digest = line.split()
                self.versions[version][path] = digest
                self.known[path].add(digest)
        self.story = collections.defaultdict(list)
        with open(names[1], encoding="ascii") as f:
            for line in f:
                if not line.endswith("\n"):
                    break
                when, name, versions = line.split()
                self.story[name].append((float(when), versions.split(",")))

    def seen(self, name, begin, end):
        """The versions that may have been seen between these times."""
        self.read()
        some = set()
        for when, versions in self.story[name]:
            if when > end:
                break
            if when <= begin:
                some = set()
            some.update(versions)
        return some

    def digests(self, name, path, begin, end):
        """Of the path then; None for one that was not there."""
        return {self.versions[v].get(path) for v in
                self.seen(name, begin, end)}


class Visitor:
    def __init__(self, name, port, truth, n):
        self.name, self.port, self.truth, self.n = name, port, truth, n
        self.connection = None
        self.etags = {}
        self.had = {}
        self.dictionaries = {}
        self.earlier = collections.deque(maxlen=LATER)
        self.turn = 0

    def say(self, column, *what):
        self.n[column] += 1
        print("%.3f" % time.time(), column, self.name, *what, file=sys.stderr,
              flush=True)

    def get(self, path, fields):
        last = None
        for _ in range(3):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(
                        "127.0.0.1", self.port, timeout=60)
                self.connection.request("GET", path, headers=fields)
                answer = self.connection.getresponse()
                body = answer.read()
                self.n["requests"] += 1
                self.n["hits"] += answer.headers.get("X-Cache") == "HIT"
                return answer.status, answer.headers, body
            except (http.client.HTTPException, OSError) as error:
                self.connection = None
                last = error
        return str(last), {}, b""

    def decode(self, headers, body, dictionary):
        """What the body stands for, or None."""
        how = headers.get("Content-Encoding")
        try:
            if how == "gzip":
                self.n["gzip"] += 1
                return gzip.decompress(body)
            if how == "dcz":
                self.n["dcz"] += 1
                with tempfile.NamedTemporaryFile() as f:
                    f.write(dictionary)
                    f.flush()
                    return subprocess.run(
                        ["zstd", "-dqc", "--patch-from=" + f.name],
                        input=body[40:], stdout=subprocess.PIPE,
                        check=True).stdout
            return body if how is None else None
        except (OSError, EOFError, zlib.error, TypeError,
                subprocess.CalledProcessError):
            return None

    def one_etag(self, path, headers, digest):
        """Each ETag is of one content."""
        key = path, headers.get("Content-Encoding"), headers.get("ETag")
        if digest and key[2] and self.etags.setdefault(key, digest) != digest:
            self.say("validators", path, "one ETag of two:", key[2])

    def judge(self, path, status, headers, digest, right):
        """A page that is none of the right ones."""
        old = digest in self.truth.known[path]
        live = set()
        for _, versions in self.truth.story["live"]:
            live.update(self.truth.versions[v].get(path) for v in versions)
        if old and digest not in live:
            column = "previews"
        elif old and self.name.startswith("edge"):
            column = "stale"
        elif status == 200 and headers.get("Content-Encoding"):
            column = "encodings"
        else:
            column = "wrong"
        self.say(column, path, status, headers.get("Content-Encoding"), digest,
                 "not", *[str(d) for d in right])

    def page(self, path, packed):
        """Ask for a page, with gzip or without; what it names."""
        url = "/" + re.sub(r"index\.html$", "", path)
        fields = {"Host": "example.org"}
        if packed:
            fields["Accept-Encoding"] = "gzip"
        had = self.had.get((path, packed))
        if had and self.turn % 3 > 0:
            fields["If-None-Match"] = had[0]
        begin = time.time()
        status, headers, body = self.get(url, fields)
        right = self.truth.digests("live", path, begin, time.time())
        if status == 304:
            self.n["unchanged"] += 1
            if "If-None-Match" not in fields or had[1] not in right:
                self.say("validators", path, fields, had)
            return []
        body = self.decode(headers, body, None) if status == 200 else None
        digest = sha256(body) if body is not None else None
        if status == 404 and None in right:
            return []
        if status != 200 or digest is None or digest not in right:
            self.judge(path, status, headers, digest, right)
            return []
        self.one_etag(path, headers, digest)
        self.had[path, packed] = headers.get("ETag"), digest
        return [n.decode() for n in
                re.findall(rb'(?:src|href)="?/(assets/[^"> ]*)', body)]

    def dictionary(self, path):
        for match, (name, body) in self.dictionaries.items():
            if name != path and fnmatch.fnmatchcase("/" + path, match):
                return body
        return None

    def asset(self, path):
        fields = {"Host": "example.org", "Accept-Encoding": "gzip, dcz"}
        old = self.dictionary(path)
        if old:
            fields["Available-Dictionary"] = ":%s:" % base64.b64encode(
                hashlib.sha256(old).digest()).decode()
        status, headers, body = self.get("/" + path, fields)
        if status != 200:
            self.say("missing", path, status)
            return
        body = self.decode(headers, body, old)
        if body is None or sha256(body) not in self.truth.known[path]:
            self.say("encodings" if headers.get("Content-Encoding") else
                     "missing", path, "is another")
            return
        use = re.search('match="([^"]*)"',
                        headers.get("Use-As-Dictionary") or "")
        if use:
            self.dictionaries[use.group(1)] = path, body

    def preview(self, name):
        """It is seen under its own name, or not at all."""
        begin = time.time()
        status, headers, body = self.get(
            "/", {"Host": name + ".preview.example.org"})
        right = self.truth.digests(name, "index.html", begin, time.time())
        if status == 404 and None in right:
            return
        if status != 200 or sha256(body) not in right or \
                headers.get("X-Robots-Tag") != "noindex":
            self.say("previews", name, status, headers)

    def visit(self):
        pages = sorted(p for p in self.truth.known if p.endswith(".html"))
        self.turn += 1
        # Each page both ways, however many there are.
        packed = (self.turn + self.turn // len(pages)) % 2 == 0
        names = self.page(pages[self.turn % len(pages)], packed)
        self.earlier.append(names)
        for name in names + self.earlier[0]:
            self.asset(name)
        if self.name == "balancer":
            for name in list(self.truth.story):
                if name != "live":
                    self.preview(name)


def main():
    where = sys.argv[1]
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    truth = Truth(where)
    n = dict.fromkeys(COLUMNS, 0)
    visitors = [Visitor(name, int(port), truth, n) for name, port in
                (w.split("=") for w in sys.argv[3:])]
    progress = os.path.join(where, "progress")
    while not over:
        for v in visitors:
            v.visit()
        with open(progress + ".new", "w", encoding="ascii") as f:
            f.write("%d\n" % n["requests"])
        os.rename(progress + ".new", progress)
        time.sleep(float(sys.argv[2]))
    with open(os.path.join(where, "columns"), "w", encoding="ascii") as f:
        for name in COLUMNS:
            f.write("%s %d\n" % (name, n[name]))


main()
