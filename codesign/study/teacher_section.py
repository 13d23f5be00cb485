"""What a study's section ``teacher`` has to do with what the study shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from codesign.tasks.teacher_contract import TeacherChoice

__all__ = ("must_see_alike", "with_teachers_view")


def with_teachers_view(data: Any) -> Any:
    """A study's data, in which a teacher without a view of its own has the study's: a sample is made, and the teacher
    learns, before anybody says what is shown of it."""
    teacher = data.get("teacher") if isinstance(data, dict) else None
    if not isinstance(teacher, dict) or teacher.get("view") or not data.get("view"):
        return data
    return data | {"teacher": teacher | {"view": data["view"]}}


def must_see_alike(teacher: TeacherChoice | None, view: tuple[str, ...], others: Iterable[tuple[str, ...]]) -> None:
    """ValueError where events are made of what the teacher, or one of several families, does not see."""
    if teacher is None or not teacher.exposure:
        return
    if {teacher.view or view, *others} != {view}:
        raise ValueError(
            "teacher.exposure: events are made of what the study's view names, and the teacher or a family sees "
            "something else: give all of them one view"
        )
