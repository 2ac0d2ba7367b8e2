"""The one kind of error a user sees from here."""


class EngineError(Exception):
    """The engine cannot be provided; the text is one sentence with the fix."""
