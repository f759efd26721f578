#!/usr/bin/env python3
"""A double of the HTTP interfaces with which caches are told what changed:
Cloudflare's, Fastly's, Bunny's, IndexNow's.  It knows of each what its
documentation wants, and nothing else.

    cdn.py LOG BUSY [PORT obey|keep]

Prints its port.  LOG gets a line for each URL that is to go, after what all
is purged with ("everything"), and what was wrong ("wrong ...").  The first
BUSY requests get a 429 that says to come again at once.

With PORT it also is what is told: a cache of what the web server at that port
of 127.0.0.1 gives as example.org.  It obeys Cache-Control, Vary, ETag and
Last-Modified, as RFC 9111 has it; or it keeps all that came with 200, whatever
that says, as CDNs do that are told to.  What is purged goes from it, also what
is under way.
"""
import http.client
import http.server
import json
import sys
import threading
import time
import urllib.parse

LOG = open(sys.argv[1], "a", buffering=1, encoding="utf-8")
busy = int(sys.argv[2])


class Wrong(Exception):
    pass


def want(ok, what):
    if not ok:
        raise Wrong(what)


def check_url(url):
    """As browsers write it (WHATWG URL, path percent-encode set)."""
    parts = urllib.parse.urlsplit(url)
    want(parts.scheme == "https", "scheme of " + url)
    want(parts.netloc == "example.org", "host of " + url)
    want(not parts.query and not parts.fragment, "more than a path: " + url)
    want(urllib.parse.quote(urllib.parse.unquote_to_bytes(parts.path),
                            safe="/-._~!$&'()*+,;=:@[]|") == parts.path,
         "encoding of " + url)
    return url


def cloudflare(method, path, headers, body):
    want(method == "POST" and path == "/cf/zones/z0ne/purge_cache", path)
    want(headers["Authorization"] == "Bearer s3cret", "token")
    want(headers["Content-Type"] == "application/json", "type")
    doc = json.loads(body)
    if doc == {"purge_everything": True}:
        return ["everything"]
    want(list(doc) == ["files"], "keys")
    want(1 <= len(doc["files"]) <= 100, "%d files" % len(doc["files"]))
    return [check_url(u) for u in doc["files"]]


def fastly(method, path, headers, body):
    want(method == "POST" and body == b"", "method or body")
    want(headers["Fastly-Key"] == "s3cret", "token")
    if path == "/fastly/service/s3rvice/purge_all":
        return ["everything"]
    want(path.startswith("/fastly/purge/example.org/"), path)
    return [check_url("https://" + path[len("/fastly/purge/"):])]


def bunny(method, path, headers, body):
    want(method == "POST" and body == b"", "method or body")
    want(headers["AccessKey"] == "s3cret", "token")
    if path == "/bunny/pullzone/1234/purgeCache":
        return ["everything"]
    where, _, query = path.partition("?")
    want(where == "/bunny/purge", path)
    q = urllib.parse.parse_qs(query, strict_parsing=True)
    want(sorted(q) == ["exactPath", "url"], query)
    want(q["exactPath"] == ["true"] and len(q["url"]) == 1, query)
    return [check_url(q["url"][0])]


def indexnow(method, path, headers, body):
    want(method == "POST" and path == "/indexnow", path)
    want(headers["Content-Type"] == "application/json; charset=utf-8", "type")
    doc = json.loads(body)
    want(sorted(doc) == ["host", "key", "urlList"], "keys")
    want(doc["host"] == "example.org" and doc["key"] == "s3cret-k3y", "host")
    want(1 <= len(doc["urlList"]) <= 10000, "%d URLs" % len(doc["urlList"]))
    return [check_url(u) for u in doc["urlList"]]


KNOWN = {"cf": cloudflare, "fastly": fastly, "bunny": bunny,
         "indexnow": indexnow}



class Kept:
    """An answer that is kept."""

    def __init__(self, asked, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.since = time.monotonic()
        self.vary = [f.strip() for f in ",".join(
            headers.get_all("Vary") or []).split(",") if f.strip()]
        self.asked = [asked.get(f) for f in self.vary]

    def suits(self, asked):
        return self.asked == [asked.get(f) for f in self.vary]

    def says(self):
        return {w.strip().lower() for w in
                (self.headers.get("Cache-Control") or "").split(",")}

    def fresh(self):
        says = self.says()
        ages = [w for w in says if w.startswith("max-age=")]
        return "no-cache" not in says and bool(ages) and \
            time.monotonic() - self.since < int(ages[0][len("max-age="):])


class Cache:
    PASSED = "Accept-Encoding", "Available-Dictionary"

    def __init__(self, port, keeps):
        self.port, self.keeps = port, keeps
        self.store = {}
        self.purges = self.all_gone = 0
        self.gone = {}
        self.lock = threading.Lock()
        self.of_thread = threading.local()

    def purge(self, urls):
        with self.lock:
            self.purges += 1
            for url in urls:
                if url == "everything":
                    self.store.clear()
                    self.all_gone = self.purges
                    continue
                path = urllib.parse.urlsplit(url).path
                self.store.pop(path, None)
                self.gone[path] = self.purges

    def fetch(self, path, headers):
        for again in True, False:
            c = getattr(self.of_thread, "connection", None)
            try:
                if c is None:
                    c = http.client.HTTPConnection("127.0.0.1", self.port,
                                                   timeout=60)
                    self.of_thread.connection = c
                c.request("GET", path, headers=headers)
                answer = c.getresponse()
                return answer.status, answer.headers, answer.read()
            except (http.client.HTTPException, OSError):
                self.of_thread.connection = None
                if not again:
                    raise

    def keep(self, path, kept, before):
        said = kept.says()
        wanted = kept.status == 200 and not said & {"no-store", "private"}
        if not (wanted or kept.status == 404 and kept.fresh()):
            return
        with self.lock:
            if max(self.gone.get(path, 0), self.all_gone) > before:
                return
            others = [k for k in self.store.get(path, [])
                      if k.asked != kept.asked or k.vary != kept.vary]
            self.store[path] = others + [kept]

    def get(self, path, asked):
        """What is given, and how it came."""
        with self.lock:
            old = next((k for k in self.store.get(path, [])
                        if k.suits(asked)), None)
            before = self.purges
        if old is not None and \
                (old.fresh() or self.keeps and old.status == 200):
            return old, "HIT"
        headers = {"Host": "example.org"}
        headers.update((f, asked[f]) for f in self.PASSED if asked.get(f))
        if old is not None and old.headers.get("ETag"):
            headers["If-None-Match"] = old.headers["ETag"]
        status, fields, body = self.fetch(path, headers)
        if status == 304:
            return old, "REVALIDATED"
        new = Kept(asked, status, fields, body)
        self.keep(path, new, before)
        return new, "MISS"


def unchanged(asked, headers):
    """Has who asks this already?"""
    etag = asked.get("If-None-Match")
    if etag:
        return etag.replace("W/", "") == \
            (headers.get("ETag") or "-").replace("W/", "")
    since = asked.get("If-Modified-Since")
    return bool(since) and since == headers.get("Last-Modified")


cache = Cache(int(sys.argv[3]), sys.argv[4] == "keep") \
    if len(sys.argv) > 3 else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def give(self):
        """As the cache."""
        try:
            kept, how = cache.get(self.path, self.headers)
        except (http.client.HTTPException, OSError) as e:
            self.answer(502, str(e))
            return
        status = kept.status
        if status == 200 and unchanged(self.headers, kept.headers):
            status = 304
        self.send_response(status)
        for name, value in kept.headers.items():
            if name.lower() not in ("connection", "keep-alive", "date",
                                    "server", "content-length",
                                    "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Age", str(int(time.monotonic() - kept.since)))
        self.send_header("X-Cache", how)
        if status != 304:
            self.send_header("Content-Length", str(len(kept.body)))
        self.end_headers()
        if status != 304:
            self.wfile.write(kept.body)

    def answer(self, status, text, **fields):
        data = text.encode()
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do(self):
        global busy
        if cache and self.path.split("/")[1] not in KNOWN:
            self.give()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if busy > 0:
            busy -= 1
            self.answer(429, "{}", Retry_After="0")
            return
        try:
            which = KNOWN[self.path.split("/")[1]]
            urls = which(self.command, self.path, self.headers, body)
        except (Wrong, KeyError, ValueError, TypeError) as e:
            LOG.write("wrong %s: %s %s: %s\n" % (
                type(e).__name__, self.command, self.path, e))
            self.answer(400, '{"success":false}')
            return
        if cache:
            cache.purge(urls)
        LOG.write("".join(u + "\n" for u in urls))
        self.answer(200, '{"success":true}', Content_Type="application/json")

    do_POST = do_GET = do_PUT = do_DELETE = do_PURGE = do

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
