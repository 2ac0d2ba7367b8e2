"""The only jinja2 environment. A value that a template lacks is an error, never an empty string."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from codesensei.render import nginx, systemd

FOLDER = Path(__file__).resolve().parent.parent / "templates"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=False,  # configuration files, not HTML; each language has its own filters
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"unit_text": systemd.text, "unit_path": systemd.path, "unit_word": systemd.word}
    environment.filters |= {"unit_assignment": systemd.assignment}
    environment.filters |= {"nginx_quote": nginx.quote, "nginx_plain": nginx.plain}
    return environment


def render(template: str, **values: object) -> str:
    """Fill `templates/<template>` with `values`."""
    return _environment().get_template(template).render(**values)
