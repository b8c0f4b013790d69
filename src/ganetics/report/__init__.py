"""From a run's records to one self-contained HTML page. Imports no PyTorch."""

from ganetics.report.bench import write_bench_report
from ganetics.report.page import write_search_report
from ganetics.report.write import write_report

__all__ = ["write_bench_report", "write_report", "write_search_report"]
