#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""marking.py CORE: what no root leads to, of a core file of a 64-bit x86 program.

Another account of what `heaptide leaks` says, in the plainest way there is, sharing
nothing with it: malloc's arenas are found by the shape of their empty bins, each heap
is walked chunk by chunk, what lies in fastbins and thread caches is taken out, and
whatever words of registers, stacks, statics and other mappings may mean is followed
until nothing new is met. Prints one JSON object.

A heap that it does not understand whole is an error, never a figure.
"""

import bisect
import json
import struct
import sys

BINS = 254
# From an arena's start to its bins, with fastbins (to glibc 2.42) and without.
TO_BINS = (112, 24)
# Size of a thread's cache as a chunk, and how many lists it has.
CACHES = {0x290: 64, 0x310: 76}
HEAP = 64 << 20
RED_ZONE = 128
NT_PRSTATUS, NT_FILE = 1, 0x46494C45
READ, WRITE, EXEC = 4, 2, 1


class Segment:
    def __init__(self, header, data):
        _, self.flags, offset, self.start, _, size, memory, _ = header
        self.end = self.start + memory
        self.words = data[offset : offset + size // 8 * 8].cast("Q")
        self.file = False

    def dumped_to(self):
        return self.start + 8 * len(self.words)


class Core:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = memoryview(file.read())
        at, size, count = (
            struct.unpack_from("<Q", data, 32)[0],
            struct.unpack_from("<H", data, 54)[0],
            struct.unpack_from("<H", data, 56)[0],
        )
        headers = [struct.unpack_from("<IIQQQQQQ", data, at + i * size) for i in range(count)]
        self.segments = sorted(
            (Segment(h, data) for h in headers if h[0] == 1 and h[6]), key=lambda s: s.start
        )
        self.starts = [s.start for s in self.segments]
        self.threads = []
        for h in headers:
            if h[0] == 4:
                self.read_notes(data[h[2] : h[2] + h[5]])

    def read_notes(self, notes):
        at = 0
        while at + 12 <= len(notes):
            name, size, kind = struct.unpack_from("<III", notes, at)
            body = at + 12 + (name + 3) // 4 * 4
            if kind == NT_PRSTATUS:
                self.threads.append(struct.unpack_from("<27Q", notes, body + 112))
            elif kind == NT_FILE:
                count = struct.unpack_from("<Q", notes, body)[0]
                for i in range(count):
                    start, end, _ = struct.unpack_from("<3Q", notes, body + 16 + i * 24)
                    for s in self.segments:
                        s.file = s.file or start <= s.start < end
            at = body + (size + 3) // 4 * 4

    def segment(self, address):
        i = bisect.bisect_right(self.starts, address) - 1
        s = self.segments[i] if i >= 0 else None
        return s if s and address < s.end else None

    def word(self, address):
        s = self.segment(address)
        if not s or address % 8 or address >= s.dumped_to():
            return None
        return s.words[(address - s.start) // 8]

    def range(self, start, end):
        """The words of [start, end) that the core has."""
        words = []
        while start < end:
            s = self.segment(start)
            if not s:
                break
            words += s.words[
                (start - s.start + 7) // 8 : (min(end, s.dumped_to()) - s.start) // 8
            ]
            start = s.end
        return words


class Arena:
    def __init__(self, core, start, to_bins):
        self.start, self.bins = start, start + to_bins
        self.fast = range(start + 16, start + to_bins - 16, 8)
        after = self.bins + BINS * 8 + 16
        self.end = after + 40
        self.top = core.word(self.bins - 16)
        self.next, _, _, self.system, _ = [core.word(after + i * 8) for i in range(5)]

    def is_whole(self, core):
        return bool(self.top) and self.next is not None and (core.word(self.top + 8) or 0) >= 32


def class_of(size):
    """The largest size of the class that `leaks` groups it in: four a power of two."""
    if size <= 1040:
        return size
    step = 1 << (size - 1).bit_length() - 3
    return (size + step - 1) // step * step


def fail(why):
    sys.exit(f"marking.py: {why}")


def find_arenas(core):
    """The arenas of a ring, the main one (in a module) first."""
    for s in core.segments:
        if not s.flags & WRITE:
            continue
        for i in range(2, len(s.words) - 1):
            own = s.start + i * 8 - 16
            if s.words[i] != own or s.words[i + 1] != own:
                continue
            for to_bins in TO_BINS:
                for k in range(BINS // 2):
                    ring = ring_from(core, s.start + i * 8 - k * 16 - to_bins, to_bins)
                    if ring:
                        return ring
    return fail("no arena is found")


def ring_from(core, start, to_bins):
    ring, at = [], start
    while len(ring) < 1000:
        arena = Arena(core, at, to_bins)
        if not arena.is_whole(core):
            return None
        ring.append(arena)
        at = arena.next
        if at == start:
            # Only the main arena's top may lie far from it.
            ring.sort(key=lambda a: a.top // HEAP == a.start // HEAP)
            return ring
    return None


class Heaps:
    def __init__(self, core):
        self.core = core
        self.arenas = find_arenas(core)
        self.used = {}  # chunk: size
        self.own = [(a.start, a.end) for a in self.arenas]  # no roots
        self.free = set()
        for a in self.arenas[1:]:
            self.walk_heaps(a)
        self.walk_brk(self.arenas[0])
        for a in self.arenas:
            for head in a.fast:
                self.list(core.word(head), 16)
        self.caches()
        for chunk in self.free:
            if chunk not in self.used:
                fail(f"{chunk:#x} is in a list, and is no chunk")
            del self.used[chunk]
        self.mapped = {}
        self.find_mapped()

    def walk(self, at, top):
        """Chunks from `at` to `top`; None: to the fence that ends a heap."""
        while at != top:
            size = (self.core.word(at + 8) or 0) & ~7
            if top is None and size <= 16:
                return
            following = self.core.word(at + size + 8)
            if size < 32 or size % 16 or following is None:
                fail(f"no chunk begins at {at:#x}")
            if following & 1:
                self.used[at] = size
            at += size

    def walk_brk(self, arena):
        end = arena.top + (self.core.word(arena.top + 8) & ~7)
        self.walk(end - arena.system, arena.top)
        self.own.append((end - arena.system, end))

    def walk_heaps(self, arena):
        heap, top, walked = arena.top // HEAP * HEAP, arena.top, 0
        info = arena.start % HEAP
        while heap:
            first = arena.end if heap == arena.start - info else heap + info
            self.walk((first + 15) // 16 * 16, top)
            size = self.core.word(heap + 16)
            self.own.append((heap, heap + size))
            walked += size
            heap, top = self.core.word(heap + 8), None
        if walked != arena.system:
            fail(f"heaps of {walked} bytes, their arena says {arena.system}")

    def list(self, entry, to_next):
        """All of a list of chunks (to_next 16), or of what malloc returned (0)."""
        while entry:
            chunk = entry - (16 - to_next)
            if chunk in self.free:
                fail(f"{chunk:#x} is in two lists")
            self.free.add(chunk)
            stored = self.core.word(entry + to_next)
            # Since glibc 2.32 links are masked by their own place.
            plain = stored ^ (entry + to_next) >> 12
            entry = plain if plain % 16 == 0 else stored

    def caches(self):
        """Those that a word of a thread's static thread-local variables leads to."""
        seen = set()
        for t in self.core.threads:
            pointer = t[21]
            s = self.core.segment(pointer)
            if not s:
                fail("a thread without a thread pointer")
            for v in self.core.range(max(s.start, pointer - 4096), pointer):
                lists = CACHES.get(self.used.get(v - 16))
                if lists and v not in seen and self.is_cache(v, lists):
                    seen.add(v)
                    for i in range(lists):
                        self.list(self.core.word(v + 2 * lists + 8 * i), 0)

    def is_cache(self, at, lists):
        heads = [self.core.word(at + 2 * lists + 8 * i) for i in range(lists)]
        return all(h == 0 or self.used.get(h - 16) == 32 + 16 * i for i, h in enumerate(heads))

    def find_mapped(self):
        for s in self.core.segments:
            if s.file or not s.flags & WRITE:
                continue
            at = s.start
            while at + 16 <= s.dumped_to():
                before, size = self.core.word(at), self.core.word(at + 8)
                whole = size & ~7
                if (
                    before == 0
                    and size & 7 == 2
                    and whole % 4096 == 0
                    and 4096 <= whole <= s.end - at
                    and not any(a < at + whole and at < b for a, b in self.own)
                ):
                    self.mapped[at] = whole
                    self.own.append((at, at + whole))
                    at += whole
                else:
                    at += 4096


def over(core, s):
    """Stretches of a segment that are stacks below their pointer."""
    for t in core.threads:
        pointer, stack = t[21], t[19]
        if not s.start <= stack < s.end:
            continue
        # A thread's own note of where its stack lies: its start, its length.
        block = core.segment(pointer)
        words = core.range(pointer, min(pointer + 4096, block.end))
        notes = [
            (start, start + length)
            for start, length in zip(words, words[1:])
            if 0 < start < pointer < start + length <= pointer + 8192 and length < HEAP << 10
        ]
        if not notes:  # the main thread's lies above all else
            writable = [k.start for k in core.segments if k.flags & WRITE]
            notes = [(s.start, s.end)] if s.start == max(writable) else []
        start, end = notes[0] if notes else (stack, stack)
        if start <= stack < end:
            yield max(s.start, start), (stack - RED_ZONE) & ~7


def roots(core, own):
    """All stretches that may hold a pointer, without malloc's own."""
    for s in core.segments:
        if not s.flags & READ or s.flags & EXEC:
            continue
        at = s.start
        for start, end in sorted(own + list(over(core, s))):
            if end <= at or start >= s.end:
                continue
            if at < start:
                yield at, start
            at = end
        if at < s.end:
            yield at, s.end


class Marking:
    def __init__(self, core, heaps):
        self.core = core
        nodes = [(c + 16, c + size + 8, c, size) for c, size in heaps.used.items()]
        nodes += [(c + 16, c + size, c, size) for c, size in heaps.mapped.items()]
        self.nodes = sorted(nodes)
        self.starts = [n[0] for n in self.nodes]
        self.low, self.high = self.nodes[0][0], self.nodes[-1][1]
        self.seen = bytearray(len(nodes))
        self.mark(heaps.own)

    def at(self, address):
        i = bisect.bisect_right(self.starts, address) - 1
        return i if i >= 0 and address < self.nodes[i][1] else None

    def led_to(self, words):
        low, high = self.low, self.high
        found = (self.at(w) for w in words if low <= w < high)
        return {i for i in found if i is not None}

    def of(self, i):
        start, end = self.nodes[i][:2]
        return self.led_to(self.core.range(start, end)) - {i}

    def mark(self, own):
        todo = []
        for start, end in roots(self.core, own):
            todo += self.led_to(self.core.range(start, end))
        for t in self.core.threads:
            todo += self.led_to(t)
        while todo:
            i = todo.pop()
            if not self.seen[i]:
                self.seen[i] = 1
                todo += self.of(i)

    def pieces(self):
        """Leaked chunks that references connect, each with its head."""
        lost = [i for i in range(len(self.nodes)) if not self.seen[i]]
        to = {i: {k for k in self.of(i) if not self.seen[k]} for i in lost}
        pointed_at = set().union(*to.values())
        near = {i: set(led) for i, led in to.items()}
        for i, led in to.items():
            for k in led:
                near[k].add(i)
        left = set(lost)
        for i in lost:
            piece, todo = [], [i]
            while todo:
                k = todo.pop()
                if k in left:
                    left.remove(k)
                    piece.append(k)
                    todo += near[k]
            if piece:
                piece.sort()
                yield next((k for k in piece if k not in pointed_at), piece[0]), piece


def main():
    core = Core(sys.argv[1])
    heaps = Heaps(core)
    marking = Marking(core, heaps)
    groups = {}
    for head, piece in marking.pieces():
        size = marking.nodes[head][3]
        mapped = marking.nodes[head][2] in heaps.mapped
        g = groups.setdefault(0 if mapped else class_of(size), [0, 0, 0])
        g[0] += 1
        g[1] += len(piece)
        g[2] += sum(marking.nodes[k][3] for k in piece)
    print(
        json.dumps(
            {
                "chunks": len(marking.nodes),
                "bytes": sum(n[3] for n in marking.nodes),
                "leaked_chunks": sum(g[1] for g in groups.values()),
                "leaked_bytes": sum(g[2] for g in groups.values()),
                "mapped": len(heaps.mapped),
                "groups": [
                    {"max_size": size, "heads": g[0], "chunks": g[1], "bytes": g[2]}
                    for size, g in sorted(groups.items())
                ],
            }
        )
    )


main()
