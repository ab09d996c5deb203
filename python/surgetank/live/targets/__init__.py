"""Targets, a file each."""
