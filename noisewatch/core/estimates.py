"""The network of one stream: what it is asked, and what it carries from call to call."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from ..audio.ring import Ring
from ..errors import UsageError
from .model import Frames, Model, NotFinite, Output, State

T = TypeVar("T")
Judging = Generator["Request", "Answer", T]  # a stream that asks its network, and then has its result


class Request(NamedTuple):
    """The next steps of a stream, for `Model.advance`."""

    frames: Frames  # (steps * step, n_mels)
    reference_dbfs: float
    state: State  # (1, numbers)


class Answer(NamedTuple):
    """What the network says to a request."""

    outputs: list[Output]  # one for each step
    state: State  # (1, numbers), for the next request


class Estimates:
    """Asks the network of a stream: a windowed one about the frames in the ring, a streaming one about new ones.

    restarted  the state had to be computed anew, and only the last output of `of` is known
    """

    def __init__(self, model: Model, ring: Ring) -> None:
        self._model, self._ring = model, ring
        self._restarts = 0
        self.reset()

    def reset(self) -> None:
        """The next frames begin a new stream."""
        self._state = self._model.initial_state() if self._model.step else None
        self._waiting: list[Frames] = []
        self._begun = self.restarted = self._interrupted = False

    def feed(self, frames: Frames) -> None:
        """Take the next frames (n, n_mels) of the stream."""
        if self._model.step and len(frames):
            if not self._begun:
                self._waiting.append(self._model.lead_in(frames))
                self._begun = True
            self._waiting.append(frames)

    def of(self, count: int, reference_dbfs: float) -> Judging[list[Output]]:
        """The outputs for all steps since the last call; of a windowed network, `count` (0 or 1) for the window.

        Raises UsageError if an earlier call was left without its answer.
        """
        if self._state is None:
            return [self.of_window(reference_dbfs)] if count else []
        if self._interrupted:
            raise UsageError('an earlier push of this stream failed. Call `lose("gap")`, or open another stream.')
        frames = np.concatenate([*self._waiting, np.zeros((0, self._ring.width), np.float32)])
        whole = len(frames) // self._model.step * self._model.step
        if not whole:
            return []
        self._waiting, self._interrupted = [frames[whole:]], True
        try:
            answer = yield Request(frames[:whole], reference_dbfs, self._state)
        except NotFinite:
            if self._restarts:
                raise
            self._restarts, self.restarted = 1, True
            known = self._ring.last(self._ring.capacity)
            known = known[: len(known) - len(frames) + whole][-self._model.frames :]
            answer = yield Request(
                np.concatenate([self._model.lead_in(known), known]), reference_dbfs, self._model.initial_state()
            )
        self._state, self._interrupted = answer.state, False
        return answer.outputs

    def of_window(self, reference_dbfs: float) -> Output:
        """The output for the window in the ring; fewer frames than a window's are repeated until they fill one."""
        frames = self._ring.last(self._model.frames)
        if len(frames) < self._model.frames:
            frames = np.resize(frames, (self._model.frames, frames.shape[1]))
        return self._model.judge(frames, reference_dbfs)

    def alone(self, judging: Judging[T]) -> T:
        """Answer the requests of one stream until it has its result."""
        return together(self._model, [judging])[0]


def together(model: Model, judging: Sequence[Judging[T]]) -> list[T]:
    """Answer the requests of several streams, in one call of the network where they ask for as many steps."""
    results: dict[int, T] = {}
    waiting: dict[int, Request] = {}

    def resume(index: int, answer: Answer | NotFinite | None) -> None:
        waiting.pop(index, None)
        stream = judging[index]
        try:
            if isinstance(answer, NotFinite):
                waiting[index] = stream.throw(answer)
            else:
                waiting[index] = next(stream) if answer is None else stream.send(answer)
        except StopIteration as end:
            results[index] = end.value

    for index in range(len(judging)):
        resume(index, None)
    while waiting:
        size = len(next(iter(waiting.values())).frames)
        same = [index for index, request in waiting.items() if len(request.frames) == size]
        for index, answer in zip(same, answers(model, [waiting[i] for i in same]), strict=True):
            resume(index, answer)
    return [results[index] for index in range(len(judging))]


def answers(model: Model, requests: list[Request]) -> list[Answer | NotFinite]:
    """The answer to each of several requests of one size, or why there is none."""
    try:
        outputs, states = model.advance(
            np.stack([request.frames for request in requests]),
            np.array([request.reference_dbfs for request in requests], np.float32),
            np.concatenate([request.state for request in requests]),
        )
    except NotFinite as error:
        if len(requests) == 1:
            return [error]
        return [answer for request in requests for answer in answers(model, [request])]
    return [Answer(outputs[i], states[i : i + 1]) for i in range(len(requests))]
