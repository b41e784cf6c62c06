"""The generated C as firmware: compiled for a Cortex-M, run in an emulator that counts its instructions."""
