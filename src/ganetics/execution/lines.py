"""What the lines of an archive must hold: a file that somebody has edited is refused by file, line and field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ganetics._check import InputError


class Line(BaseModel):
    """Base of what a line of an archive must hold. Types are taken strictly; a line may hold more."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


def check_lines(kind: TypeAdapter[Any], lines: Sequence[Mapping[str, Any]], *, where: Path) -> None:
    """Check that a log's lines hold what they must.

    Args:
        kind: of a list of lines.
        lines: all of the log, from its first on.
        where: the log, for messages.

    Raises:
        InputError: a field is missing or of another type; names the file, the first such line, and the field.
    """
    try:
        kind.validate_python(list(lines))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        number, *inner = first["loc"]
        field = f"{'.'.join(map(str, inner))}: " if inner else ""
        raise InputError(
            f"{where}: line {int(number) + 1}: {field}{first['msg']}, got {str(first['input'])[:80]!r}"
        ) from None
