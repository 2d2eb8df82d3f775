"""Recorded requests and answers of venues, held against the adapters: one file a venue, `cases(folder)` in it."""
