"""Deploy the Django project that the selected stack describes."""

from codesensei.quiet import stop_quietly_on_interrupt

stop_quietly_on_interrupt()

import pulumi  # noqa: E402  # nothing of the engine before the signal handler

from codesensei.config import load  # noqa: E402
from components import deploy  # noqa: E402

for name, value in vars(deploy(load())).items():
    pulumi.export(name, value)
