"""What a person sees in a terminal: `terminal` prints, the others know what is printed."""
