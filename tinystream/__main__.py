"""python -m tinystream."""

from tinystream.cli import main

main()
