"""A relational storage that waits for its database: a restart of the server costs time, not the search."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from sqlalchemy.exc import DBAPIError

from codesign.core.errors import CodesignError, ToolError

__all__ = ("PatientStorage", "open_again")

#: how long a database may be gone
SECONDS_GONE = 600.0
_BETWEEN = (0.2, 5.0)  # s, first and longest wait

#: what Optuna's studies, and its cache before the storage, call
_METHODS = (
    "create_new_study", "create_new_trial", "_create_new_trial", "get_all_studies", "get_all_trials", "_get_trials",
    "get_best_trial", "get_study_directions", "get_study_id_from_name", "get_study_name_from_id",
    "get_study_system_attrs", "get_study_user_attrs", "get_trial", "get_trial_id_from_study_id_trial_number",
    "get_trial_param", "get_trial_system_attrs", "get_trial_user_attrs", "set_study_system_attr",
    "set_study_user_attr", "set_trial_intermediate_value", "set_trial_param", "_set_trial_param",
    "set_trial_state_values", "set_trial_system_attr", "set_trial_user_attr",
)  # fmt: skip


T = TypeVar("T")


class PatientStorage(RDBStorage):
    """Optuna's relational storage, each call of which is tried again while the database cannot be reached."""


def _lost(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is a connection that is gone or cannot be made."""
    while error is not None:
        # OperationalError, or any other where the driver's message says so: SQLAlchemy then marks the connection
        if isinstance(error, DBAPIError) and (
            error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError")
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def open_again(opened: Callable[[], T]) -> T:
    """Open a storage that the search has open elsewhere: tried again while its database cannot be reached."""
    began, wait = time.monotonic(), _BETWEEN[0]
    while True:
        try:
            return opened()
        except (CodesignError, DBAPIError) as error:
            if not _lost(error) or time.monotonic() - began > SECONDS_GONE:
                raise
            time.sleep(wait)
            wait = min(2 * wait, _BETWEEN[1])


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def tried(self: PatientStorage, *arguments: Any, **more: Any) -> Any:
        began, wait, again = time.monotonic(), _BETWEEN[0], False
        while True:
            try:
                return method(self, *arguments, **more)
            except UpdateFinishedTrialError:
                if not again:
                    raise
                return True  # it was carried out; only the answer was lost with the connection
            except (StorageInternalError, DBAPIError) as error:
                if not _lost(error):
                    raise
                if time.monotonic() - began > SECONDS_GONE:
                    raise ToolError(
                        f"the search's database has been gone for {SECONDS_GONE:g} s; what was finished is kept: "
                        "the same command goes on when it is back"
                    ) from None
                again = True
                self.remove_session()
                self.engine.dispose()
                time.sleep(wait)
                wait = min(2 * wait, _BETWEEN[1])

    return tried


for _name in _METHODS:
    if hasattr(RDBStorage, _name):
        setattr(PatientStorage, _name, _patient(getattr(RDBStorage, _name)))
