"""One thread for each process that imports this, before numpy does.

Each process of the tests has one core: threads of several, waiting for each other, take many times as long. And a
process of several threads that is forked may wait for one that is not there.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
