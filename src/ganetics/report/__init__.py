"""From a run's records to one self-contained HTML page. Imports no PyTorch."""

from ganetics.report.page import write_search_report

__all__ = ["write_search_report"]
