#!/usr/bin/env python3
r"""Make hostile packs (deploy-host(7), PACKS), and a table of them.

usage: attack_pack.py DIR ID BASE

DIR/base.pack is a pack for the release BASE, with index.html ("index\n"),
d/page.html ("page\n"), link (to index.html) and up (to shared/up).
DIR/NAME.pack is a pack for the release ID of a root that has BASE.  DIR/table
has a line for each:

    NAME<TAB>C<TAB>SH<TAB>COMPRESS

C and SH are the statuses that the program and the sh verbs may answer with,
separated by commas; "-" leaves that one out.  Every status but 0 means that
nothing of the release is there.
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

out, ID, BASE = sys.argv[1:]
TOP = '.deploy/incoming/' + ID
WHEN = 1767225600
table = open(os.path.join(out, 'table'), 'w')


def sha(data):
    return hashlib.sha256(data).hexdigest()


def f_line(path, data, mode='0644', size=None, time='%d.0' % WHEN, tags=''):
    return './%s type=file mode=%s size=%d time=%s sha256digest=%s%s' % (
        path, mode, len(data) if size is None else size, time, sha(data), tags)


def d_line(path, mode='0755'):
    return './%s type=dir mode=%s' % (path, mode)


def l_line(path, target, mode='0777', tags=''):
    return './%s type=link mode=%s time=%d.0 link=%s%s' % (
        path, mode, WHEN, target, tags)


class Member:
    """One member of the tar."""

    def __init__(self, path, kind, data=b'', mode=0o644, target='', raw=False):
        self.info = tarfile.TarInfo(path if raw else TOP + '/' + path)
        self.info.type = kind
        self.info.mode = mode
        self.info.mtime = WHEN
        self.info.linkname = target
        self.info.size = len(data)
        self.data = data

    def write(self, tar):
        block = self.info.tobuf(tarfile.GNU_FORMAT, 'utf-8', 'surrogateescape')
        tar.write(block)
        tar.write(self.data)
        tar.write(b'\0' * (-len(self.data) % 512))


def f_member(path, data, mode=0o644):
    return Member(path, tarfile.REGTYPE, data, mode)


def d_member(path, mode=0o755):
    return Member(path, tarfile.DIRTYPE, mode=mode)


def l_member(path, target):
    return Member(path, tarfile.SYMTYPE, mode=0o777, target=target)


def h_member(path, target, mode=0o644, data=b''):
    m = Member(path, tarfile.LNKTYPE, data, mode, target)
    return m


def good():
    """The lines and members of an ordinary pack."""
    return ([d_line('d'), f_line('d/page.html', b'page\n'),
             f_line('index.html', b'index\n'), l_line('link', 'index.html')],
            [d_member('d'), f_member('d/page.html', b'page\n'),
             f_member('index.html', b'index\n'),
             l_member('link', 'index.html')])


def digest_of(text):
    """The tree digest, as deploy-root(5) says."""
    import re
    lines = text.split('\n')[2:]
    h = hashlib.sha256()
    for line in lines:
        if line:
            line = re.sub(r' time=[^ ]*', '', line)
            line = re.sub(r'( tags=carried),last-[0-9]*$', r'\1', line)
            h.update(line.encode('utf-8', 'surrogateescape') + b'\n')
    return h.hexdigest()


def meta_of(text, **more):
    meta = {'id': ID, 'staged_at': '2026-01-01T00:00:00Z', 'who': 't',
            'job': None, 'commit': None, 'message': None, 'seq': None,
            'files': 2, 'bytes': 11, 'mtime': WHEN, 'digest': digest_of(text),
            'pinned': False}
    meta.update(more)
    return (json.dumps(meta, separators=(',', ':'), ensure_ascii=False) +
            '\n').encode('utf-8', 'surrogateescape')


def text_of(lines):
    return '#mtree v2.0\n. type=dir mode=0755\n' + ''.join(
        line + '\n' for line in lines)


def record(suffix, data, mode=0o644, kind=tarfile.REGTYPE):
    return Member('%s.%s' % (TOP, suffix), kind, data, mode, raw=True)


def pack(name, c, sh, lines=None, members=None, text=None, meta=None,
         records=None, before=b'', after=b'', wrap=None, compress='none'):
    base_lines, base_members = good()
    if text is None:
        text = text_of(base_lines if lines is None else lines)
    if members is None:
        members = base_members
    if records is None:
        records = [record('manifest', text.encode('utf-8', 'surrogateescape')),
                   record('meta', meta_of(text) if meta is None else meta)]
    tar = io.BytesIO()
    tar.write(before)
    for m in records + members:
        m.write(tar)
    tar.write(b'\0' * 1024)
    tar.write(after)
    data = tar.getvalue()
    if wrap is not None:
        data = wrap(data)
    with open(os.path.join(out, name + '.pack'), 'wb') as f:
        f.write(data)
    print(name, c, sh, compress, sep='\t', file=table)


def squeeze(data):
    return gzip.compress(data, 9, mtime=0)


def with_file(line, member):
    lines, members = good()
    return {'lines': sorted(lines + [line]), 'members': members + [member]}


def make_base():
    """DIR/base.pack, the release BASE; it is not in the table."""
    global ID, TOP
    mine = ID, TOP
    ID, TOP = BASE, '.deploy/incoming/' + BASE
    lines, members = good()
    pack('base', '0', '0', lines=lines + [
        l_line('up', '../../shared/up', tags=' tags=shared')],
         members=members + [l_member('up', '../../shared/up')])
    ID, TOP = mine
    table.seek(0)
    table.truncate()


make_base()

# ---- none of these is hostile

pack('good', '0', '0')
pack('good-gzip', '0', '0', wrap=squeeze, compress='gzip')
lines, members = good()
members[2] = h_member('index.html', 'releases/%s/index.html' % BASE)
pack('good-hard-link', '0', '0', members=members)
lines, members = good()
lines[0] = d_line('d', '02755')
pack('good-setgid-directory', '0', '-', lines=lines)
pack('good-executable', '0', '0',
     **with_file(f_line('run', b'x', '0755'), f_member('run', b'x', 0o755)))

# ---- modes

for mode in (0o4755, 0o2755, 0o6755, 0o6777, 0o4644, 0o1755, 0o777, 0o666,
             0o664, 0o600, 0o444, 0o000):
    pack('file-mode-%04o' % mode, '5', '5', **with_file(
        f_line('x', b'x', '0%o' % mode), f_member('x', b'x', mode)))
for mode in (0o777, 0o775, 0o700, 0o555, 0o500, 0o000, 0o1777, 0o2775, 0o2777,
             0o4755, 0o6777):
    pack('dir-mode-%04o' % mode, '5', '5', **with_file(
        d_line('x', '0%o' % mode), d_member('x', mode)))
for mode in (0o755, 0o4777, 0o000):
    pack('link-mode-%04o' % mode, '5', '5', **with_file(
        l_line('x', 'link', '0%o' % mode), l_member('x', 'link')))
# In the tar alone; tar may hold them to the umask.
for mode in (0o4755, 0o6777, 0o666, 0o000):
    pack('member-mode-%04o' % mode, '5', '0,5', **with_file(
        f_line('x', b'x'), f_member('x', b'x', mode)))
for mode in (0o4777, 0o555, 0o000, 0o777):
    pack('member-dir-mode-%04o' % mode, '5', '0,1,5', **with_file(
        d_line('x'), d_member('x', mode)))
pack('mode-twice', '0,5', '5', **with_file(
    f_line('x', b'x').replace(' mode=', ' mode=04755 mode='),
    f_member('x', b'x')))
pack('mode-none', '5', '5', **with_file(
    f_line('x', b'x').replace(' mode=0644', ''), f_member('x', b'x')))
pack('top-mode', '0', '0', text='#mtree v2.0\n. type=dir mode=06777\n' +
     ''.join(line + '\n' for line in good()[0]))

# ---- hard links

for name, target in (
        ('through-shared', 'releases/%s/up/secret' % BASE),
        ('to-shared', 'releases/%s/up' % BASE),
        ('to-link', 'releases/%s/link' % BASE),
        ('to-directory', 'releases/%s/d' % BASE),
        ('to-nothing', 'releases/%s/none' % BASE),
        ('to-no-release', 'releases/%s/index.html' % BASE.replace('Z-', 'Z-f', 1)[:-1]),
        ('to-manifest', '.deploy/manifests/%s' % BASE),
        ('to-meta', '.deploy/meta/%s.json' % BASE),
        ('to-journal', '.deploy/journal'),
        ('to-itself', TOP + '/index.html'),
        ('to-outside', '../victim/secret'),
        ('to-outside-below', 'releases/%s/../../../victim/secret' % BASE),
        ('to-absolute', '/etc/passwd'),
        ('to-planted', 'releases/%s/planted' % BASE)):
    # The file has the digest that the manifest announces.
    lines, members = good()
    lines[2:2] = [f_line('hard', b'secret\n')]
    members[2:2] = [h_member('hard', target)]
    pack('hard-link-' + name, '1,5', '1,5', lines=lines, members=members)
lines, members = good()
members[2] = h_member('index.html', 'releases/%s/d/page.html' % BASE)
pack('hard-link-other-content', '5', '5', members=members)
lines, members = good()
members[2] = h_member('index.html', 'releases/%s/index.html' % BASE,
                      mode=0o4755)
pack('hard-link-mode', '5', '0,5', members=members)
lines, members = good()
members[0] = h_member('d', 'releases/%s/index.html' % BASE)
pack('hard-link-for-directory', '5', '5', members=members)

# ---- what the meta says

text = text_of(good()[0])
for name, c, sh, more in (
        ('pinned', '0', '0', {'pinned': True}),
        ('seq-2-53', '5', '5', {'seq': 1 << 53}),
        ('seq-2-63', '5', '5', {'seq': (1 << 63) - 1}),
        ('seq-2-64', '5', '5', {'seq': 1 << 64}),
        ('seq-2-53-less-1', '0', '0', {'seq': (1 << 53) - 1}),
        ('controls', '0', '0', {'who': 'a\u009bb', 'message': 'c\u001bd',
                                'commit': 'e\u0085f', 'job': 'g\u007fh'}),
        ('sizes', '0', '0', {'files': -1, 'bytes': (1 << 63) - 1}),
        ('other-id', '5', '5', {'id': BASE}),
        ('no-id', '5', '5', {'id': None}),
        ('other-digest', '5', '5', {'digest': '0' * 64}),
        ('mtime', '0', '0', {'mtime': (1 << 63) - 1})):
    pack('meta-' + name, c, sh, meta=meta_of(text, **more))
pack('meta-no-json', '5', '5', meta=b'nothing\n')
pack('meta-list', '5', '5', meta=b'[]\n')
pack('meta-long', '5', '-', meta=meta_of(text, message='x' * 70000))
pack('meta-deep', '5', '-', meta=b'{"a":' + b'[' * 60000 + b'\n')

# ---- numbers and names of the manifest

for name, line in (
        ('time-10000', f_line('x', b'x', time='253402300800.0')),
        ('time-2-63', f_line('x', b'x', time='9223372036854775807.0')),
        ('time-minus', f_line('x', b'x', time='-1.0')),
        ('size-2-63', f_line('x', b'x', size=(1 << 63) - 1)),
        ('size-2-64', f_line('x', b'x', size=1 << 64)),
        ('size-more', f_line('x', b'x', size=2)),
        ('size-less', f_line('x', b'x', size=0)),
        ('type-block', f_line('x', b'x').replace('type=file', 'type=block')),
        ('name-c1', f_line('x\\302\\233', b'x')),
        ('name-escape', f_line('x\\033', b'x')),
        ('name-dots', f_line('x/\\056\\056/y', b'x')),
        ('name-absolute', '/' + f_line('x', b'x')[2:]),
        ('name-twice', f_line('index.html', b'x'))):
    pack('manifest-' + name, '5', '5', **with_file(line, f_member('x', b'x')))
pack('manifest-sum', '5', '5', **with_file(
    f_line('x', b'x', size=(1 << 63) - 1) + '\n' +
    f_line('y', b'x', size=(1 << 63) - 1), f_member('x', b'x')))
pack('manifest-forever-carried', '0', '0', **with_file(
    f_line('x', b'x', tags=' tags=carried,last-253402300799'),
    f_member('x', b'x')))

# ---- links, and what lies behind them

pack('shared-elsewhere', '5', '5', **with_file(
    l_line('up', '../../shared/../../victim', tags=' tags=shared'),
    l_member('up', '../../shared/../../victim')))
pack('shared-behind-a-link', '1', '10,1', **{
    'lines': [d_line('up')] + [l_line(
        'up/new', '../../../shared/up/new', tags=' tags=shared')],
    'members': [d_member('up'),
                l_member('up/new', '../../../shared/up/new')]})
for name, target in (('absolute', '/etc'), ('up', '../x'),
                     ('deep', 'd/../../x'), ('empty', '')):
    pack('link-' + name, '5', '5', **with_file(
        l_line('x', target), l_member('x', target)))
lines, members = good()
members[0] = l_member('d', '../../../../victim')
pack('link-for-directory', '5', '5', members=members)
lines, members = good()
members.insert(0, l_member('d', '../../../../victim'))
# tar puts a file there until the end, and knows it by its inode number, which
# some file systems give to the directory.
pack('link-before-directory', '5', '0,5', members=members)

# ---- the order and the form of the tar

base_lines, base_members = good()
manifest = record('manifest', text.encode())
meta = record('meta', meta_of(text))
pack('records-missing', '5', '5', records=[])
pack('records-meta-only', '5', '5', records=[meta])
pack('records-manifest-only', '5', '5', records=[manifest])
pack('records-last', '5', '0,5', records=[], members=base_members +
     [manifest, meta])
pack('records-turned', '5', '0,5', records=[meta, manifest])
pack('records-twice', '5', '0,5', records=[manifest, meta, manifest])
pack('records-link', '5', '5', records=[
    Member(TOP + '.manifest', tarfile.SYMTYPE, target='/etc/passwd',
           raw=True), meta])
pack('records-setuid', '0,5', '0,5', records=[
    record('manifest', text.encode(), 0o6777),
    record('meta', meta_of(text), 0o6777)])
pack('member-twice', '5', '0,5', members=base_members + [base_members[2]])
pack('member-of-another', '5', '0,5', members=base_members + [
    Member('.deploy/incoming/%s/evil' % BASE, tarfile.REGTYPE, b'x',
           raw=True)])
pack('member-in-releases', '5', '0,5', members=base_members + [
    Member('releases/%s/evil' % BASE, tarfile.REGTYPE, b'x', raw=True)])
pack('member-hook', '5', '0,5', members=base_members + [
    Member('.deploy/hooks/post-activate', tarfile.REGTYPE, b'#!/bin/sh\n',
           0o755, raw=True)])
pack('member-current', '5', '0,5', members=base_members + [
    Member('current', tarfile.SYMTYPE, target='/etc', raw=True)])
for name, kind in (('fifo', tarfile.FIFOTYPE), ('device', tarfile.CHRTYPE),
                   ('block', tarfile.BLKTYPE)):
    pack('member-' + name, '5', '1,5', **with_file(
        f_line('x', b'x'), Member('x', kind)))

# ---- bombs: small here, large there

Z = b'\0' * (1 << 20)
big = (b'#' * 79 + b'\n') * ((300 << 20) // 80)
pack('bomb-manifest-300M', '5', '-', records=[record('manifest', big), meta],
     wrap=squeeze, compress='gzip')
big = b'#mtree v2.0\n. type=dir mode=0755\n' + b'./a type=dir mode=0755\n' * 2100000
pack('bomb-entries', '5,10', '-', records=[record('manifest', big), meta],
     wrap=squeeze, compress='gzip')
del big
huge = record('manifest', b'')
huge.info.size = 4 << 30
pack('bomb-manifest-announced', '5', '5', records=[huge, meta])
lines, members = good()
members[0] = Member('d', tarfile.DIRTYPE, Z * 64, 0o755)
pack('bomb-directory', '5', '-', members=members, wrap=squeeze,
     compress='gzip')
lines, members = good()
members[2] = f_member('index.html', Z * 64)
pack('bomb-file', '5', '5', members=members, wrap=squeeze, compress='gzip')
pack('bomb-twice-packed', '5', '5', wrap=lambda d: squeeze(squeeze(d)),
     compress='gzip')
pack('bomb-behind-the-end', '0,5', '0,5', after=Z * 64, wrap=squeeze,
     compress='gzip')
pack('bomb-long-names', '5', '-', before=b''.join(
    Member('././@LongLink', tarfile.GNUTYPE_LONGNAME, b'x\0', raw=True)
    .info.tobuf(tarfile.GNU_FORMAT) + b'x\0' + b'\0' * 510
    for _ in range(40000)), wrap=squeeze, compress='gzip')
pax = Member('x', tarfile.XHDTYPE, b'12 path=abc\n', raw=True)
block = pax.info.tobuf(tarfile.GNU_FORMAT) + b'12 path=abc\n' + b'\0' * 500
pack('bomb-pax-headers', '5', '-', before=block * 40000, wrap=squeeze,
     compress='gzip')
table.close()
