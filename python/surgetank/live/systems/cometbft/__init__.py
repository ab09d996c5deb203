"""CometBFT, a chain of blocks."""
