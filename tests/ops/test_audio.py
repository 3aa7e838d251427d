"""Sound, against TensorFlow: WAV files byte by byte."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

import runstep
from runstep import errors
from runstep.kernels import wav
from runstep.testing import case, check, of, oracle, positive, real
from runstep.testing.building import Names, nodes

INVALID = errors.InvalidArgumentError
BY_HAND = {"AudioSummary": "removed from new graphs: tests/ops/test_audio.py"}
SOUND = np.array([[0.0, 0.5], [-1, 1], [2, -0.3]], np.float32)
HALVES = np.array([[0.5], [1.5], [-0.5], [-1.5], [0.49999997]], np.float32) / 32768
FILE = wav.encode(SOUND, 8000)


def cut(at: int, new: bytes) -> bytes:
    return FILE[:at] + new + FILE[at + len(new) :]


def inserted(at: int, name: bytes, data: bytes) -> bytes:
    return FILE[:at] + name + struct.pack("<I", len(data)) + data + FILE[at:]


BAD = {
    "no riff": cut(0, b"RIFX"),
    "no wave": cut(8, b"WAVX"),
    "strange part": inserted(12, b"LIST", b"abcd"),
    "float": cut(20, b"\3"),
    "no channels": cut(22, b"\0"),
    "channels": cut(22, b"\3"),
    "rate": cut(24, b"\0\0"),
    "per second": cut(28, b"\0\0"),
    "frame": cut(32, b"\5"),
    "bits": cut(34, b"\x08"),
    "ragged end": cut(40, b"\5"),
    "format size": cut(16, b"\x20"),
    "too large": inserted(36, b"LIST", b"abcd").replace(b"LIST\4\0\0\0", b"LIST\0\0\0\x80"),
    "two parts": FILE + FILE[36:],
    "short": FILE[:-2],
    "header": FILE[:20],
    "no data": FILE[:36],
}
GOOD = {
    "unused": inserted(12, b"JUNK", b"abc"),
    "later": inserted(36, b"LIST", b"abcde"),
    "open end": FILE + b"LIST\5\0\0\0ab",
    "18": FILE[:16] + b"\x12" + FILE[17:36] + b"\0\0" + FILE[36:],
    "wrong size": cut(4, b"\0\0"),
}

SIZES: tuple[dict[str, Any], ...] = (
    {},
    {"desired_channels": 1},
    {"desired_channels": 3, "desired_samples": 2},
    {"desired_samples": 5},
    {"desired_channels": 0},
    {"desired_samples": 0},
)

CASES = [
    case("EncodeWav", of(SOUND), 8000),
    case("EncodeWav", of(HALVES), 44100),
    case("EncodeWav", real(0, 2), 8000),
    case("EncodeWav", of([[np.nan, np.inf, -np.inf]]), 1),
    case("EncodeWav", real(2), 8000, error=INVALID),
    case("EncodeWav", real(2, 1), 0, error=INVALID),
    case("EncodeWav", real(2, 1), -1, error=INVALID),
    case("EncodeWav", real(2, 1), [8000], error=INVALID),
    *(case("DecodeWav", of(FILE), **sizes, name=f"sizes{sizes}") for sizes in SIZES),
    *(case("DecodeWav", of(data), name=name) for name, data in GOOD.items()),
    *(case("DecodeWav", of(data), name=name, error=INVALID) for name, data in BAD.items()),
    case("DecodeWav", of([FILE]), name="vector", error=INVALID),
    case("DecodeWav", of(FILE), desired_channels=-2, name="less than none", error=ValueError),
    case("DecodeWav", of(FILE), desired_samples=-2, name="fewer than none", error=ValueError),
    case("AudioSpectrogram", real(20, 2), window_size=8, stride=4),
    case("AudioSpectrogram", real(20, 2), window_size=5, stride=2, magnitude_squared=True),
    case("AudioSpectrogram", real(20, 1), window_size=64, stride=2),
    case("AudioSpectrogram", real(20), window_size=8, stride=4, error=INVALID),
    case("AudioSpectrogram", real(20, 1), window_size=1, stride=4, error=ValueError),
    case("AudioSpectrogram", real(20, 1), window_size=8, stride=0, error=ValueError),
    case("Mfcc", positive(2, 3, 129), 8000, rtol=1e-4, atol=1e-5),
    case("Mfcc", positive(1, 2, 257), 16000, upper_frequency_limit=7600.0, lower_frequency_limit=80.0,
         filterbank_channel_count=26, dct_coefficient_count=26, rtol=1e-4, atol=1e-5),
    case("Mfcc", positive(1, 2, 65), 8000, filterbank_channel_count=200, rtol=1e-4, atol=1e-4),
    case("Mfcc", positive(1, 2, 65), 8000, upper_frequency_limit=9000.0),
    case("Mfcc", positive(1, 2), 8000, error=INVALID),
    case("Mfcc", positive(1, 2, 65), 0, error=INVALID),
    case("Mfcc", positive(1, 2, 65), [8000], error=INVALID),
    case("Mfcc", positive(1, 2, 65), 8000, filterbank_channel_count=5, dct_coefficient_count=9, error=INVALID),
    case("Mfcc", positive(1, 2, 65), 8000, lower_frequency_limit=-1.0, error=INVALID),
    case("AudioSummaryV2", "t", of(SOUND), 44100.0),
    case("AudioSummaryV2", "t", of(SOUND), 44100.0, max_outputs=1),
    case("AudioSummaryV2", "t", real(1, 2, 3), 44100.7),
    case("AudioSummaryV2", "t", real(2, 0), 5.0),
    case("AudioSummaryV2", "t", real(0, 2), 5.0),
    case("AudioSummaryV2", "t", real(2, 2), [5.0]),
    case("AudioSummaryV2", ["t"], real(2, 2), 5.0, error=INVALID),
    case("AudioSummaryV2", "t", real(2), 5.0, error=INVALID),
    case("AudioSummaryV2", "t", real(2, 2), 0.0, error=INVALID),
]  # fmt: skip


@pytest.mark.parametrize("row", CASES, ids=str)
def test_row(row):
    check(row)


def test_the_first_audio_summary_says_the_same_as_the_second():
    graph = runstep.Graph()
    with graph.as_default(), runstep.Session() as session:
        first = runstep.raw_ops.AudioSummary(tag="t", tensor=SOUND, sample_rate=8000.0)
        second = runstep.raw_ops.AudioSummaryV2(tag="t", tensor=SOUND, sample_rate=8000.0)
        a, b = session.run([first, second])
    assert a == b and b"WAVE" in a


def built(tf):
    tf.audio.decode_wav(FILE, desired_channels=1)
    tf.audio.decode_wav(FILE, name="q")
    tf.audio.encode_wav(SOUND, 8000)
    tf.summary.audio("a", SOUND, 8000)
    tf.summary.audio("a", SOUND, tf.placeholder("float32"), max_outputs=1, family="f q", collections=["other"])


def test_graph_is_tensorflows():
    want = nodes(oracle.tensorflow().compat.v1, built)
    got = nodes(Names([]), lambda _: built(runstep))
    assert [node[:3] for node in got] == [node[:3] for node in want]
