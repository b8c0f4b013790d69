"""Evolution of losses: screen, variation, selection, the search itself, its last round and its hall of fame."""

from ganetics.search.run import Progress, SearchResult, run_search

__all__ = ["Progress", "SearchResult", "run_search"]
