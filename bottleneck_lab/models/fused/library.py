"""The kernel's C++ as a library: compiled where it is first needed, and kept for this kind of machine.

It is plain C++ behind C functions and knows neither Python nor torch, so the compiler sees three small files
instead of torch's headers, and one library serves every version of both.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from ctypes import c_int, c_int64, c_void_p
from pathlib import Path

import filelock

from bottleneck_lab.cache import cache_dir

SOURCES = Path(__file__).parent / "source"
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden")
MATHS = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")  # NaN and infinity stay what they are
COMPILE_SECONDS = 600.0  # as long a slow machine may take, and others wait for it


class UnavailableError(Exception):
    """The kernel cannot be had here; the message says why, in a few words."""


def why_not() -> str | None:
    """Why the kernel cannot be had here; None where it can. The first call compiles, if nobody has before."""
    found = _found()
    return str(found) if isinstance(found, UnavailableError) else None


def library() -> ctypes.CDLL:
    """The kernel's functions.

    Raises:
        UnavailableError: no compiler, a processor without AVX2 (or NEON), or no place to put it.
    """
    found = _found()
    if isinstance(found, UnavailableError):
        raise found
    return found


@functools.cache
def _found() -> ctypes.CDLL | UnavailableError:
    """The library or why there is none, looked for once in a process."""
    try:
        return load(compiled())
    except UnavailableError as error:
        return error


def load(path: Path) -> ctypes.CDLL:
    """The functions of a compiled library, with the types of their arguments.

    Raises:
        UnavailableError: a file that this machine cannot load, or a processor that is no faster with it.
    """
    try:
        kernel = ctypes.CDLL(str(path))
    except OSError as error:
        raise UnavailableError(f"{path} cannot be loaded ({error}); delete it") from error
    kernel.inverted_residual_sizes.argtypes = [c_void_p, ctypes.POINTER(c_int64)]
    kernel.inverted_residual_forward.argtypes = [c_void_p] * 6
    kernel.inverted_residual_backward.argtypes = [c_void_p] * 7
    kernel.conv_norm_size.argtypes = [c_void_p]
    kernel.conv_norm_size.restype = c_int64
    kernel.conv_norm_forward.argtypes = [c_void_p] * 4
    kernel.conv_norm_backward.argtypes = [c_void_p] * 6
    for name in ("forward", "backward"):
        getattr(kernel, f"inverted_residual_{name}").restype = c_int
        getattr(kernel, f"conv_norm_{name}").restype = c_int
    if kernel.lanes() == 4 and not _is_arm():
        raise UnavailableError("this processor has no AVX2")
    return kernel


def compiled(extra: tuple[str, ...] = ()) -> Path:
    """The library for this compiler, processor and source, compiled unless it is there.

    Of several processes that ask at once one compiles and the others wait.

    Raises:
        UnavailableError: no compiler, one that fails, or no place to put the library.
    """
    command, path = _command_and_path(extra)
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(path.with_suffix(".lock"), timeout=COMPILE_SECONDS):
                if not path.exists():
                    _compile(command, path)
    except (OSError, filelock.Timeout) as error:
        raise UnavailableError(f"{path} cannot be written ({error})") from error
    return path


def must_be_compiled() -> bool:
    """Whether asking for the library would take as long as a compiler does."""
    try:
        return not _command_and_path()[1].exists()
    except UnavailableError:
        return False


def _command_and_path(extra: tuple[str, ...] = ()) -> tuple[list[str], Path]:
    command = [*_compiler(), *FLAGS, *MATHS, _processor_flag(), *extra]
    return command, cache_dir() / "kernels" / f"fused-{_key(command)}.so"


def _compile(command: list[str], path: Path) -> None:
    """Whole or not at all: under another name first."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".compiling-") as folder:
        part = Path(folder) / path.name
        sources = map(str, sorted(SOURCES.glob("*.cpp")))
        try:
            subprocess.run(
                [*command, "-o", str(part), *sources],
                check=True,
                capture_output=True,
                text=True,
                timeout=COMPILE_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"{command[0]} took more than {COMPILE_SECONDS:.0f} s") from error
        except subprocess.CalledProcessError as error:
            said = next((line for line in error.stderr.splitlines() if "error" in line), error.stderr[:200])
            raise UnavailableError(f"{command[0]} cannot compile it: {said.strip()}") from error
        part.replace(path)


def _compiler() -> list[str]:
    """The C++ compiler's command: $CXX, or the first that is there.

    Raises:
        UnavailableError: there is none.
    """
    if chosen := os.environ.get("CXX", "").split():
        if shutil.which(chosen[0]) is None:
            raise UnavailableError(f"there is no C++ compiler {chosen[0]} (as CXX says)")
        return chosen
    for name in ("c++", "g++", "clang++"):
        if (found := shutil.which(name)) is not None:
            return [found]
    raise UnavailableError("there is no C++ compiler (c++, g++ or clang++)")


def _processor_flag() -> str:
    return "-mcpu=native" if _is_arm() else "-march=native"


def _is_arm() -> bool:
    return platform.machine() in ("aarch64", "arm64")


def _key(command: list[str]) -> str:
    """What a compiled library depends on: the compiler and its flags, the processor, the source."""
    told = hashlib.sha256()
    for text in (*command, _version(command[0]), platform.machine(), platform.system(), _processor()):
        told.update(text.encode() + b"\0")
    for path in sorted((*SOURCES.glob("*.cpp"), *SOURCES.glob("*.hpp"))):
        told.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return told.hexdigest()[:16]


def _version(compiler: str) -> str:
    try:
        done = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{compiler} does not say its version ({error})") from error
    return done.stdout


def _processor() -> str:
    """What tells processors apart that `native` compiles differently for: model and instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
