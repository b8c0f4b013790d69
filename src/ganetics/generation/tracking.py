"""Events for TensorBoard. Only here is it used (extra ``tracking``)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganetics._check import MissingDependencyError


class TensorBoard:
    """Writes what a run records to a folder that TensorBoard shows.

    Events carry the time and the host's name: they are no part of what is equal between equal runs.

    Args:
        folder: where; made if missing.
        first_step: TensorBoard leaves out what an earlier process has written of this step and later ones.
    """

    @staticmethod
    def check() -> None:
        """Check that TensorBoard is there.

        Raises:
            InputError: it is not installed.
        """
        if find_spec("tensorboard") is None:
            raise MissingDependencyError(
                "events for TensorBoard need it: pip install tensorboard, or ganetics[tracking]"
            )

    def __init__(self, folder: Path, *, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=first_step)

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Add numbers, each a curve ``group/name``."""
        for name, value in values.items():
            if name != "step":
                self._writer.add_scalar(f"{group}/{name}", value, step)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Add a picture."""
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        self._writer.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Bring all to the disk."""
        self._writer.close()
