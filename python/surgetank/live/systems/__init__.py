"""Systems under test, a folder each: target, protocol, and the server that surgetank starts."""
