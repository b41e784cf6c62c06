"""An app around the clock: alerts that are never lost, settings, health, and how a node shows itself to others."""
