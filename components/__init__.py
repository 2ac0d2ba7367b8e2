"""Which things exist on a server for a Django project, and in which order they are made."""

from components.stack import Outputs, deploy, with_source

__all__ = ["Outputs", "deploy", "with_source"]
