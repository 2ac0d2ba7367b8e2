"""What is built: the project at one commit, and what its own files say; the ids that follow from it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from codesensei.config import StackConfig
from codesensei.config.project import ProjectConfig
from codesensei.config.types import LeftOut
from codesensei.source import pythons
from codesensei.source.advice import Advice, advise
from codesensei.source.archive import Checkout
from codesensei.source.closure import Closure
from codesensei.source.errors import SourceError, together
from codesensei.source.geography import ByUrl
from codesensei.source.git import open_source
from codesensei.source.inspect import SettingsFacts, django_directory, migrations, read_settings
from codesensei.source.models import without_migrations
from codesensei.source.pythons import Unfit
from codesensei.source.requirements import requirements_closure
from codesensei.source.settings import Modules, read_file_names
from codesensei.source.shared import refuse_shared_code
from codesensei.source.tree import join
from codesensei.webservers import Interface, WebServer, web_server
from codesensei.wire import digests
from codesensei.wire.envfile import meaning
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Finding

# pip was the default before there was auto: what was deployed with it is not other code now.
_INSTALLERS = {"auto": "pip", "pip": "pip alone", "uv": "uv"}


@dataclass(frozen=True)
class Code:
    """One commit, ready to be built. `packages_id` names what is installed; releases with the same share it.

    `warnings` are sentences about what may go wrong; `unfit` tells which Pythons cannot run it, `findings` what the
    policy finds in its settings, `geography` what the scheme of the database's URL decides.
    """

    checkout: Checkout
    settings: SettingsFacts
    requirements: Closure
    migrations: tuple[str, ...]
    server: WebServer
    id: str
    packages_id: str
    warnings: tuple[str, ...] = ()
    unfit: tuple[Unfit, ...] = ()
    findings: tuple[Finding, ...] = ()
    geography: ByUrl | None = None


def read_code(config: StackConfig, cache: Path | None = None) -> Code:
    """Read the project's source on this machine; every check that needs no server is done here, in preview.

    `cache` is where mirrors and archives are kept; default: the operator's own cache directory.
    """
    project, given = config.project, _variables(config)
    checkout = open_source(project, cache_dir=cache)
    checks, directory = together(), project.directory
    closure: Closure | None = None
    settings: SettingsFacts | None = None
    with checks:
        _refuse_branch(config, checkout)
    with checks:
        directory = django_directory(checkout, project.directory)
    with checks:
        closure = requirements_closure(checkout, project.requirements, directory, project.extras)
    with checks:
        if closure and closure.lock and closure.lock.tool == "pylock" and project.installer == "pip":
            cause, fix = "is installed by uv alone", "set project.installer to auto, or leave it out"
            raise SourceError(f"project.requirements {closure.files[0]}", cause, fix)
    with checks:
        if closure:
            refuse_shared_code(checkout, project, closure)
    with checks:
        settings = read_settings(checkout, project, closure, given)
        server = web_server(project.server, settings.interface)
        if server.own_settings and server.own_settings.moved_by not in {*config.env, *config.secret_names}:
            _refuse_own_settings(checkout, directory, server)
    advice = Advice()
    with checks:
        if closure and settings:
            roots = (*settings.roots, *closure.roots)
            modules = Modules(checkout, directory, roots)
            modules = modules if given is None else modules.knowing(project.settings_module, given)
            advice = advise(modules, settings, closure, config)
    checks.end()
    assert closure is not None
    assert settings is not None
    code_id, packages_id = ids(checkout.revision, project, closure, settings.interface, server)
    modules = Modules(checkout, directory, (*settings.roots, *closure.roots))
    on_its_own = pythons.hold(advice.unfit, project.python) if project.python else []
    warnings = (*advice.warnings, *on_its_own, *without_migrations(modules, project.settings_module))
    known = tuple(migrations(checkout))
    return Code(
        checkout,
        settings,
        closure,
        known,
        server,
        code_id,
        packages_id,
        warnings,
        () if project.python else advice.unfit,
        advice.findings,
        advice.geography,
    )


def _variables(config: StackConfig) -> dict[str, str | None] | None:
    """What the stack gives the project, as far as it is plain; None where the stack file is wrong in that."""
    try:
        made = (*config.secret_names, *config.generate_secrets, *config.database.env, *config.broker.env)
        return {**{name: meaning(value) for name, value in config.env.items()}, **dict.fromkeys(made)}
    except LeftOut:
        return None


def ids(
    revision: str, project: ProjectConfig, closure: Closure, interface: Interface, server: WebServer
) -> tuple[str, str]:
    """64 hexadecimal digits for all that a release is made from, and 64 for its packages.

    What runs after the switch is in neither. What is not given adds nothing, so ids stay when there is more to give.
    """
    before_the_switch = project.hooks.model_dump(by_alias=True, exclude={"after_switch"})
    other_server = [] if server == web_server("auto", interface) else ["server", server.name]
    installer = _INSTALLERS[project.installer]
    extras = ["extras", str(len(project.extras)), *project.extras] if project.extras else []
    built_from = [closure.digest, project.python, installer, project.rebuild, interface, *other_server, *extras]
    built = [revision, project.directory, *built_from]
    static = [] if project.static == "serve" else ["static", project.static]
    shared = ["sharedPaths", str(len(project.shared_paths)), *project.shared_paths] if project.shared_paths else []
    # With their number, a command that moves from one hook to another gives another list.
    given = [text for name, lines in before_the_switch.items() if lines for text in (name, str(len(lines)), *lines)]
    # Requirements that are not fixed by their text alone (a local path, a moving branch) belong to one commit.
    packages = (
        digests.of_texts(built) if closure.per_release else hashlib.sha256("\n".join(built_from).encode()).hexdigest()
    )
    return digests.of_texts([*built, *static, *shared, *given]), packages


def _refuse_branch(config: StackConfig, checkout: Checkout) -> None:
    """A branch moves, so production does not deploy one."""
    if config.production and checkout.branch is not None:
        commit = f"{checkout.short} ({checkout.subject})"
        cause = f"{checkout.branch} is a branch, which moves; it is at {commit} now"
        fix = f"production deploys a commit or a tag: set it to {checkout.revision}"
        raise SourceError("codesensei:project.source.revision", cause, fix)


def _refuse_own_settings(checkout: Checkout, directory: str, server: WebServer) -> None:
    """Refuse what the project's own settings for the server say plainly; a candidate tells of the rest."""
    own = server.own_settings
    file = join(directory, own.file) if own else ""
    if own is None or not checkout.tree.is_file(file):
        return
    found = read_file_names(Modules(checkout, directory), file, (own.name,))
    text = found.values[own.name]
    if text and found.certain and text.startswith(own.refused):
        raise SourceError(file, f"{own.name} is {text}, which {own.cause}", own.fix)
