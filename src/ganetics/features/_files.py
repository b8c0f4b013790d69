"""Files that extractors need: found in an installed distribution, known by their hash."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from ganetics._check import InputError, MissingDependencyError


def read(path: Path, what: str) -> bytes:
    """Return a file's bytes.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{what}: cannot read {path}: {error.strerror}") from None


def read_known(path: Path, what: str, *, sha256: str) -> bytes:
    """Return a file's bytes if their SHA-256 is the expected one.

    What was hashed is what is returned: a file that is swapped in between is not loaded.

    Raises:
        InputError: the file is missing, cannot be read, or is another one.
    """
    content = read(path, what)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise InputError(f"{what}: {path} must have SHA-256 {sha256}, got {found}")
    return content


def installed_file(distribution: str, name: str, *, install: str) -> Path:
    """Return the path of the file called ``name`` inside an installed distribution, without importing it.

    Args:
        distribution: the distribution's name.
        name: the file's name without its folder.
        install: what to pass to ``pip install``, for the message.

    Raises:
        MissingDependencyError: the distribution or the file is absent.
    """
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if file.name == name and path.is_file():
            return path
    raise MissingDependencyError(f"{distribution} is not installed: pip install {install}")


def to_safetensors(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Return tensors and metadata in the safetensors format, the same bytes for the same content.

    The library writes the keys of its header in a random order; here they are sorted.
    """
    content = save(tensors, metadata)
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the format aligns tensors to 8 bytes
    return len(header).to_bytes(8, "little") + header + content[8 + length :]
