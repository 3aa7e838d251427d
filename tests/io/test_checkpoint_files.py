"""The files of checkpoints: byte by byte what TensorFlow writes, readable on either side, safe against damage."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from runstep import errors
from runstep.graph import dtypes
from runstep.io import old_checkpoint, slices
from runstep.io.snappy import uncompress
from runstep.io.table import Table, write_table
from runstep.io.tensor_bundle import BundleReader, BundleWriter, merge
from runstep.testing import oracle

TENSORS: dict[str, Any] = {
    "f": np.arange(6, dtype=np.float32).reshape(2, 3),
    "s": np.array([[b"a", b"bcd"], [b"", b"x" * 200]], object),
    "s/scalar": np.array(b"zz", object),
    "i": np.int64(5),
    "b": np.array([True, False]),
    "e": np.zeros((0, 3), np.float32),
    "c": np.array([1 + 2j], np.complex64),
    "h": np.array([1.5], np.float16),
    "u": np.zeros(3, np.uint16),
    "big": np.arange(100_000, dtype=np.float64),
    "bf": np.array([1.5, 2.0], ml_dtypes.bfloat16),
}
NAMES = list(TENSORS)
OLD = {name: value for name, value in TENSORS.items() if name != "bf"}
"""What the first generation can hold."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What TensorFlow writes: `new` and `old` of TENSORS, `parts` and `old_parts` of rows 70 and 71 of 300."""
    folder = tmp_path_factory.mktemp("theirs")
    tf = oracle.tensorflow().compat.v1
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.constant(TENSORS[name]) for name in NAMES]
        rows = np.ones((2, 3), np.float32)
        raw = tf.raw_ops
        none = [""] * len(NAMES)
        session.run(
            [
                raw.SaveV2(prefix=f"{folder}/new", tensor_names=NAMES, shape_and_slices=none, tensors=tensors),
                raw.Save(filename=f"{folder}/old", tensor_names=list(OLD), data=tensors[: len(OLD)]),
                raw.SaveV2(
                    prefix=f"{folder}/parts",
                    tensor_names=["p", "p", "q"],
                    shape_and_slices=["300 3 70,2:-", "300 3 72,1:-", "9 2,2"],
                    tensors=[rows, rows[:1] * 2, np.array([7, 8], np.int32)],
                ),
                raw.SaveSlices(
                    filename=f"{folder}/old_parts",
                    tensor_names=["p"],
                    shapes_and_slices=["90000 3 70000,2:-"],
                    data=[rows],
                ),
            ]
        )
    return folder


def _same_files(a: Path, b: Path, name: str) -> None:
    for suffix in (".index", ".data-00000-of-00001"):
        assert (a / (name + suffix)).read_bytes() == (b / (name + suffix)).read_bytes(), suffix


def test_bundle_is_tensorflows(theirs: Path, tmp_path: Path) -> None:
    with BundleWriter(str(tmp_path / "new")) as writer:
        for name, value in TENSORS.items():
            writer.add(name.encode(), value)
        writer.finish()
    _same_files(theirs, tmp_path, "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.data-00000-of-00001", "new.index"]


def test_parts_are_tensorflows(theirs: Path, tmp_path: Path) -> None:
    rows = np.ones((2, 3), np.float32)
    with BundleWriter(str(tmp_path / "parts")) as writer:
        writer.add_slice(b"p", (300, 3), slices.parse("70,2:-"), rows)
        writer.add_slice(b"p", (300, 3), slices.parse("72,1:-"), rows[:1] * 2)
        writer.add_slice(b"q", (9,), slices.parse("2,2"), np.array([7, 8], np.int32))
        writer.finish()
    _same_files(theirs, tmp_path, "parts")


def test_old_format_is_tensorflows(theirs: Path, tmp_path: Path) -> None:
    saved = [(n.encode(), np.shape(v), old_checkpoint.whole(np.shape(v)), np.asarray(v)) for n, v in OLD.items()]
    old_checkpoint.write(str(tmp_path / "old"), saved)
    assert (tmp_path / "old").read_bytes() == (theirs / "old").read_bytes()
    part = [(b"p", (90000, 3), slices.parse("70000,2:-"), np.ones((2, 3), np.float32))]
    old_checkpoint.write(str(tmp_path / "old_parts"), part)  # type: ignore[arg-type]
    assert (tmp_path / "old_parts").read_bytes() == (theirs / "old_parts").read_bytes()


def test_reading(theirs: Path) -> None:
    new, old = BundleReader(str(theirs / "new")), old_checkpoint.SliceReader(str(theirs / "old"))
    described = {name.encode(): (dtypes.as_dtype(np.asarray(v).dtype), np.shape(v)) for name, v in TENSORS.items()}
    assert new.tensors() == described
    assert old.tensors() == {name: what for name, what in described.items() if name != b"bf"}
    for name, value in TENSORS.items():
        for found in (new.read(name.encode()), old.read(name.encode()) if name in OLD else new.read(name.encode())):
            np.testing.assert_array_equal(found, value)
            assert found.dtype == np.asarray(value).dtype


def test_parts_of_tensors(theirs: Path) -> None:
    new = BundleReader(str(theirs / "new"))
    big = TENSORS["f"]
    np.testing.assert_array_equal(new.read_slice(b"f", "2 3 1,1:0,2"), big[1:2, :2])
    np.testing.assert_array_equal(new.read_slice(b"f", "2 3 -:1,2"), big[:, 1:])
    assert new.read_slice(b"s", "2 2 0,1:1,1").tolist() == [[b"bcd"]]
    parts = BundleReader(str(theirs / "parts"))
    assert parts.read_slice(b"p", "300 3 71,2:0,1").tolist() == [[1.0], [2.0]]
    assert parts.read_slice(b"q", "9 2,2").tolist() == [7, 8]
    with pytest.raises(errors.InvalidArgumentError, match="sufficient slices for partitioned tensor p .*: -:-"):
        parts.read(b"p")
    old = old_checkpoint.SliceReader(str(theirs / "old_parts"))
    assert old.read(b"p", None, "90000 3 70001,1:1,2").tolist() == [[1.0, 1.0]]
    with pytest.raises(errors.InvalidArgumentError, match="Error copying slice data"):
        old.read(b"p", None, "90000 3 70001,2:1,2")


def test_merge(tmp_path: Path) -> None:
    for name, value in (("a", np.arange(3)), ("b", np.array([b"x"], object))):
        with BundleWriter(f"{tmp_path}/{name}/part") as writer:
            writer.add(name.encode(), value)
            writer.finish()
    merge([f"{tmp_path}/a/part", f"{tmp_path}/b/part"], f"{tmp_path}/all")
    found = BundleReader(f"{tmp_path}/all")
    assert found.read(b"a").tolist() == [0, 1, 2] and found.read(b"b").tolist() == [b"x"]
    assert sorted(p.name for p in tmp_path.glob("all*")) == [
        "all.data-00000-of-00002",
        "all.data-00001-of-00002",
        "all.index",
    ]


def test_unfinished_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(errors.InvalidArgumentError, match="Adding duplicate key: a"),
        BundleWriter(f"{tmp_path}/new/x") as writer,
    ):
        writer.add(b"a", np.zeros(3))
        writer.add(b"a", np.zeros(3))
    assert list((tmp_path / "new").iterdir()) == []


def test_damage_is_found(theirs: Path, tmp_path: Path) -> None:
    for name in ("new.index", "new.data-00000-of-00001"):
        (tmp_path / name).write_bytes((theirs / name).read_bytes())
    data = bytearray((tmp_path / "new.data-00000-of-00001").read_bytes())
    data[3] ^= 1
    (tmp_path / "new.data-00000-of-00001").write_bytes(data)
    reader = BundleReader(str(tmp_path / "new"))
    with pytest.raises(errors.DataLossError, match="Checksum does not match.*of f"):
        reader.read(b"f")
    reader.read(b"i")
    (tmp_path / "new.data-00000-of-00001").write_bytes(data[:100])
    with pytest.raises(errors.DataLossError, match="bytes could be read"):
        reader.read(b"big")
    index = bytearray((tmp_path / "new.index").read_bytes())
    index[20] ^= 1
    (tmp_path / "new.index").write_bytes(index)
    with pytest.raises(errors.DataLossError, match="checksum mismatch"):
        BundleReader(str(tmp_path / "new")).read(b"f")
    (tmp_path / "new.index").write_bytes(index[:-1])
    with pytest.raises(errors.DataLossError, match="not an sstable"):
        BundleReader(str(tmp_path / "new"))


def test_every_flipped_byte_of_an_index_is_an_error_or_harmless(theirs: Path) -> None:
    data = (theirs / "parts.index").read_bytes()
    want = list(Table(data))
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 0x55
        try:
            assert list(Table(bytes(broken))) == want
        except errors.DataLossError:
            pass


def test_table_of_many_blocks() -> None:
    entries = [(b"key%07d" % i, b"v" * (i % 300)) for i in range(6000)]
    file = io.BytesIO()
    write_table(file, entries)
    table = Table(file.getvalue())
    assert len(table._index) > 2
    assert list(table) == entries
    assert table.get(b"key0003000") == b"v" * (3000 % 300)
    assert table.get(b"key") is None and table.get(b"z") is None
    with pytest.raises(ValueError, match="does not come after"):
        write_table(io.BytesIO(), [(b"b", b""), (b"a", b"")])


def test_snappy() -> None:
    # Literal "abcd", a copy of 4 from 4 back, a copy that overlaps itself, a long literal, a far copy.
    far = bytes(range(256)) * 9
    block = bytes([0x0C, 0x0C]) + b"abcd" + bytes([0x01, 0x04]) + bytes([0x01, 0x01])
    assert uncompress(block) == b"abcdabcddddd"
    size = len(far) + 64
    head = bytes([size & 0x7F | 0x80, size >> 7])
    literal = bytes([61 << 2]) + (len(far) - 1).to_bytes(2, "little") + far
    copy = bytes([(63 << 2) | 2]) + len(far).to_bytes(2, "little")
    assert uncompress(head + literal + copy) == far + far[:64]
    copy = bytes([(63 << 2) | 3]) + len(far).to_bytes(4, "little")
    assert uncompress(head + literal + copy) == far + far[:64]
    for broken in (b"\x05\x0cabc", b"\x05\x01\x09", b"", b"\x04\x0cabcd\x00"):
        with pytest.raises(errors.DataLossError):
            uncompress(broken)


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ("xx", errors.InvalidArgumentError, "Need least two elements"),
        ("4 x 0,2:-", errors.InvalidArgumentError, "Non numerical dimension"),
        ("4 3", errors.InvalidArgumentError, "Expected a pair of numbers or '-' but got '3': string = 3"),
        ("4 3 0,2", errors.InternalError, "Mismatching ranks"),
        ("4 3 3,2:-", errors.InternalError, "Extent in dimension 0 out of bounds"),
    ],
)
def test_wrong_specs(spec: str, error: type[errors.OpError], text: str) -> None:
    with pytest.raises(error, match=text):
        slices.parse_spec(spec)
