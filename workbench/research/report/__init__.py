"""A page about a backtest, made by papermill out of `report.ipynb`.

page    the notebook executed, as one HTML file
parts   what its cells show
files   a result as files, and back
"""
