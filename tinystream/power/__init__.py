"""Battery life from a replay: what an app on a board draws, term by term, each with its interval and its source."""
