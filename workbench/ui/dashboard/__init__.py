"""The dashboard: a Panel server of its own process, without state, over the API of one desk.

`python -m workbench.ui.dashboard --name DESK --port 0`. The live page is the same script as everywhere; the
other tabs are native tables and charts, filled once a second from one shared snapshot. It answers on loopback
only, to visitors who once came with the link's token (`door`).
"""
