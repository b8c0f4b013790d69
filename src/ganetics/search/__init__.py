"""Evolution of losses: screen, variation, selection, the search itself, its last round and its hall of fame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganetics.search.progress import Progress
    from ganetics.search.run import SearchResult, run_search

__all__ = ["Progress", "SearchResult", "run_search"]


def __getattr__(name: str) -> Any:
    """Import what trains, and PyTorch with it, when first asked for: a report needs ``ganetics.search.fame`` alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ganetics.search import run

    return getattr(run, name)
