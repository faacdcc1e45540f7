"""Fetching one file: look, lock, download, check, move into place - or leave nothing behind and say why. Knows no data format."""

import errno
import hashlib
import os
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from helpers.data.core import DataError, File
from helpers.data.manifest import VARIABLE, places, store

TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of the transfer
LOCK_SECONDS = 3600  # another process may be downloading gigabytes
CHECK_BELOW = 200_000_000  # bytes; bigger files are hashed after the transfer and by `verify`, not at every load

_known_good: dict[tuple[str, int, int, str], bool] = {}


def checksum_of(path: Path, algorithm: str) -> str:
    """The file's digest in hexadecimal, read in pieces of 1 MB."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def fault(path: Path, file: File) -> str:
    """What is wrong with a file on disk: "" if it has the manifest's length and checksum, else half a sentence."""
    status = path.stat()
    if file.bytes is not None and status.st_size != file.bytes:
        return f"it has {status.st_size} bytes where the manifest says {file.bytes}"
    key = (str(path), status.st_size, status.st_mtime_ns, file.checksum)
    if key not in _known_good:
        algorithm, expected = file.checksum.split(":")
        _known_good[key] = checksum_of(path, algorithm) == expected
    return "" if _known_good[key] else f"its {file.checksum.split(':')[0].upper()} is not the manifest's"


def find(relative: str) -> Path | None:
    """The first place that holds this file or folder, or None."""
    return next((place / relative for place in places() if (place / relative).exists()), None)


def ensure(file: File, thorough: bool = False) -> Path:
    """The file on disk, fetched if it isn't there or is damaged.

    Args:
        file: what the manifest says of it.
        thorough: check the checksum of files of 200 MB and more as well.

    Returns:
        Its path (of an archive: the folder it was unpacked into).

    Raises:
        DataError: it can't be had; nothing half-written is left.
    """
    target = file.unpack or file.path
    there = find(target)
    wrong = ""
    if there is not None:
        if there.is_dir() or (there.stat().st_size >= CHECK_BELOW and not thorough):
            return there
        wrong = fault(there, file)
        if not wrong:
            return there
    try:
        return download(file)
    except DataError as error:
        if there is None:
            raise
        raise DataError(f"{there} is damaged ({wrong}) and no good copy could be fetched: {error}") from error


def download(file: File) -> Path:
    """Fetch a file into the data directory (the cache, if that is read-only), one process at a time.

    Args:
        file: what the manifest says of it.

    Raises:
        DataError: no address gave the right file, or it can't be stored.
    """
    from filelock import FileLock, Timeout

    root = store()
    target = root / (file.unpack or file.path)
    work = root / ".partial" / file.path.replace("/", "-")
    lock = root / ".partial" / (work.name + ".lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=LOCK_SECONDS):
            if target.exists() and (target.is_dir() or not fault(target, file)):
                return target  # the process that held the lock fetched it
            shutil.rmtree(work, ignore_errors=True)  # what a killed process left
            try:
                work.mkdir()
                _fetch_into(file, work, target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        return target
    except Timeout as error:
        raise DataError(f"another process has been fetching {file.path} for an hour: stop it, or delete {lock}, and try again") from error
    except OSError as error:
        raise storage_error(error, root) from error


def storage_error(error: OSError, root: Path) -> DataError:
    """One sentence for what the file system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(f"the disk that holds {root} is full: free some space, or set {VARIABLE} to a folder on another disk")
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    return DataError(f"can't write to the data directory {root} ({reason}): set {VARIABLE} to a folder you can write to")


def _fetch_into(file: File, work: Path, target: Path) -> None:
    """Try the addresses in order; put the first good copy into place. DataError if there is none."""
    free = shutil.disk_usage(work).free
    if file.bytes and free < file.bytes:
        raise OSError(errno.ENOSPC, "no space left")
    refused = []
    for address in file.addresses:
        try:
            fetched = _transfer(address, file, work)
        except DataError as error:
            refused.append(f"{address.split('/')[2]}: {error}")
            continue
        if file.unpack:
            unpack(fetched, work / "unpacked", file.unpack)
            os.rename(work / "unpacked" / file.unpack, target)
        else:
            fetched.chmod(0o644)  # a temporary file starts private; a data directory may be shared
            os.replace(fetched, target)
        return
    reasons = "; ".join(dict.fromkeys(refused))
    raise DataError(f"{file.path} could not be fetched ({reasons}): check the network and try again, or put the file at {target.parent}")


def _transfer(address: str, file: File, work: Path) -> Path:
    """One address -> the checked file in `work`. DataError (half a sentence) if it didn't come, or is not the right file."""
    import pooch
    from requests.exceptions import RequestException

    url, _, member = address.partition("#")
    quiet = os.environ.get("TQDM_DISABLE") == "1"
    fetch = pooch.HTTPDownloader(progressbar=not quiet, chunk_size=1 << 16, timeout=TIMEOUT)
    pooch.get_logger().setLevel("ERROR")
    try:
        got = Path(pooch.retrieve(url, known_hash=None, fname="download", path=work, downloader=fetch))
    except RequestException as error:
        raise DataError(_network_reason(error)) from error
    except OSError as error:
        if error.errno is None:  # not the disk: requests says so when the machine's certificates are missing
            raise DataError(f"no connection ({error})") from error
        raise
    if member:
        got = _take_member(got, member, work / "member")
    wrong = fault(got, file)
    if wrong:
        got.unlink()
        raise DataError(f"the file that came is not the right one, {wrong}")
    return got


def _network_reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code}"
    name = type(error).__name__
    if name == "ChunkedEncodingError":
        return "the transfer was cut off"
    return "no answer in time" if "Timeout" in name else "no connection"


def _take_member(archive: Path, member: str, to: Path) -> Path:
    try:
        with zipfile.ZipFile(archive) as box, box.open(member) as inside, to.open("wb") as out:
            shutil.copyfileobj(inside, out)
    except (zipfile.BadZipFile, KeyError, zlib.error) as error:
        raise DataError(f"the archive that came holds no readable {member}") from error
    finally:
        archive.unlink(missing_ok=True)
    return to


def unpack(archive: Path, to: Path, folder: str) -> None:
    """Unpack a tar archive's `folder` into `to`, regular files only.

    Raises:
        DataError: it is no tar archive, lacks the folder, or has a member that points outside (nothing of it is used then).
    """
    try:
        with tarfile.open(archive) as box:
            members = []
            for member in box:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts:
                    raise DataError(f"the archive {archive.name} holds a file that points outside it ({member.name}): it was not unpacked")
                if member.isfile() and path.parts[0] == folder and not path.name.startswith("."):
                    members.append(member)
            if not members:
                raise DataError(f"the archive holds no folder {folder}: it is not the right one")
            box.extractall(to, members=members, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"the archive for {folder} can't be unpacked ({type(error).__name__}): try again") from error

