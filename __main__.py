"""Deploy the Django project that the selected stack describes."""

from codesensei.quiet import collect_seldom, stop_quietly_on_interrupt

stop_quietly_on_interrupt()
collect_seldom()

import pulumi  # noqa: E402  # nothing of the engine before the signal handler

from codesensei.config import ConfigError, load  # noqa: E402
from components import deploy, with_source  # noqa: E402

try:
    stack = load()
except ConfigError as error:
    raise with_source(error) from None
for name, value in vars(deploy(stack)).items():
    if value is not None:
        pulumi.export(name, value)
