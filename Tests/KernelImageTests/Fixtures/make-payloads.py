#!/usr/bin/env python3
"""Makes the packed kernels of this folder: small.* and large.*, the same ELF image in every packing the kernel build offers.

Needs gzip, bzip2, xz, lzop, lz4 and zstd. Run it in this folder; the tests need only what it leaves here.
"""
import random, struct, subprocess

def elf(body):
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", 0x100000) + struct.pack("<III4s8s", 4, 6, 6, b"Xen\0", b"linux\0")
    offset = 64 + 2 * 56
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x100000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, offset + len(note), 0x100000, 0x100000, len(body), len(body) + 4096, 4096)
    notes = struct.pack("<IIQQQQQQ", 4, 4, offset, 0, 0, len(note), len(note), 4)
    return header + load + notes + note + body

def words(count, seed):
    """Text with repeats near and far, short and long, so that every kind of match occurs."""
    r = random.Random(seed)
    pieces = [r.randbytes(r.choice([2, 3, 4, 5, 8, 9, 20, 33, 34, 300, 1500])) for _ in range(40)] + [bytes(700), b"a" * 5000]
    out = b""
    while len(out) < count:
        out += r.choice(pieces) + (r.randbytes(r.choice([1, 2, 3, 5])) if r.random() < 0.15 else b"")
    return out[:count]

packers = {
    "gz": ["gzip", "-9nc"], "bz2": ["bzip2", "-9c"], "lzma": ["xz", "--format=lzma", "-9c"],
    "xz": ["xz", "--check=crc32", "-9c"], "lzo": ["lzop", "-9c"], "lz4": ["lz4", "-lc9"], "zst": ["zstd", "-19c"],
}
for name, image in (("small", elf(words(400, 1))), ("large", elf(words(600_000, 2)))):
    for suffix, command in packers.items():
        packed = subprocess.run(command, input=image, stdout=subprocess.PIPE, check=True).stdout
        with open(f"{name}.{suffix}", "wb") as out:
            out.write(packed if suffix == "gz" else packed + struct.pack("<I", len(image)))
    print(name, len(image), "bytes, sum", sum(image))
