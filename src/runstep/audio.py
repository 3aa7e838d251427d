"""`tf.audio`: WAV files (source: tf.compat.v1.audio)."""

from runstep.ops.audio import decode_wav, encode_wav

__all__ = ["decode_wav", "encode_wav"]
