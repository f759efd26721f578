#!/usr/bin/env python3
"""usage: attack_archive.py KIND ENTRY... >FILE

An archive of just these entries, however wrong they are, in the KIND tar, cpio
or zip.  An entry is three words or more, in which Python's escapes hold (\\x00):

    f NAME CONTENT [MODE]   a file         d NAME - [MODE]   a directory
    l NAME TARGET           a link         h NAME TARGET     a hard link
    c NAME -, b NAME -, p NAME -           devices, a fifo

Only in tar: T NAME CONTENT TYPE, any type flag; H NAME TARGET CONTENT, a hard
link with content; s NAME BYTES CONTENT, a file that announces BYTES; x KEY VALUE
and g KEY VALUE, pax headers for the next entry or for all; r TEXT, these bytes.
"""
import codecs
import sys
import zipfile


def octal(n, width):
    """As tar has numbers: octal, or 256 where they do not fit."""
    if 0 <= n < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, n)
    return bytes([0x80 if n >= 0 else 0xff]) + (
        n & (256 ** (width - 1) - 1)).to_bytes(width - 1, "big")


def header(name, flag, size=0, link=b"", mode=0o644):
    h = bytearray(name[:100].ljust(100, b"\0") + octal(mode, 8) +
                  octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(1, 12) +
                  b" " * 8 + flag + link[:100].ljust(100, b"\0") +
                  b"ustar\00000" + bytes(64) + octal(1, 8) + octal(3, 8) +
                  bytes(167))
    h[148:156] = b"%06o\0 " % sum(h)
    return bytes(h)


def padded(data):
    return data + bytes(-len(data) % 512)


def long_field(flag, text):
    """GNU's way for what has no room in a header."""
    return header(b"././@LongLink", flag, len(text) + 1) + \
        padded(text + b"\0")


def pax(flag, key, value):
    tail = b" " + key + b"=" + value + b"\n"
    n = len(tail) + 1
    while len(b"%d" % n) + len(tail) != n:
        n = len(b"%d" % n) + len(tail)
    record = b"%d" % n + tail
    return header(b"pax", flag, len(record)) + padded(record)


FLAGS = {"f": b"0", "h": b"1", "l": b"2", "c": b"3", "b": b"4", "d": b"5",
         "p": b"6"}


def tar_entry(kind, name, value, more):
    if kind in "xg":
        return pax(kind.encode(), name, value)
    if kind == "r":
        return padded(name)
    before = b""
    if len(name) > 100:
        before += long_field(b"L", name)
    if kind in "lhH" and len(value) > 100:
        before += long_field(b"K", value)
    if kind == "H":
        return before + header(name, b"1", len(more), value) + padded(more)
    if kind == "T":
        return before + header(name, more, len(value)) + padded(value)
    if kind == "s":
        return before + header(name, b"0", int(value)) + padded(more)
    if kind in "lh":
        return before + header(name, FLAGS[kind], 0, value)
    data = value if kind == "f" else b""
    mode = int(more, 8) if more else 0o755 if kind == "d" else 0o644
    return before + header(name, FLAGS[kind], len(data), b"", mode) + \
        padded(data)


TYPES = {"f": 0o100000, "d": 0o040000, "l": 0o120000, "p": 0o010000,
         "c": 0o020000, "b": 0o060000}


def cpio_entry(kind, name, value, more):
    data = value if kind in "fl" else b""
    mode = TYPES[kind] | (int(more, 8) if more else 0o755)
    fields = (1, mode, 0, 0, 1, 1, len(data), 0, 0, 1, 3, len(name) + 1, 0)
    h = b"070701" + b"".join(b"%08x" % f for f in fields) + name + b"\0"
    h += bytes(-len(h) % 4)
    return h + data + bytes(-len(data) % 4)


def write_zip(entries, out):
    with zipfile.ZipFile(out, "w") as z:
        for kind, name, value, more in entries:
            info = zipfile.ZipInfo("x")
            info.filename = name.decode("utf-8", "surrogateescape") + \
                ("/" if kind == "d" else "")
            info.create_system = 3
            mode = TYPES[kind] | (int(more, 8) if more else 0o755)
            info.external_attr = mode << 16
            z.writestr(info, value if kind in "fl" else b"")


def main():
    words = [codecs.escape_decode(w.encode())[0] for w in sys.argv[2:]]
    entries = []
    while words:
        kind = words.pop(0).decode()
        n = 1 if kind == "r" else 3 if kind in "THs" else 2
        name, value, more = (words[:n] + [b"", b""])[:3]
        words = words[n:]
        if words and kind in "fd" and words[0][:1].isdigit():
            more = words.pop(0)
        entries.append((kind, name, value, more))
    out = sys.stdout.buffer
    if sys.argv[1] == "zip":
        write_zip(entries, out)
    elif sys.argv[1] == "cpio":
        for e in entries:
            out.write(cpio_entry(*e))
        out.write(cpio_entry("f", b"TRAILER!!!", b"", b"0"))
    else:
        for e in entries:
            out.write(tar_entry(*e))
        out.write(bytes(1024))


main()
