"""The broker that is one stack's own: its unit, its files, and a connection with its password."""

from __future__ import annotations

import re
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.redis_client import Client
from codesensei.wire import names, paths
from codesensei.wire.broker import OWN_PORT
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass

_SETTING = re.compile(r"^(bind|requirepass) (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class OwnBroker:
    """Where it is; nothing of it need exist."""

    project: ProjectPaths

    @property
    def unit(self) -> str:
        return names.broker_unit(self.project.slug)

    @property
    def unit_file(self) -> Path:
        return paths.unit(self.unit)

    @property
    def exists(self) -> bool:
        return self.unit_file.is_file()

    def settings(self) -> dict[str, str]:
        """Its address and its password, as its configuration has them; empty where there is none."""
        try:
            return dict(_SETTING.findall(files.text_of(self.project.broker_config)))
        except FileNotFoundError:
            return {}

    def connect(self, password: str = "") -> Client:
        """A connection with this password, default: the configured one. Raises OSError or BrokerRefused."""
        settings = self.settings()
        if not settings:
            raise ConnectionError("there is no broker of its own")
        return Client(settings["bind"], OWN_PORT, password or settings["requirepass"])
