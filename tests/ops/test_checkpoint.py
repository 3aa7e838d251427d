"""Saving, restoring and warm start, against TensorFlow. (The bytes of the files are tested in tests/io.)"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runstep.testing.bench import compare

F, L = "float32", "int64"
_runs = itertools.count()


def _save(api: Any, path: str, tensors: dict[str, Any], specs: list[str] | None = None, op: str = "SaveV2") -> None:
    names = api.hidden(list(tensors), "string")
    values = [api.hidden(value) for value in tensors.values()]
    if op == "Save":
        api.run(api.op(op, api.hidden(path), names, values))
    else:
        api.run(api.op(op, api.hidden(path), names, api.hidden(specs or [""] * len(tensors), "string"), values))


TENSORS = {"f": np.arange(6, dtype=np.float32).reshape(2, 3), "s": np.array([b"a", b"bc"], object), "i": np.int64(7)}


def test_save_and_restore(tmp_path: Path) -> None:
    def program(api: Any) -> None:
        path = f"{tmp_path}/{api.name}/x"
        _save(api, path, TENSORS)

        def restore(names: list[str], types: list[str], specs: Any = None, where: Any = path) -> None:
            specs = specs or [""] * len(names)
            api.run(api.op("RestoreV2", api.hidden(where), api.hidden(names), api.hidden(specs), dtypes=types))

        restore(["f", "s", "i"], [F, "string", L])
        restore(["i"], [L])
        restore(["f"], [F], ["2 3 0,1:1,2"])
        restore(["zzz"], [F])
        restore(["f"], ["int32"])
        restore(["f"], [F], ["2 4 0,1:1,2"])
        restore(["f"], [F], ["2 3 0,5:-"])
        restore(["f"], [F], ["xx"])
        restore(["f", "i"], [F])
        restore(["f"], [F], where="/proc/no")
        restore(["f"], [F], where=[path])
        static = api.constant(["", "2 3 0,1:1,2"])
        api.run(api.op("RestoreV2", api.constant(path), api.constant(["i", "f"]), static, dtypes=[L, F]))

    compare(program)


def test_parts(tmp_path: Path) -> None:
    def program(api: Any) -> None:
        path = f"{tmp_path}/{api.name}"
        rows = np.arange(6, dtype=np.float32).reshape(2, 3)
        _save(api, path, {"p": rows, "q": np.array([7, 8], np.int32)}, ["4 3 1,2:-", "5 2,2"])

        def restore(name: str, kind: str, spec: str) -> None:
            names, specs = api.hidden([name]), api.hidden([spec])
            api.run(api.op("RestoreV2", api.hidden(path), names, specs, dtypes=[kind]))

        restore("p", F, "4 3 1,2:-")
        restore("p", F, "4 3 2,1:0,2")
        restore("p", F, "")
        restore("q", "int32", "5 2,2")
        restore("q", "int32", "6 2,2")
        _save(api, path, {"p": rows}, ["4 3 1,3:-"])

    compare(program)


def test_wrong_saves(tmp_path: Path) -> None:
    def program(api: Any) -> None:
        path = api.hidden(f"{tmp_path}/{api.name}")
        one = [api.constant(1)]
        api.run(api.op("SaveV2", path, api.hidden(["a", "b"]), api.hidden(["", ""]), one))
        api.run(api.op("SaveV2", path, api.hidden(["a"]), api.hidden(["", ""]), one))
        api.run(api.op("SaveV2", path, api.hidden(["a", "a"]), api.hidden(["", ""]), one * 2))
        for names, specs in ((["a", "b"], [""]), (["a"], ["", ""])):
            api.build("SaveV2", path, api.constant(names), api.constant(specs), one)
            api.build("RestoreV2", path, api.constant(names), api.constant(specs), dtypes=[F])
        api.build("SaveV2", api.constant(["x"]), api.constant(["a"]), api.constant([""]), one)
        api.build("RestoreV2", api.constant("x"), api.constant(["a"]), api.constant(["4 3"]), dtypes=[F])

    compare(program)


def test_first_generation(tmp_path: Path) -> None:
    def program(api: Any) -> None:
        path = f"{tmp_path}/{api.name}/v1"
        Path(path).parent.mkdir()
        _save(api, path, TENSORS, op="Save")
        rows = np.arange(6, dtype=np.float32).reshape(2, 3)
        _save(api, path + "s", {"p": rows}, ["4 3 1,2:-"], op="SaveSlices")

        def restore(name: str, kind: str, where: str = path, **attrs: Any) -> None:
            api.run(api.op("Restore", api.hidden(where), api.hidden(name), dt=kind, **attrs))

        for name, kind in (("f", F), ("s", "string"), ("i", L), ("zzz", F), ("f", "int32")):
            if name != "zzz":
                restore(name, kind)
        restore("f", F, path[:-1] + "?")
        restore("f", F, "/proc/no")
        for name, spec in (("f", "2 3 -:1,1"), ("f", "2 4 -:1,1"), ("f", "")):
            api.run(api.op("RestoreSlice", api.hidden(path), api.hidden(name), api.hidden(spec), dt=F))
        for spec in ("4 3 1,2:0,2", "4 3 2,2:0,2"):
            api.run(api.op("RestoreSlice", api.hidden(path + "s"), api.hidden("p"), api.hidden(spec), dt=F))
        static = api.op("RestoreSlice", api.constant(path), api.constant("f"), api.constant("2 3 -:1,1"), dt=F)
        api.run(static)
        both = [api.hidden(["f", "i"]), api.hidden(["", ""])]
        api.run(api.op("RestoreV2", api.hidden(path), *both, dtypes=[F, L]))

    compare(program)


def test_merge_and_names(tmp_path: Path) -> None:
    def program(api: Any) -> None:
        folder = f"{tmp_path}/{api.name}"
        _save(api, f"{folder}/a", {"a": np.arange(3), "z": np.float32(1)})
        _save(api, f"{folder}/b", {"b": np.array([b"x"], object)})
        prefixes = api.hidden([f"{folder}/a", f"{folder}/b"])
        api.run(api.op("MergeV2Checkpoints", prefixes, api.hidden(f"{folder}/all")))
        api.log.append(str(sorted(path.name for path in Path(folder).iterdir())))
        names, specs = api.hidden(["a", "b", "z"]), api.hidden([""] * 3)
        api.run(api.op("RestoreV2", api.hidden(f"{folder}/all"), names, specs, dtypes=[L, "string", F]))
        missing = api.hidden([f"{folder}/x"]), api.hidden(f"{folder}/none")
        api.run(api.op("MergeV2Checkpoints", *missing, allow_missing_files=True))
        api.run(api.op("ShardedFilename", api.hidden("a/b"), api.hidden(3), api.hidden(12)))
        api.run(api.op("ShardedFilespec", api.hidden("a/b"), api.hidden(12)))
        api.run(api.op("ShardedFilename", api.hidden(["a/b"]), api.hidden(3), api.hidden(12)))
        api.build("ShardedFilename", api.constant(["a/b"]), 3, 12)

    compare(program)


def test_merge_of_missing_files(tmp_path: Path) -> None:
    def program(api: Any) -> None:
        api.run(api.op("MergeV2Checkpoints", api.hidden([f"{tmp_path}/x"]), api.hidden(f"{tmp_path}/y")))

    compare(program, texts=False)


def test_vocabulary_remapping(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("b\na\nq\n")
    (tmp_path / "old").write_text("a\nb\nc\nd\n")

    def program(api: Any) -> None:
        def run(new: str = f"{tmp_path}/new", offset: int = 0, count: int = 3, old_size: int = -1) -> None:
            attrs = {"new_vocab_offset": offset, "num_new_vocab": count, "old_vocab_size": old_size}
            api.run(api.op("GenerateVocabRemapping", api.hidden(new), api.hidden(f"{tmp_path}/old"), **attrs))

        run()
        run(offset=1, count=2)
        run(count=4)
        run(offset=2, count=2)
        run(old_size=1)
        run(old_size=10)
        run(count=0)
        run(new="/proc/no")
        run(new="")
        api.build("GenerateVocabRemapping", api.constant(["a"]), api.constant("b"), new_vocab_offset=0, num_new_vocab=1)

    compare(program)


def test_remapped_matrix(tmp_path: Path) -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)

    def program(api: Any) -> None:
        path = f"{tmp_path}/{api.name}"
        _save(api, path, {"m": matrix, "v": matrix[0], "i": np.arange(4).reshape(2, 2)})

        def run(
            rows: Any, columns: Any, initial: Any, shape: tuple[int, int], name: str = "m", where: str = path
        ) -> None:
            inputs = [
                api.hidden(where),
                api.hidden(name),
                api.hidden(np.array(rows, np.int64)),
                api.hidden(np.array(columns, np.int64)),
                api.hidden(np.array(initial, np.float32)),
            ]
            api.run(api.op("LoadAndRemapMatrix", *inputs, num_rows=shape[0], num_cols=shape[1]))

        run([2, 0], [], [], (2, 3))
        run([2, -1, 0], [], [9, 8, 7], (3, 3))
        run([2, -1], [1, -1], [9, 8, 7], (2, 2))
        run([2, -1], [1, -1], [9, 8], (2, 2))
        run([2, -1], [1, -1], [9, 8, 7, 6], (2, 2))
        run([2, 2], [], [], (2, 3))
        run([3, 0], [0, 0], [], (2, 2))
        run([2, 0], [], [], (3, 3))
        run([2, 0], [0], [], (2, 3))
        run([2, 0], [], [], (2, 4))
        run([-1, -1], [], [1, 2, 3, 4, 5, 6], (2, 3))
        run([3, 0], [2, 0], [], (2, 2))
        run([], [], [], (0, 3))
        run([0], [], [], (1, 3), name="v")
        run([0], [], [], (1, 3), name="i")
        run([0], [], [], (1, 3), name="zz")
        run([0], [], [], (1, 3), where="/proc/no")

    compare(program)


@pytest.mark.parametrize("column", [3, 100])
def test_column_that_is_not_there(column: int, tmp_path: Path) -> None:
    # TensorFlow reads what happens to lie behind the row.
    from runstep import errors
    from runstep.graph.apply import apply
    from runstep.testing.bench import Bench

    bench = Bench()
    with bench.graph.as_default():
        bench.run(apply("SaveV2", f"{tmp_path}/x", ["m"], [""], [np.zeros((4, 3), np.float32)]))
        inputs = [f"{tmp_path}/x", "m", [0], [column], np.zeros(0, np.float32)]
        made = apply("LoadAndRemapMatrix", *inputs, num_rows=1, num_cols=1)
        with pytest.raises(errors.InvalidArgumentError, match=f"col_remapping asks for column {column} of 3"):
            bench.run(made)
