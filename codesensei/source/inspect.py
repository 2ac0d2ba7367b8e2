"""What the project's files say about Django, read without importing them; step 1 of the order of a release."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from codesensei.config.project import ProjectConfig
from codesensei.source.archive import Checkout
from codesensei.source.closure import Closure
from codesensei.source.errors import SourceError, listing, near
from codesensei.source.roots import added_by_settings, import_roots
from codesensei.source.settings import Modules, read_names
from codesensei.source.shared import refuse_lost_uploads
from codesensei.source.tree import join
from codesensei.webservers import SERVERS, Interface
from codesensei.wire.quick import dataclass


@dataclass(frozen=True)
class SettingsFacts:
    """What the settings declare, and what follows for the web process.

    `asgi_application` and `wsgi_application` are in a server's form (`config.asgi:application`), None where nothing
    declares them. `application` is the one for `interface`. `django_directory` is where manage.py really is, all
    links followed, relative to the source's root, as are the further import roots `python_path`, and those that the
    settings add to it themselves, `added_roots`. `settings_file` is
    empty for settings of an installed package. `static_url` and `media_url` are paths that begin and end with a slash:
    Django's usual ones where the settings do not write them plainly. `unsure` has a sentence for each thing that only
    running would tell.
    """

    asgi_application: str | None
    wsgi_application: str | None
    settings_file: str
    interface: Interface
    application: str
    django_directory: str
    python_path: tuple[str, ...]
    static_url: str
    media_url: str
    unsure: tuple[str, ...]
    added_roots: tuple[str, ...] = ()

    @property
    def roots(self) -> tuple[str, ...]:
        """Every import root of the project's own beside manage.py's folder."""
        return (*self.python_path, *self.added_roots)


def read_settings(
    project: Checkout,
    config: ProjectConfig,
    closure: Closure | None = None,
    variables: Mapping[str, str | None] | None = None,
) -> SettingsFacts:
    """Find manage.py, the settings and the application module. SourceError for what is not there.

    `closure` says which modules may come with the packages; what Django says of them is asked on the server alone.
    `variables` are those of the stack, as `variables.Given` has them; without them, all that the settings read of the
    environment is unknown.
    """
    directory = django_directory(project, config.directory)
    python_path = import_roots(project, config, directory)
    modules = Modules(project, directory, (*python_path, *(closure.roots if closure else ())))
    installed = closure.names if closure else frozenset()
    settings_file = modules.find(config.settings_module)
    notes = []
    if settings_file is None:
        if not modules.comes_with(installed, config.settings_module):
            raise _no_settings(project, config.settings_module, directory)
        notes.append(f"the settings {config.settings_module} come with an installed package; the server reads them")
    added_roots = added_by_settings(modules, config.settings_module)
    modules = Modules(project, directory, (*modules.roots[1:], *added_roots))
    if variables is not None:
        modules = modules.knowing(config.settings_module, variables)
    names = read_names(modules, config.settings_module, ("ASGI_APPLICATION", "WSGI_APPLICATION"))
    declared_asgi, declared_wsgi = names.values["ASGI_APPLICATION"], names.values["WSGI_APPLICATION"]
    refuse_lost_uploads(project, config, modules)
    urls = read_names(modules, config.settings_module, ("STATIC_URL", "MEDIA_URL")).values
    asgi = config.asgi_application or _for_a_server(modules, declared_asgi, config.settings_module)
    wsgi = config.wsgi_application or declared_wsgi
    served = SERVERS[config.server].interfaces if config.server != "auto" else ()
    automatic: Interface = served[0] if len(served) == 1 else "asgi" if asgi else "wsgi"
    interface: Interface = automatic if config.interface == "auto" else config.interface
    chosen = (asgi if interface == "asgi" else wsgi) or _default_application(modules, config.settings_module, interface)
    application = server_form(chosen)
    module = application.partition(":")[0]
    if modules.find(module) is None and not modules.comes_with(installed, module):
        raise _no_application(project, application, interface, directory, names.elsewhere)
    return SettingsFacts(
        asgi_application=server_form(asgi) if asgi else None,
        wsgi_application=server_form(wsgi) if wsgi else None,
        settings_file=settings_file or "",
        interface=interface,
        application=application,
        django_directory=directory,
        python_path=python_path,
        static_url=_url_path(urls["STATIC_URL"], "/static/"),
        media_url=_url_path(urls["MEDIA_URL"], "/media/"),
        unsure=(*notes, *names.unsure),
        added_roots=added_roots,
    )


def _for_a_server(modules: Modules, declared: str | None, settings_module: str) -> str | None:
    """The declared application, or the project's asgi module where that leads to it.

    Channels lets ASGI_APPLICATION name a routing module, which no server can load before Django is set up; the asgi
    module sets it up.
    """
    own = _default_application(modules, settings_module, "asgi")
    file = modules.find(own.partition(":")[0])
    routing = server_form(declared).partition(":")[0] if declared else ""
    if not routing or file is None or own.partition(":")[0] == routing:
        return declared
    return own if modules.mentions(file, {routing, "channels.routing"}) else declared


def _url_path(written: str | None, usual: str) -> str:
    """A STATIC_URL or MEDIA_URL as Django serves it at the root; `usual` for one that is not written plainly."""
    if not written or "://" in written or written.startswith("//"):
        return usual
    return f"/{written.strip('/')}/"


def migrations(project: Checkout) -> list[str]:
    """All migrations as `app.0001_initial`, sorted; the app is named after its directory."""
    found = set()
    for name in project.files:
        parts = name.split("/")
        if len(parts) >= 3 and parts[-2] == "migrations" and parts[-1][:1].isdigit() and parts[-1].endswith(".py"):
            found.add(f"{parts[-3]}.{parts[-1].removesuffix('.py')}")
    return sorted(found)


def server_form(application: str) -> str:
    """`config.asgi.application`, Django's form, as `config.asgi:application`, the servers'."""
    if ":" in application:
        return application
    module, _, name = application.rpartition(".")
    return f"{module}:{name}" if module else application


def django_directory(project: Checkout, directory: str) -> str:
    """Where manage.py really is, all links followed. SourceError where there is none."""
    tree = project.tree
    manage = join(directory, "manage.py")
    if tree.is_file(manage):
        return posixpath.dirname(tree.resolve(manage) or manage) or "."
    thing = f"project.directory {directory}"
    cause = f"there is no {manage} in commit {project.short}"
    if manage in project.files:
        cause = f"{manage} is a link that leads out of the repository or nowhere"
    others = sorted(
        (posixpath.dirname(name) or "." for name in project.files if posixpath.basename(name) == "manage.py"),
        key=lambda place: (place.count("/"), place),
    )
    others = [place for place in others if place != directory]
    if others:
        raise SourceError(thing, cause, f"found manage.py in {listing(others)}: set project.directory: {others[0]}")
    raise SourceError(thing, cause, "commit manage.py (django-admin startproject makes one)")


def _default_application(modules: Modules, settings_module: str, interface: Interface) -> str:
    """The wsgi or asgi module beside the settings, or the nearest one above them."""
    packages = settings_module.split(".")[:-1]
    for depth in range(len(packages), -1, -1):
        module = ".".join([*packages[:depth], interface])
        if modules.find(module) is not None:
            return f"{module}:application"
    return f"{packages[0]}.{interface}:application" if packages else f"{interface}:application"


def _no_settings(project: Checkout, module: str, directory: str) -> SourceError:
    thing = f"project.settingsModule {module}"
    suffix = module.replace(".", "/")
    expected = join(directory, f"{suffix}.py")
    cause = f"there is no {expected} (or {suffix}/__init__.py) in commit {project.short}"
    for tail in (f"{suffix}.py", f"{suffix}/__init__.py"):
        elsewhere = sorted(name for name in project.files if f"/{name}".endswith(f"/{tail}"))
        if elsewhere:
            place = elsewhere[0].removesuffix(tail).rstrip("/") or "."
            fix = f"found {elsewhere[0]}: manage.py has to be in {place}, see project.directory"
            if not project.tree.is_file(join(place, "manage.py")):
                fix = f"found {elsewhere[0]}: set project.pythonPath: [{place}]"
            return SourceError(thing, cause, fix)
    known = _modules_like(project, directory, "settings")
    like = near(module, known) or known
    fix = f"found {listing(like)}: set project.settingsModule" if like else "commit the settings"
    if not project.tree.is_directory(join(directory, module.split(".", maxsplit=1)[0])):
        fix += f"; for those of an installed package commit a module with: from {module} import *"
    return SourceError(thing, cause, fix)


def _no_application(
    project: Checkout, application: str, interface: Interface, directory: str, elsewhere: Sequence[str]
) -> SourceError:
    key = f"{interface}Application"
    module = application.partition(":")[0]
    cause = f"there is no module {module} in {directory} of commit {project.short}"
    known = _modules_like(project, directory, interface)
    like = near(module, known) or known
    fix = (
        f"found {listing(like)}: set project.{key}: {like[0]}:application"
        if like
        else f"commit it, or set project.{key}"
    )
    if elsewhere and not like:
        setting = f"{interface.upper()}_APPLICATION"
        example = f"{elsewhere[0].split('.')[0]}.{interface}:application"
        fix = f"set project.{key} to what {setting} is in {listing(elsewhere)}, for example {example}"
    elif interface == "wsgi" and not like and (asgi := _modules_like(project, directory, "asgi")):
        fix = f"found {listing(asgi)}: set project.interface: asgi"
    return SourceError(f"the {interface} application {application}", cause, fix)


def _modules_like(project: Checkout, directory: str, word: str) -> list[str]:
    prefix = "" if directory == "." else f"{directory}/"
    names = [name.removeprefix(prefix) for name in project.files if name.startswith(prefix) and name.endswith(".py")]
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names]
    return sorted(
        {module for module in modules if word in module.split(".")[-2:] or module.split(".")[-1].startswith(word)}
    )
