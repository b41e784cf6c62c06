"""Interpreters of .tflite files that are installed beside us: to compare with, and for models that are not compiled."""
