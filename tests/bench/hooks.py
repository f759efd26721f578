"""usage: hooks.py PORT PID N: signed requests to a webhook(1), one after the other
over one connection, in turns to the hook of a site and to the same hook that runs
true(1), which is what webhook itself costs.

For each a line: milliseconds p50 and p99 until the answer, and the CPU time in ms
that its command took: that of all children of PID.
"""
import hashlib
import hmac
import http.client
import json
import os
import sys
import time

PORT, PID, N = map(int, sys.argv[1:])
TURNS = 10
BODY = json.dumps({"ref": "refs/heads/main", "after": "5f0c1ab" * 5,
    "head_commit": {"id": "5f0c1ab" * 5, "message": "a change"}}).encode()
SIGNATURE = hmac.new(os.environ["DEPLOY_HOOK_SECRET_s0"].encode(), BODY, hashlib.sha256).hexdigest()
HEADERS = {"Content-Type": "application/json", "X-GitHub-Event": "push",
    "X-Hub-Signature-256": "sha256=" + SIGNATURE}


def children():
    """Seconds of CPU of the children that were waited for."""
    with open(f"/proc/{PID}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def ask(connection, hook):
    start = time.monotonic()
    connection.request("POST", "/hooks/" + hook, BODY, HEADERS)
    answer = connection.getresponse()
    text = answer.read()
    took = time.monotonic() - start
    if answer.status != 200 or (hook == "s0") != text.strip().isdigit():
        sys.exit(f"hooks.py: {hook}: {answer.status} {text}")
    return took * 1000


def main():
    times, cpu = {"s0": [], "true-s0": []}, {"s0": 0, "true-s0": 0}
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    for hook in times:
        ask(connection, hook)
    for _ in range(TURNS):
        for hook in times:
            before = children()
            times[hook] += [ask(connection, hook) for _ in range(N // TURNS)]
            cpu[hook] += children() - before
    for hook, all_of in times.items():
        all_of.sort()
        last = len(all_of) - 1
        print(f"{all_of[last // 2]:.1f} {all_of[int(last * .99 + .999)]:.1f} {cpu[hook] * 1000 / len(all_of):.1f}")


main()
