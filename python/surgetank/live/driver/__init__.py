"""The driver of live runs: from a schedule, by sending and receiving processes, to a trace."""
