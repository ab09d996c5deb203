"""`benchmarks/queue.py`: runs `intake.py`, which says what it measures.

This file has the name of a standard module, which others import: its folder must be looked at last.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(sys.path.pop(0))
    runpy.run_path(str(Path(__file__).with_name("intake.py")), run_name="__main__")
