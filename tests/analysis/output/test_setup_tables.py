"""Tables 1-3 of a made-up manifest."""

from dataclasses import replace

import pytest
from upath import UPath

from analysis.load import Study
from analysis.output.setup_tables import setting
from analysis.runs.reading import Reading
from analysis.tables.fill import DASH, fill
from search_spaces.paper import TABLES
from search_spaces.rehearsal import REHEARSAL
from search_spaces.table import configs
from wbc_model.datasets.lisc import DATASET as LISC
from wbc_model.preparation.manifest import Entry, fingerprint_of, read_manifest, write_manifest

ELEVEN = next(table for table in TABLES if table.number == "11")


@pytest.fixture
def lisc(tmp_path, make_record):
    """A study of one run on LISC, whose storage holds the manifest: the article's numbers but for one basophil."""
    entries = [
        Entry(f"{cell}/{i}.bmp", cell, "", 0, "", "damaged") if (cell, i) == ("basophil", 0) else
        Entry(f"{cell}/{i}.bmp", cell, ("train", "validation", "test")[i % 3], 2 * (i % 3 == 0), "", "",
              pixels="720x576" if i else "640x480")
        for cell, n in zip(LISC.classes, (54, 48, 39, 50, 52), strict=True)
        for i in range(n)
    ]  # fmt: skip
    (tmp_path / "data").mkdir()
    data = fingerprint_of(entries)
    write_manifest(tmp_path / "data" / f"lisc-{data}.csv", entries)
    config = next(config for config in configs([ELEVEN]) if config.dataset == LISC)
    filled = fill(ELEVEN, [make_record(config, provenance={"data": data})])
    return Study([filled], [], Reading(), {}, {}, UPath(tmp_path))


def numbers(table):
    return [[cell.text for cell in row.cells] for row in table.body]


def test_the_datasets_and_sets_are_counted_from_the_manifest(lisc):
    one, two, three = setting(lisc)
    assert numbers(one) == [["LISC", "54", "48", "39", "50", "52", "243", "720 × 576"]]
    assert one.notes[-2] == "Files of that size: LISC 238 of 242."
    assert one.notes[-1] == "The article has: LISC B 53, LISC Total 242."
    assert one.made_from == tuple(file.name for file in lisc.storage.glob("data/*"))
    assert numbers(two)[0][:2] == ["LISC", "242"]
    assert int(numbers(two)[0][5]) == 3 * int(numbers(two)[0][2])
    assert "Images left out: LISC 1." in two.notes
    assert numbers(three)[1] == ["Initial learning rate", "0.00001"]
    assert three.notes == ("As in the article.",)


def test_a_size_that_an_older_manifest_lacks_is_not_compared(lisc):
    (manifest,) = lisc.storage.glob("data/*")
    entries = [replace(entry, pixels="") for entry in read_manifest(manifest)]
    write_manifest(manifest, entries)
    one, *_ = setting(lisc)
    assert numbers(one) == [["LISC", "54", "48", "39", "50", "52", "243", DASH]]
    assert one.notes[-1] == "The article has: LISC B 53, LISC Total 242."


def test_a_departure_is_told_and_a_server_has_no_manifests(lisc):
    (three,) = setting(replace(lisc, overrides={"epochs": 2}, storage=None))
    assert three.notes == ("The article has: Epoch 100.",)


def test_a_rehearsal_says_so(lisc):
    rows = {labels: config.override({"images": "drawn"}) for labels, config in ELEVEN.rows.items()}
    (three,) = setting(replace(lisc, tables=[fill(replace(ELEVEN, rows=rows), [])], overrides=REHEARSAL))
    assert three.title.startswith("REHEARSAL. ")
    assert three.notes == (
        "Rehearsal: tiny networks on drawn or small images. These numbers say nothing about the paper.",
    )
