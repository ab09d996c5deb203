"""Servers that surgetank starts itself, a file each."""
