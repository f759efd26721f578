#!/usr/bin/env python3
"""Make two versions of a site, for which guesses come to nothing.

usage: bound_pairs.py NAME DIR

The old one is in DIR/old then, the new one in DIR/new.  Without operands: print
the names.  Each is the same every time.
"""

import base64
import os
import random
import sys


def noise(size):
    return base64.b64encode(chance.randbytes(size))[:size]


def prose(size):
    """Words, of which a third is left when it is compressed."""
    words = [b'%x' % (i * i * 40503 % 65521) for i in range(2000)]
    return b' '.join(chance.choices(words, k=size // 4))[:size]


def pages(old, new, form, count, make):
    """Add so many pages to both; make(i) gives the two texts."""
    for i in range(count):
        old[form % i], new[form % i] = make(i)


def large(old, new):
    """Nothing in common; samples are as large as samples may be."""
    pages(old, new, '%d.html', 40, lambda i: (noise(64000), noise(64000)))


def cheap_first(old, new):
    """Rules make most pages, which cost nothing; then samples are dear."""
    pages(old, new, 'cheap/%d.html', 500,
          lambda i: (b'x' * 150 + b'May', b'x' * 150 + b'June'))
    pages(old, new, '%d.html', 60, lambda i: (noise(30000), noise(30000)))


def zeros(old, new):
    """Deltas make many pages, which cost nothing; those of others do."""
    def zero(_):
        at = chance.randrange(100000)
        return [b'0' * at + noise(n) + b'0' * (120000 - at) for n in (40, 48)]

    pages(old, new, 'zero-%d.html', 50, zero)
    pages(old, new, '%d.html', 200, lambda i: (noise(20000), noise(20000)))


def hidden(old, new):
    """Old pages are dear, and nothing in the new ones says so."""
    pages(old, new, '%d.html', 64,
          lambda i: (noise(30000), b'%d' % i + b' ' * 29990))
    pages(old, new, 'r/%d.html', 40, lambda i: (noise(30000), noise(30000)))


def copies(old, new):
    """What a delta saves is in the file behind it, which travels."""
    def twice(i):
        text = noise(8000)
        pages(old, new, '%d-%%d.txt' % i, 1,
              lambda _: (noise(9000), noise(500) + text + noise(500)))
        return b'May' + text, b'June' + text

    pages(old, new, '%d.html', 200, twice)


def runs(old, new):
    """Deltas of many runs, of what costs nothing."""
    def stripes(_):
        parts = [b'%02d' % k * 300 for k in range(30)]
        return b''.join(parts), b''.join(
            p + b'<%d>' % chance.randrange(10**9) for p in parts)

    pages(old, new, '%d.html', 300, stripes)


def copies_of_rules(old, new):
    """Rules make pages of which new files far behind are copies; then samples,
    other rules and signatures are dear."""
    def twice(k):
        def page(i):
            text = noise(13000)
            name = b'%d of May' % k, b'%d of June' % (k * 7)
            new['z/%d/%d.txt' % (k, i)] = text + name[1]
            return text + name[0], text + name[1]
        return page

    def small(i):
        text = prose(3000)
        new['z/small-%d.txt' % i] = text + b'June'
        return text + b'May', text + b'June'

    pages(old, new, 'small-%d.html', 60, small)
    for k in range(6):
        pages(old, new, 'r%d/' % k + '%d.htm' + 'l' * k, 17, twice(k))
    pages(old, new, 'c/%d.bin', 60, lambda _: (
        chance.randbytes(50000), chance.randbytes(50000)))


def periodic(old, new):
    """Old pages are cut as often as they can be, four times as often as most."""
    table, n = [], 0
    for _ in range(256):  # of src/content/chunk.h
        n = (n + 0x9e3779b97f4a7c15) % 2**64
        z = n
        for shift, factor in ((30, 0xbf58476d1ce4e5b9), (27, 0x94d049bb133111eb)):
            z = (z ^ z >> shift) * factor % 2**64
        table.append(z ^ z >> 31)

    def is_cut(text, length):
        sums = (sum(table[text[(i - k) % len(text)]] << k for k in range(64))
                for i in range(len(text)))
        return any(s % 2**64 < 2**64 // (length - length // 4) for s in sums)

    def striped(i):
        text = noise(70)
        while not is_cut(text, 1161):
            text = noise(70)
        text = (text * 2143)[:150000]
        return text, noise(150000) if i % 4 else text[:90000] + b'!' + text[90000:]

    pages(old, new, '%d.htm', 10, lambda _: (noise(7000), noise(7000)))
    pages(old, new, '%d.html', 16, striped)


PAIRS = (large, cheap_first, zeros, hidden, copies, runs, copies_of_rules,
         periodic)

if len(sys.argv) == 1:
    print(*(pair.__name__ for pair in PAIRS))
    sys.exit()

name, top = sys.argv[1:]
chance = random.Random(name)
versions = {'index.html': b'old'}, {'index.html': b'new'}
next(pair for pair in PAIRS if pair.__name__ == name)(*versions)
for version, files in zip(('old', 'new'), versions):
    for path, text in files.items():
        path = os.path.join(top, version, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(text)
