"""The history desk: the journal as tables, in a process of its own, answered as Arrow streams.

    journal.sqlite -> Tail -> Fold -> one transaction (rows + applied_seq) -> DuckDB -> POST /api/v1/query
                                                                          `-> Parquet segments

Everything here can be deleted and is built again from the journal; nothing here is read back to decide a trade.
Notebooks use `client`; `python -m workbench.warehouse.serve` is the process. The journal itself is `journal/`.
"""

from workbench.warehouse.client import QueryResult, query, segments, tables

__all__ = ["QueryResult", "query", "segments", "tables"]
