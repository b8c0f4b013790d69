"""From a run's records to one self-contained HTML page. Imports no PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganetics.report.bench import write_bench_report
    from ganetics.report.search import write_search_report
    from ganetics.report.write import write_report

__all__ = ["write_bench_report", "write_report", "write_search_report"]


def __getattr__(name: str) -> Any:
    """Import a page, and the statistics it needs, when first asked for: a loss's card needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    places = {"write_bench_report": "bench", "write_search_report": "search", "write_report": "write"}
    return getattr(import_module(f"{__name__}.{places[name]}"), name)
