"""A training that is asked to stop, as a signal would ask."""

from lasernet.engine.signals import StopRequest


class StopAfter:
    """A reporter that asks for a stop after some updates."""

    def __init__(self, stop: StopRequest, updates: int) -> None:
        self.stop, self.updates = stop, updates

    def start(self, text: str, steps: int, done: int) -> None: ...
    def epoch(self, row: object, epochs: int) -> None: ...
    def note(self, text: str) -> None: ...

    def step(self, done: int) -> None:
        if done == self.updates:
            self.stop.signum = 15
