"""Questions to other programs, asked side by side: each of them waits for an answer most of its time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def begin(question: Callable[[], T]) -> Callable[[], T]:
    """Ask in a thread of its own; what is returned waits for the answer, or raises what the question raised.

    A future of `concurrent.futures` is the same, and loading that takes as long as a program takes to answer.
    """
    answers, raised = list[T](), list[BaseException]()

    def ask() -> None:
        try:
            answers.append(question())
        except BaseException as error:  # noqa: BLE001  # raised again by who waits
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()

    def answer() -> T:
        thread.join()
        if raised:
            raise raised[0]
        return answers[0]

    return answer
