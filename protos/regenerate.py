"""Rewrite the checked-in ``*_pb2.py`` and ``*_pb2.pyi`` from the ``.proto`` files beside this one.

``python protos/regenerate.py`` writes them; ``--check`` writes nothing and exits with 1 where they differ.
Exits with 2 when the compiler cannot be installed: that takes pip, a package index that it reaches, and a Python that
``grpcio-tools`` has a wheel for (3.12 at most; the generated code itself runs on any).
"""

import argparse
import difflib
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

# protoc 26.1. Generated code refuses runtimes older than itself and is kept readable by later ones,
# so the oldest compiler whose output we can use sets the lower bound of our protobuf requirement (5.26.1).
COMPILER = "grpcio-tools==1.64.3"

PROTOS = Path(__file__).resolve().parent
ROOT = PROTOS.parent
PATTERNS = ("*_pb2.py", "*_pb2.pyi")


class CompilerUnavailableError(Exception):
    """pip could not install the compiler; the message is pip's own."""


def install_compiler(where: Path) -> Path:
    """Make a virtual environment at `where` that holds only the compiler, and return its Python."""
    venv.create(where, with_pip=True)
    python = where / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    # A source build of grpc takes many minutes and a C++ compiler; a missing wheel should say so at once.
    command = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", COMPILER]
    pip = subprocess.run(command, capture_output=True, text=True)
    if pip.returncode != 0:
        raise CompilerUnavailableError(pip.stderr.strip())
    return python


def compile_protos(python: Path, out: Path) -> None:
    """Compile every ``.proto`` file into ``out/runstep/protos``, which must exist."""
    sources = sorted(str(path.relative_to(ROOT)) for path in PROTOS.glob("*.proto"))
    # The mapped include path makes generated modules import `runstep.protos.x_pb2`, wherever the files lie.
    options = ["-Irunstep/protos=protos", f"--python_out={out}", f"--pyi_out={out}"]
    subprocess.run([python, "-m", "grpc_tools.protoc", *options, *sources], cwd=ROOT, check=True)


def generated(folder: Path) -> dict[str, str]:
    """The generated files in `folder`: name to text."""
    paths = [path for pattern in PATTERNS for path in folder.glob(pattern)]
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(paths)}


def difference(old: dict[str, str], new: dict[str, str]) -> str:
    """A unified diff of two sets of generated files; empty when they are equal."""
    lines: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = (files.get(name, "").splitlines(keepends=True) for files in (old, new))
        lines += difflib.unified_diff(before, after, f"checked in/{name}", f"regenerated/{name}")
    return "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Regenerate the Python code of the .proto files.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the checked-in code differs")
    check = parser.parse_args(arguments).check

    with tempfile.TemporaryDirectory(prefix="runstep-protos-") as scratch:
        out = Path(scratch) / "out"
        fresh = out / "runstep" / "protos"
        fresh.mkdir(parents=True)
        try:
            python = install_compiler(Path(scratch) / "venv")
        except CompilerUnavailableError as error:
            print(f"cannot install {COMPILER} into a new environment of {sys.executable}:\n{error}", file=sys.stderr)
            return 2
        compile_protos(python, out)
        old, new = generated(PROTOS), generated(fresh)

    if check:
        if old == new:
            return 0
        print(difference(old, new), end="")
        print("protos/: the checked-in code is stale; run `python protos/regenerate.py`", file=sys.stderr)
        return 1
    for name in old.keys() - new.keys():
        (PROTOS / name).unlink()
    for name, text in new.items():
        (PROTOS / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
