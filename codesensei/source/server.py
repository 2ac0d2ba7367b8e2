"""Which web server serves the project; what cannot serve it is refused."""

from __future__ import annotations

import ast

from codesensei import webservers
from codesensei.config import StackConfig
from codesensei.source.archive import Checkout
from codesensei.source.errors import SourceError
from codesensei.source.inspect import SettingsFacts
from codesensei.source.tree import join
from codesensei.webservers import WebServer


def choose_server(checkout: Checkout, settings: SettingsFacts, config: StackConfig) -> WebServer:
    """What `project.server` names, else the usual one. SourceError where it does not go with the project."""
    name, interface = config.project.server, settings.interface
    server = webservers.default(interface) if name == "auto" else webservers.named(name)
    if interface not in server.interfaces:
        (other,) = server.interfaces
        raise SourceError(
            f"project.server {name}",
            f"serves {other} alone, and this project is served by {interface}",
            f"set project.interface to {other}, or project.server to {webservers.default(interface).name}",
        )
    own = server.own_settings
    # Where a variable may name another file, the server alone knows which.
    if own and own.moved_by not in {*config.env, *config.secret_names, *config.generate_secrets}:
        file = join(settings.django_directory, own.file)
        value = _text(checkout.read(file), own.setting) if checkout.tree.is_file(file) else ""
        if value.startswith(own.refused):
            raise SourceError(file, f"{own.setting} is {value}, {own.why}", own.fix)
    return server


def _text(code: str, name: str) -> str:
    """The text that a module gives to a name, where it stands there plainly."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError):
        return ""
    values = [
        node.value.value
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        if any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    return str(values[-1]) if values else ""
