"""Output to a terminal: `terminal` prints; each other module composes the output of one command."""
