"""Compiled kernels that always fit their source: one cache folder per state of the source.

Numba keeps a compiled kernel as long as the kernel's own file is unchanged. It does not notice when
a function or a constant from another file has changed, and so runs old code beside new. Hence a
folder named by the digest of all sources of `models`: whatever changes there, every kernel is
compiled anew, and a process that still runs the old code cannot write into the new folder. Numba's
own rule is enough for those of `streams.worker.records`, which use nothing of other files.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Final

import models

VARIABLE: Final = "NUMBA_CACHE_DIR"
PREFIX: Final = "kernels-"
KEPT: Final = 4  # folders: so that going back and forth between two versions compiles nothing

PACKAGE: Final = Path(models.__path__[0])


def use_fresh_kernels(package: Path = PACKAGE) -> Path:
    """Point Numba to the kernels compiled from the present source; before kernels are imported.

    The folder lies in NUMBA_CACHE_DIR if that is set, else beside the source, else among the user's
    caches, else, where nothing can be written, in a temporary folder of this process's own.
    """
    name = PREFIX + _digest(package)
    folder = next(filter(_is_writable, (place / name for place in _places(package))), None)
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    os.environ[VARIABLE] = str(folder)
    if "numba" in sys.modules:  # it has read the variable already
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    _forget_oldest(folder)
    return folder


def _digest(package: Path) -> str:
    digest = blake2b(digest_size=8)
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(source)}\n".encode())
        digest.update(source)
    return digest.hexdigest()


def _places(package: Path) -> Iterable[Path]:
    if given := os.environ.get(VARIABLE):
        # A child process inherits what its parent chose.
        yield Path(given).parent if Path(given).name.startswith(PREFIX) else Path(given)
    yield package / "__pycache__"
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    yield Path(caches) / "roguekey"


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # it is in use: the last to be forgotten
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _forget_oldest(folder: Path) -> None:
    """Remove all but the KEPT folders that were used last."""
    siblings = [path for path in folder.parent.glob(f"{PREFIX}*") if path != folder]
    for path in sorted(siblings, key=_last_used, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def _last_used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another process has forgotten it
        return 0.0
