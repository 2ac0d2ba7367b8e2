"""Which things exist on a server for a Django project, and in which order they are made."""

from components.stack import Outputs, deploy

__all__ = ["Outputs", "deploy"]
