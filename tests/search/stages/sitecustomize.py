"""Found first by every interpreter that a disturbed search starts: the earliest moment at which it can be killed."""

import os
import sys

if "TOY_STAGES" in os.environ:
    words = " ".join(sys.orig_argv)
    if "multiprocessing.spawn" in words:
        from toy_stages import reached

        reached("worker interpreter")
    elif "toy_driver" in words:
        from toy_stages import reached

        reached("driver interpreter")
