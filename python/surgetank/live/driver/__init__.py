"""From a schedule to the facts of a run: the processes that send and receive."""
