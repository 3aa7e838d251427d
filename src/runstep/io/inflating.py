"""Compressed files, read as the bytes in them."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from runstep import errors

KINDS = ("ZLIB", "GZIP")

_CHUNK = 1 << 18


class Inflating:
    """The bytes in a compressed file, from first to last. What is cut off ends where it ends.

    A file may hold several GZIP streams, one after the other; what follows a ZLIB stream is not looked at.

    Args:
      kind: one of KINDS.

    Raises (by the methods that read):
      DataLossError: the file is damaged where it is read, each time that it is read there.
    """

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file = file
        self._is_gzip = kind == "GZIP"
        self._stream = self._begun()
        self._ready = bytearray()
        self._damage = ""  # its words: an error would hold on to who read, by its traceback

    def _begun(self) -> zlib._Decompress:
        return zlib.decompressobj(zlib.MAX_WBITS | 16 if self._is_gzip else zlib.MAX_WBITS)

    def _more(self) -> bool:
        """Inflates some more. False at the end."""
        if self._damage:
            raise errors.DataLossError(None, None, self._damage)
        data = self._stream.unconsumed_tail
        if self._stream.eof:
            if not self._is_gzip:
                return False
            data, self._stream = self._stream.unused_data, self._begun()
        data = data or self._file.read(_CHUNK)
        if not data:
            return False
        try:
            self._ready += self._stream.decompress(data, _CHUNK)
        except zlib.error as error:
            text = str(error).removeprefix("Error -3 while decompressing data: ")
            self._damage = f"inflate() failed with error -3: {text}"
            raise errors.DataLossError(None, None, self._damage) from None
        return True

    def _taken(self, count: int) -> bytes:
        found = bytes(self._ready[:count])
        del self._ready[:count]
        return found

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, fewer at the end; all that is left by default."""
        while (size < 0 or len(self._ready) < size) and self._more():
            pass
        return self._taken(len(self._ready) if size < 0 else size)

    def __iter__(self) -> Inflating:
        """The lines, each with its end."""
        return self

    def __next__(self) -> bytes:
        looked = 0
        while (end := self._ready.find(b"\n", looked)) < 0:
            looked = len(self._ready)
            if not self._more():
                if not looked:
                    raise StopIteration
                return self._taken(looked)
        return self._taken(end + 1)
