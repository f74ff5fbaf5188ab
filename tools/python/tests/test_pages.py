"""Units whose pages lead elsewhere: LMDB would follow them and end the process by a signal."""

import multiprocessing
import pathlib
import random
import struct
import sys
import unittest

import support
from support import IMAGES

import numpy as np
import teacher_cache
from teacher_cache.pages import check_pages

PAGE = 4096


def trees(data):
    """Offsets of the meta pages and of those that belong to a tree."""
    pages = ((start, *struct.unpack_from("<Q2xH", data, start)) for start in range(0, len(data), PAGE))
    return [
        start for start, number, kind in pages
        if start <= PAGE or (number == start // PAGE and kind in (0x01, 0x02))
    ]  # fmt: skip


def flipped(data):
    """The file with one bit flipped after the other, where pages say what they lead to."""
    draw, places = random.Random(0), trees(data)
    for _ in range(300):
        damaged = bytearray(data)
        damaged[draw.choice(places) + draw.randrange(152)] ^= 1 << draw.randrange(8)
        yield damaged


def led_beyond_its_end(data):
    """The file with a gibibyte from the last page on, of a million records, in place of each value that has
    pages of its own."""
    last = len(data) // PAGE - 1
    for leaf in trees(data)[2:]:
        (lower,) = struct.unpack_from("<H", data, leaf + 12)
        for entry in struct.unpack_from(f"<{(lower - 16) // 2}H", data, leaf + 16):
            _, flags, key = struct.unpack_from("<IHH", data, leaf + entry)
            if flags == 1:
                damaged = bytearray(data)
                struct.pack_into("<I", damaged, leaf + entry, 1 << 30)
                struct.pack_into("<Q", damaged, leaf + entry + 8 + key, last)
                struct.pack_into("<I", damaged, last * PAGE + 16, 1 << 20)
                yield damaged


def read_damaged(path, damages):
    """Reads everything of each damaged cache; ends with 0 where the reader refused some of them by its own
    errors, and nothing else happened."""
    file = next(path.glob("units/*/data.mdb"))
    sound, refused = file.read_bytes(), 0
    for damaged in damages(sound):
        file.write_bytes(damaged)
        try:
            with teacher_cache.open(path) as cache:
                for view in cache.views.views(25):
                    cache.read_batch(IMAGES, view)
                for tap in cache.taps:
                    cache.features_batch(IMAGES, "weak:1", tap)
        except teacher_cache.CacheError:
            refused += 1
    sys.exit(0 if refused > 2 else 3)


@support.needs_programs
class Pages(support.WritingCase):
    def test_what_both_programs_write_is_sound(self):
        self.write("q8")
        for cache in (self.path, support.cache_path("q8"), support.cache_path("all")):
            for file in pathlib.Path(cache).glob("units/*/data.mdb"):
                check_pages(str(file), for_writing=True)

    def test_no_damage_ends_a_reader(self):
        for damages in (flipped, led_beyond_its_end):
            reader = multiprocessing.get_context("spawn").Process(
                target=read_damaged, args=(support.copied("q8"), damages)
            )
            reader.start()
            reader.join()
            self.assertEqual(reader.exitcode, 0, damages)

    def test_what_is_wrong_is_said_with_its_page(self):
        file = next(support.copied("q8").glob("units/*/data.mdb"))
        sound = file.read_bytes()
        newest = max((0, PAGE), key=lambda meta: struct.unpack_from("<Q", sound, meta + 144))
        root = struct.unpack_from("<Q", sound, newest + 128)[0]

        def refused(says, offset, value, layout="<Q"):
            damaged = bytearray(sound)
            struct.pack_into(layout, damaged, offset, value)
            file.write_bytes(damaged)
            with self.assertRaisesRegex(teacher_cache.Corrupt, says):
                check_pages(str(file))

        refused("page 0: it leads to page 99999999 of", newest + 128, 99_999_999)
        refused("page 0: a tree of depth 33", newest + 94, 33, "<H")
        refused("page 0: a table of [0-9]+ entries says 77", newest + 120, 77)
        refused(f"page {root}: it is not the leaf", root * PAGE + 10, 0x01, "<H")
        refused(f"page {root}: .* entries between the bytes 16 and", root * PAGE + 12, 16, "<H")
        refused(f"page {root}: entry 0 lies outside", root * PAGE + 16, PAGE - 2, "<H")
        refused("is the last one, but the file has", newest + 136, len(sound) // PAGE)
        file.write_bytes(sound[: PAGE + 100])
        with self.assertRaisesRegex(teacher_cache.Corrupt, "the file ends before it does"):
            check_pages(str(file))

    def test_an_unsealed_unit_that_leads_elsewhere_is_done_again(self):
        with support.writer(self.path, "q8") as writer:
            work = writer.missing()[0]
            unit = writer.begin(work)
            for image in IMAGES[:2]:
                writer._store(self.answers, unit, np.array([image]), 7)
                unit.commit()
            unit.close()
            file = pathlib.Path(unit.directory) / "data.mdb"
            # The tree of free pages, which only writers follow.
            damaged = bytearray(file.read_bytes())
            newest = max((0, PAGE), key=lambda meta: struct.unpack_from("<Q", damaged, meta + 144))
            self.assertNotEqual(struct.unpack_from("<Q", damaged, newest + 80)[0], (1 << 64) - 1)
            struct.pack_into("<Q", damaged, newest + 80, 1)
            file.write_bytes(damaged)
            unit = writer.begin(work)
            self.assertEqual(unit.remaining_images, work.images)
            unit.close()


if __name__ == "__main__":
    unittest.main()
