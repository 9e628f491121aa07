"""Files that appear whole or not at all, on a local disk or on any fsspec store.

A local file is written aside in the same folder, synced, and renamed over its target; an object store replaces an
object in one request. Nothing else in the platform writes a file that someone else may read.
"""

import errno
import os
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from upath import UPath

from clearer_platform.errors import Busy, ClearerError, StorageError, Unreachable, causes

PARTIAL = ".partial-"
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a file system without hard links answers."""


def is_local(path: UPath | Path) -> bool:
    """Whether `path` is on a local file system."""
    return isinstance(path, Path) or path.protocol in ("", "file", "local")


def local(path: UPath | Path) -> Path:
    """`path` as a plain local path. Raises StorageError for a remote one."""
    if not is_local(path):
        raise StorageError(f"{path} is not on a local disk")
    return Path(path if isinstance(path, Path) else path.path)


@contextmanager
def reported(action: str, path: UPath | Path | str) -> Iterator[None]:
    """Turn what a disk or server answers into a StorageError that says what to do."""
    try:
        yield
    except FileNotFoundError as e:
        raise StorageError(f"cannot {action} {path}: it is not there") from e
    except PermissionError as e:
        raise StorageError(
            f"cannot {action} {path}: no permission", hint="give this user the right, or move the root"
        ) from e
    except OSError as e:
        full = e.errno == errno.ENOSPC
        hint = "free some space and run again" if full else "check the disk or server and run again"
        kind = StorageError if full or e.errno == errno.EEXIST else Unreachable
        raise kind(f"cannot {action} {path}: {e.strerror or e}", hint=hint) from e
    except ClearerError:
        raise
    except Exception as e:
        # The clients of object stores have errors of their own for a server that is gone; below them lies the system's.
        if not (below := _system_error(e)):
            raise
        reason = below.strerror or type(below).__name__
        raise Unreachable(f"cannot {action} {path}: {reason}", hint="check the server and run again") from e


def _system_error(error: BaseException) -> OSError | None:
    """The network's error that led to another one, if one did. (What cannot be unpacked is an OSError as well.)"""
    return next((e for e in causes(error) if isinstance(e, ConnectionError | TimeoutError | socket.gaierror)), None)


@contextmanager
def locked(path: Path, timeout: float, whose: str) -> Iterator[None]:
    """Hold the lock at `path`; the kernel frees it when the process dies.

    Raises Busy, naming `whose` it is, where another holds it for longer than `timeout` seconds, and StorageError where
    there can be no lock.
    """
    lock = FileLock(path, timeout=timeout)
    with reported("lock", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as e:
            raise Busy(
                f"{whose}: another process has held {path} for more than {timeout:g} s",
                hint="wait for the other run to end, or raise CLEARER_LOCK_TIMEOUT",
            ) from e
    try:
        yield
    finally:
        lock.release()


def aside(target: Path) -> Path:
    """A name in `target`'s folder that no reader looks at, for writing before publication."""
    return target.with_name(f"{PARTIAL}{uuid.uuid4().hex}-{target.name}"[:200])


def publish_file(source: Path, target: UPath | Path) -> None:
    """Put the finished local file `source` in place as `target`, at once and durably; `source` is gone afterwards."""
    with reported("write", target):
        if not is_local(target):
            assert isinstance(target, UPath)
            target.fs.put_file(str(source), target.path)
            source.unlink()
            return
        place = local(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.parent != place.parent:
            beside = aside(place)
            shutil.move(source, beside)
            source = beside
        _sync(source)
        os.replace(source, place)
        _sync(place.parent)


def publish_bytes(data: bytes, target: UPath | Path, mode: int = 0o644) -> None:
    """Write `data` as `target`, at once and durably."""
    with reported("write", target):
        if not is_local(target):
            assert isinstance(target, UPath)
            target.fs.pipe_file(target.path, data)
            return
        place = local(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = aside(place)
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            os.replace(beside, place)
        finally:
            beside.unlink(missing_ok=True)
        _sync(place.parent)


def is_there(path: UPath | Path) -> bool:
    """Whether there is a file at `path`. Raises Unreachable where the disk or server does not say."""
    with reported("look at", path):
        return path.exists()


def remove(path: UPath | Path) -> None:
    """Remove a file; one that is not there is not an error."""
    with reported("remove", path):
        path.unlink(missing_ok=True)


def files(folder: UPath | Path, suffix: str = "") -> list[UPath | Path]:
    """The published files below `folder` whose name ends in `suffix`, sorted; none where there is no folder."""
    with reported("list", folder):
        if is_local(folder):
            found: list[UPath | Path] = [
                Path(parent) / name
                for parent, _, names in os.walk(local(folder))
                for name in names
                if name.endswith(suffix) and not name.startswith(PARTIAL)
            ]
        else:
            assert isinstance(folder, UPath)
            folder.fs.invalidate_cache()
            found = [below(folder, name) for name in folder.fs.find(folder.path) if name.endswith(suffix)]
    return sorted(found, key=str)


def listing(folder: UPath | Path) -> dict[str, str]:
    """What `files` lists, as text, each with its version: size and modification time, or what the store tells of it."""
    with reported("list", folder):
        if is_local(folder):
            return dict(_versions(str(local(folder))))
        assert isinstance(folder, UPath)
        folder.fs.invalidate_cache()
        found = folder.fs.find(folder.path, detail=True)
        return {str(below(folder, name)): _remote_version(info) for name, info in found.items()}


def below(folder: UPath, name: str) -> UPath:
    """The object that the store of `folder` calls `name`."""
    path: UPath = UPath(f"{folder.protocol}://{name}", **folder.storage_options)
    return path


def versions(paths: Iterable[UPath]) -> dict[str, str]:
    """The versions of objects in a store, as `listing` tells them; one that is not there is left out."""
    found = {}
    for path in paths:
        with reported("look at", path), suppress(FileNotFoundError):
            path.fs.invalidate_cache()
            found[str(path)] = _remote_version(path.fs.info(path.path))
    return found


def move(source: UPath | Path, target: UPath | Path) -> None:
    """Move a file within one store. Raises StorageError where `target` is there already: nothing is overwritten."""
    with reported("write", target):
        if not is_local(target):
            assert isinstance(target, UPath)
            if target.exists():
                raise FileExistsError(errno.EEXIST, "a file of that name is there already")
            target.fs.mv(source.path, target.path)  # type: ignore[union-attr]
            return
        place = local(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(local(source), place)  # Unlike a rename, this fails where the target is there.
            local(source).unlink()
        except OSError as e:
            if e.errno not in NO_LINKS:
                raise
            if place.exists():
                raise FileExistsError(errno.EEXIST, "a file of that name is there already") from e
            local(source).rename(place)
        _sync(place.parent)


def fetch(path: UPath | Path, to: Path) -> Path:
    """A local file with the content of `path`: itself where it is local, else a copy at `to`."""
    if is_local(path):
        return local(path)
    assert isinstance(path, UPath)
    with reported("read", path):
        to.parent.mkdir(parents=True, exist_ok=True)
        path.fs.get_file(path.path, str(to))
    return to


def clear_leftovers(folder: Path) -> None:
    """Remove what killed processes left behind in `folder`. Only for the holder of the lock over it."""
    if not folder.exists():
        return
    for left in folder.rglob(f"{PARTIAL}*"):
        left.unlink(missing_ok=True)


def _versions(folder: str) -> Iterator[tuple[str, str]]:
    """The files below a local folder with their versions; by `scandir`, for it is done again and again."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _versions(entry.path)
            elif entry.is_file() and not entry.name.startswith(PARTIAL):  # To read a pipe would be to wait for ever.
                status = entry.stat()
                yield entry.path, f"{status.st_size}-{status.st_mtime_ns}"
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.ELOOP):  # It has gone meanwhile, or is a link to itself.
                raise


def _remote_version(info: Mapping[str, Any]) -> str:
    return str(info.get("ETag") or f"{info.get('size')}-{info.get('LastModified') or info.get('mtime')}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
