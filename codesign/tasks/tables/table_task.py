"""What all tasks on the user's own tables have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.core.layout import Layout
from codesign.tasks.base import Task

__all__ = ("TableTask",)


class TableTask(Task):
    """A task whose inputs are columns of tables, and expressions over them."""

    def arrange(self, block: Layout, items: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first items of each row, which are sorted before as the block says; zeros where there are fewer."""
        return super().arrange(block, items[:, : block.items])
