"""Frames, short-time spectra, cosine transforms and mel scales are TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runstep

RNG = np.random.RandomState(3)
SIGNALS = RNG.normal(size=(2, 37)).astype(np.float32)
BLOCKS = RNG.normal(size=(2, 5, 7)).astype(np.float32)


def run(tf: Any, log: Any, found: list[Any], feeds: Any = None) -> None:
    log([(tensor.shape.as_list() if tensor.shape.ndims is not None else None, tensor.dtype.name) for tensor in found])
    with tf.Session() as session:
        log(session.run(found, feeds))


def test_frames(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        signal = tf.signal
        x = tf.constant(SIGNALS)
        cuts = ((5, 2, False), (5, 2, True), (4, 9, True), (4, 9, False), (40, 3, False), (40, 30, True), (6, 6, False))
        found = [signal.frame(x, length, step, pad_end=end) for length, step, end in cuts]
        found += [signal.frame(BLOCKS, 3, 1, axis=1), signal.frame(BLOCKS, 3, 2, pad_end=True, pad_value=7.0, axis=-2)]
        found += [signal.frame(np.arange(9), 4, 3, pad_end=True, pad_value=-1), signal.frame(["a", "b", "c"], 2, 1)]
        found += [signal.overlap_and_add(BLOCKS, step) for step in (1, 3, 7, 9)]
        found += [signal.overlap_and_add(np.arange(12).reshape(3, 4), 2)]
        found += tf.gradients(signal.frame(x, 5, 2, pad_end=True) ** 2, x)
        blocks = tf.constant(BLOCKS)
        found += tf.gradients(signal.overlap_and_add(blocks, 3) ** 2, blocks)
        run(tf, log, found)

    same(program, graph=False)


@pytest.mark.parametrize("shape", [None, [None, None]])
def test_sizes_that_only_the_step_knows(shape: Any, same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        signal = tf.signal
        x = tf.placeholder(tf.float32, shape)
        length, step = tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [])
        found = [signal.frame(x, length, step, pad_end=end) for end in (False, True)]
        if shape is not None:
            found.append(signal.stft(x, length, step))
            found.append(signal.inverse_stft(found[-1], length, step))
            found.append(signal.mdct(x, length, pad_end=True))
            found += [signal.dct(x, type=4, norm="ortho"), signal.dct(x, n=40)]
        found += [signal.dct(x, type=kind, norm=norm) for kind, norm in ((1, None), (2, "ortho"), (3, None))]
        found.append(signal.overlap_and_add(x, step))
        with tf.Session() as session:
            log(session.run(found, {x: SIGNALS, length: 8, step: 3}))

    same(program, graph=False)


def test_short_time_spectra(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        signal = tf.signal
        found = []
        x = tf.constant(SIGNALS)
        for length, step, fft_length, window, end in (
            (8, 3, None, signal.hann_window, False),
            (7, 3, None, signal.hamming_window, True),
            (8, 4, 16, None, False),
            (8, 2, 6, signal.hann_window, False),
        ):
            found.append(signal.stft(x, length, step, fft_length, window, end))
            found.append(signal.inverse_stft(found[-1], length, step, fft_length, window))
        forward = signal.stft(x, 9, 4)
        back = signal.inverse_stft(forward, 9, 4, window_fn=signal.inverse_stft_window_fn(4))
        found += [forward, back, signal.inverse_stft_window_fn(3)(8, tf.float64)]
        found += tf.gradients(tf.abs(forward), x)
        found += [signal.stft(tf.constant(SIGNALS, tf.float64), 8, 3)]
        run(tf, log, found)

    same(program, graph=False)


def test_cosine_transforms(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        signal = tf.signal
        found = []
        for kind in (1, 2, 3, 4):
            for norm in (None, "ortho") if kind > 1 else (None,):
                for n in (None, 5, 9):
                    found.append(signal.dct(BLOCKS, type=kind, n=n, norm=norm))
                found.append(signal.idct(BLOCKS.astype(np.float64), type=kind, norm=norm))
        x = tf.constant(BLOCKS)
        found += tf.gradients(signal.dct(x) ** 2, x) + tf.gradients(signal.idct(x, norm="ortho") ** 2, x)
        for norm in (None, "ortho"):
            for window in (signal.vorbis_window, signal.kaiser_bessel_derived_window, None):
                found.append(signal.mdct(SIGNALS, 8, window, norm=norm))
                found.append(signal.inverse_mdct(found[-1], window, norm=norm))
        found.append(signal.mdct(SIGNALS, 12, pad_end=True))
        run(tf, log, found)

    same(program, graph=False)


def test_windows_and_mel_scales(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        signal = tf.signal
        found = [signal.kaiser_window(length, beta) for length, beta in ((1, 12.0), (5, 12.0), (8, 4.0))]
        found += [signal.kaiser_bessel_derived_window(length, dtype=tf.float64) for length in (8, 5)]
        found += [signal.vorbis_window(length) for length in (4, 7)]
        found += [
            signal.linear_to_mel_weight_matrix(),
            signal.linear_to_mel_weight_matrix(7, 65, 16000, 80.0, 7600.0, tf.float64),
            signal.linear_to_mel_weight_matrix(7, 33, tf.constant(16000), 80, 7600),
            signal.mfccs_from_log_mel_spectrograms(BLOCKS),
        ]
        run(tf, log, found)

    same(program, graph=False)


def test_what_is_refused(same: Callable[..., None]) -> None:
    def program(tf: Any, log: Any) -> None:
        s = tf.signal
        for build in (
            lambda: s.linear_to_mel_weight_matrix(0),
            lambda: s.linear_to_mel_weight_matrix(lower_edge_hertz=-1.0),
            lambda: s.linear_to_mel_weight_matrix(sample_rate=-1.0),
            lambda: s.linear_to_mel_weight_matrix(lower_edge_hertz=5000.0),
            lambda: s.linear_to_mel_weight_matrix(upper_edge_hertz=5000.0),
            lambda: s.linear_to_mel_weight_matrix(dtype=tf.int32),
            lambda: s.frame([1.0, 2.0], [1], 1),
            lambda: s.frame(1.0, 1, 1),
            lambda: s.overlap_and_add([1.0], 1),
            lambda: s.overlap_and_add([[1.0]], 1.0),
            lambda: s.dct([1.0], type=5),
            lambda: s.dct([1.0], n=0),
            lambda: s.dct([1.0], axis=0),
            lambda: s.dct([1.0, 2.0], type=1, norm="ortho"),
            lambda: s.dct([1.0, 2.0], norm="a"),
            lambda: s.idct([1.0], type=0),
            lambda: s.mdct([1.0, 2, 3, 4], 6),
            lambda: s.vorbis_window(5, dtype=tf.int32),
            lambda: s.kaiser_window(5, dtype=tf.int32),
            lambda: s.stft(1.0, 1, 1),
            lambda: s.inverse_stft(tf.constant([1j], tf.complex64), 1, 1),
        ):
            log.tried(build)

    same(program, graph=False)


def test_cosine_transforms_take_floats() -> None:
    with pytest.raises(TypeError, match="takes floats, not int32"):
        runstep.signal.dct([1, 2])
