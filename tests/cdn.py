#!/usr/bin/env python3
"""A double of the HTTP interfaces with which caches are told what changed:
Cloudflare's, Fastly's, Bunny's, IndexNow's.  It knows of each what its
documentation wants, and nothing else.

    cdn.py LOG BUSY

Prints its port.  LOG gets a line for each URL that is to go, after what all
is purged with ("everything"), and what was wrong ("wrong ...").  The first
BUSY requests get a 429 that says to come again at once.
"""
import http.server
import json
import sys
import urllib.parse

LOG = open(sys.argv[1], "a", buffering=1, encoding="utf-8")
busy = int(sys.argv[2])


class Wrong(Exception):
    pass


def want(ok, what):
    if not ok:
        raise Wrong(what)


def check_url(url):
    """As RFC 3986 has it."""
    parts = urllib.parse.urlsplit(url)
    want(parts.scheme == "https", "scheme of " + url)
    want(parts.netloc == "example.org", "host of " + url)
    want(not parts.query and not parts.fragment, "more than a path: " + url)
    want(urllib.parse.quote(urllib.parse.unquote_to_bytes(parts.path),
                            safe="/-._~") == parts.path, "encoding of " + url)
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


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

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
        LOG.write("".join(u + "\n" for u in urls))
        self.answer(200, '{"success":true}', Content_Type="application/json")

    do_POST = do_GET = do_PUT = do_DELETE = do_PURGE = do

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
