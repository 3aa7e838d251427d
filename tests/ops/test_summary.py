"""Summaries agree with TensorFlow, byte by byte where TensorFlow's bytes are determined."""

from __future__ import annotations

import numpy as np
import pytest

import runstep.kernels.numpy.summary  # noqa: F401
from runstep import errors
from runstep.graph import dtypes
from runstep.kernels import png
from runstep.ops import summary
from runstep.protos import summary_pb2
from runstep.testing import case, check, of, oracle, real, strings, subject
from runstep.testing.building import Names, nodes
from runstep.testing.rows import Instance

INVALID = errors.InvalidArgumentError
ONE = {"T": ["float32"]}
A, B = b"\n\x08\n\x01a\x15\x00\x00\xc0?", b"\n\x08\n\x01b\x15\x00\x00\xc0?"
METADATA = summary_pb2.SummaryMetadata(display_name="x").SerializeToString()

CASES = [
    case("ScalarSummary", "loss", real()),
    case("ScalarSummary", of(["a", "ü"]), real(2)),
    case("ScalarSummary", "zero", of(0), types=ONE),
    case("ScalarSummary", strings(0), real(0), types=ONE),
    case("ScalarSummary", of(["a"]), real(), types=ONE, error=INVALID),
    case("ScalarSummary", "a", real(1), types=ONE, error=INVALID),
    case("HistogramSummary", "h", real(50)),
    case("HistogramSummary", "h", real(3, 4), types=ONE),
    case("HistogramSummary", "h", real(), types=ONE),
    case("HistogramSummary", "h", real(0), types=ONE),
    case("HistogramSummary", "h", of([1e30, -1e-20, 1e-13, 1e-12, 1e20, 0, -0.0, -1e30]), types={"T": ["float64"]}),
    case("HistogramSummary", "h", of([1.0, float("nan")]), types=ONE, error=INVALID),
    case("HistogramSummary", "h", of([1.0, float("inf")]), types=ONE, error=INVALID),
    case("HistogramSummary", of(["h"]), real(2), types=ONE, error=INVALID),
    case("MergeSummary", [of(A), of(B)]),
    case("MergeSummary", [of([A, B]), of(b"")]),
    case("MergeSummary", [of(A), of([B, A])], error=INVALID),
    case("MergeSummary", [of("abc")], error=INVALID),
    case("TensorSummary", real(2, 3), stateful=True),  # holds the name of the node
    case("TensorSummaryV2", "t", real(2, 3), METADATA),
    case("TensorSummaryV2", "t", real(0), b"", types={"T": ["float32", "string", "int64"]}),
    case("TensorSummaryV2", of(["t"]), real(), b"", types=ONE, error=INVALID),
    case("ImageSummary", "i", real(1, 2, 2), types=ONE, error=INVALID),
    case("ImageSummary", "i", real(1, 2, 2, 2), types=ONE, error=INVALID),
    case("ImageSummary", of(["i"]), real(1, 2, 2, 1), types=ONE, error=INVALID),
    case("ImageSummary", "i", real(0, 2, 2, 1), types=ONE),
]


@pytest.mark.parametrize("row", CASES, ids=str)
def test_ops(row):
    check(row)


def test_tensor_summary_names_its_node():
    instance = Instance(case("TensorSummary", of([1.5, 2.5])), subject.op_def("TensorSummary"), {"T": dtypes.float32})
    (message,) = subject.call(instance, instance.values(), known=False)
    value = summary_pb2.Summary.FromString(message.item()).value[0]
    assert value.node_name == "node"
    assert value.tensor.tensor_content == np.array([1.5, 2.5], np.float32).tobytes()


BAD = float("nan")
COLOR = np.array([7, 8, 9], np.uint8)
IMAGES = {
    "bytes": case("ImageSummary", "i", real(2, 3, 4, 3, low=0, high=256), types={"T": ["uint8"]}),
    "gray": case("ImageSummary", "i", real(4, 3, 5, 1, low=0, high=2)),
    "negative": case("ImageSummary", "i", real(1, 6, 5, 4), types={"T": ["float32", "float64"]}, max_images=1),
    "bad": case("ImageSummary", "i", of([[[[1.0], [BAD]], [[float("inf")], [0.5]]]]), types=ONE, bad_color=COLOR),
    "tiny": case("ImageSummary", "i", of([[[[1e-8], [0]]]]), types=ONE),
}


def pictures(message):
    """The tags and decoded pictures: deflate has many ways to write one picture."""
    tensorflow = oracle.tensorflow()
    found = []
    for value in summary_pb2.Summary.FromString(message.item()).value:
        pixels = tensorflow.io.decode_png(value.image.encoded_image_string).numpy()
        found.append((value.tag, value.image.height, value.image.width, value.image.colorspace, pixels.tolist()))
    return found


@pytest.mark.parametrize("name", IMAGES)
def test_images(name):
    row = IMAGES[name]
    op_def = subject.op_def("ImageSummary")
    kinds = row.types.get("T") or [op_def.attrs["T"].allowed[0]]  # type: ignore[index]
    for kind in kinds:
        instance = Instance(row, op_def, {"T": kind})
        inputs = instance.values()
        (theirs,) = oracle.run([instance], [inputs])[0]  # type: ignore[misc]
        (ours,) = subject.call(instance, inputs, known=False)
        for a, b in zip(pictures(ours), pictures(theirs), strict=True):
            assert a[:4] == b[:4]
            assert np.array_equal(a[4], b[4]), kind


def test_png_of_sixteen_bits_is_read_back():
    pixels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4) * 1000
    read = oracle.tensorflow().io.decode_png(png.encode(pixels), dtype="uint16").numpy()
    assert np.array_equal(read, pixels)


def scoped(tf, summaries):
    with tf.name_scope("outer"):
        summaries.scalar("loss", tf.placeholder("float32"))
        summaries.scalar("loss", tf.placeholder("float32"), family="my fam")


def merged(tf, summaries):
    summaries.scalar("x", 1.0)
    summaries.histogram("y", [1.0], collections=["other"])
    summaries.image("/z z", tf.placeholder("uint8", [1, 2, 2, 3]), max_outputs=1)
    summaries.merge_all()
    summaries.merge_all("other", name="m")
    assert summaries.merge_all("none") is None


BUILDERS = {
    "scopes": scoped,
    "merged": merged,
    "merge": lambda tf, summaries: summaries.merge(["a", "b"], name="q"),
    "tensor": lambda tf, summaries: summaries.tensor_summary("t", [1.0], display_name="d", summary_description="s"),
    "text": lambda tf, summaries: summaries.text("t", tf.placeholder("string", [2])),
    "no text": lambda tf, summaries: summaries.text("t", tf.placeholder("float32", [2])),
}


class Ours:
    scalar = staticmethod(summary.scalar_summary)
    histogram = staticmethod(summary.histogram_summary)
    image = staticmethod(summary.image_summary)
    merge = staticmethod(summary.merge_summary)
    merge_all = staticmethod(summary.merge_all_summaries)
    tensor_summary = staticmethod(summary.tensor_summary)
    text = staticmethod(summary.text_summary)


@pytest.mark.parametrize("name", BUILDERS)
def test_graph_is_tensorflows(name):
    build = BUILDERS[name]
    want = nodes(oracle.tensorflow().compat.v1, lambda tf: build(tf, tf.summary))
    got = nodes(Names([]), lambda tf: build(tf, Ours))
    if isinstance(want[0], str):
        assert got[0] == want[0]
        return
    assert [node[:3] for node in got] == [node[:3] for node in want]
