"""Output to a terminal: `terminal` prints; the other modules say what is printed."""
