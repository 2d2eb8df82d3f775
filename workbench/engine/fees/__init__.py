"""What venues charge, as plain dated tables and pure functions of one execution."""

from workbench.engine.fees.schedule import FeeSchedule, PerUnit, SoFar

__all__ = ["FeeSchedule", "PerUnit", "SoFar"]
