"""Stages as a user would write them, outside of tinystream."""
