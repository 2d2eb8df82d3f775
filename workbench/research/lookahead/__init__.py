"""Does a strategy look ahead? `check` tries it over changed markets and tells where a decision changed.

check    the questions and the verdict      markets    markets that never were      trial    one run, written down
"""
