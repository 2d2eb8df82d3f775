"""The Day Trading Orchestrator."""
