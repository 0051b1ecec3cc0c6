"""Rows as users have them (DataFrames, Arrow tables, lists of dicts) → what is sent, and answers in the form that came in."""

from .rows import Records, Rows, TableRows, read_rows

__all__ = ["Records", "Rows", "TableRows", "read_rows"]
