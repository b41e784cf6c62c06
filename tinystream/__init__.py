"""Declare an always-on sensing app once; replay it at your desk; ship the same integers to a microcontroller."""

__version__ = "0.1.0"
