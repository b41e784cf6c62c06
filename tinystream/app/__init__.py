"""What a user can write, in TOML or in Python, and the way from there to a plan."""
