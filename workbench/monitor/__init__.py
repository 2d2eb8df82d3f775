"""What the desk measures about itself: stage histograms, budgets, traces, loop lag, alerts, Prometheus text.

Nothing here decides a trade, and the engine reads nothing of it back. Sending alerts to people lives higher.
"""

from workbench.monitor.alerts import Alerts
from workbench.monitor.budgets import Budgets, Ceiling, load_budgets
from workbench.monitor.collectors import CONTENT_TYPE, MetricsSource, metrics_text
from workbench.monitor.gcpauses import GcPauses
from workbench.monitor.histogram import Histogram
from workbench.monitor.looplag import LoopLag
from workbench.monitor.rules import rules_yaml
from workbench.monitor.stages import SPANS, Stages
from workbench.monitor.tally import Tally
from workbench.monitor.traces import Pause, render_text, trace_row

__all__ = [
    "CONTENT_TYPE",
    "SPANS",
    "Alerts",
    "Budgets",
    "Ceiling",
    "GcPauses",
    "Histogram",
    "LoopLag",
    "MetricsSource",
    "Pause",
    "Stages",
    "Tally",
    "load_budgets",
    "metrics_text",
    "render_text",
    "rules_yaml",
    "trace_row",
]
