"""What outlives releases: the folders that the stack config shares, and uploads that none of them would keep."""

from __future__ import annotations

from collections.abc import Sequence

from codesensei.config.project import ProjectConfig
from codesensei.source.archive import Checkout
from codesensei.source.closure import Closure
from codesensei.source.errors import SourceError, listing
from codesensei.source.places import ROOT, inside
from codesensei.source.settings import Modules, read_names
from codesensei.source.tree import join
from codesensei.wire.paths import ProjectPaths

_CODE = (".py", ".pyx", ".so")
_ON_DISK = {
    None,
    "django.core.files.storage.FileSystemStorage",
    "django.core.files.storage.filesystem.FileSystemStorage",
}


def refuse_shared_code(project: Checkout, config: ProjectConfig, closure: Closure) -> None:
    """SourceError for a shared path that is no folder of data at this commit."""
    for path in config.shared_paths:
        thing = f"project.sharedPaths: {path}"
        if not project.tree.is_plain(path):
            raise SourceError(thing, "it leads through a link in the repository", "name the folder that it leads to")
        if project.tree.is_file(path):
            fix = "share the folder that it is in, and let the settings name the file there"
            raise SourceError(thing, "it is a file, and only folders are shared", fix)
        if code := _code_in(project, path, closure.files):
            cause = f"it has code, which would stay that of the first release: {listing(code)}"
            raise SourceError(thing, cause, "share the folder of the data alone, or move the code out of it")


def refuse_lost_uploads(project: Checkout, config: ProjectConfig, modules: Modules) -> None:
    """SourceError where the settings say plainly that uploads would be lost; Django tells of the rest."""
    wanted = ("MEDIA_ROOT", "STORAGES", "DEFAULT_FILE_STORAGE")
    names = read_names(modules, config.settings_module, wanted)
    root, *storages = (names.values[name] for name in wanted)
    # nginx serves files, so a storage that names its files itself keeps them on disk too.
    if not root or not names.certain or (config.media_serving == "none" and not set(storages) <= _ON_DISK):
        return
    folder = inside(join(f"{ROOT}/{modules.roots[0]}", root))
    if folder is None or any(f"{folder}/".startswith(f"{path}/") for path in config.shared_paths):
        return
    fix = f'set MEDIA_ROOT = "{ProjectPaths(config.slug).media}" in the production settings'
    served = config.media_serving != "none" and not f"/{folder}".endswith("/media")
    if not served and folder != "." and not _code_in(project, folder):
        paths = ", ".join([*config.shared_paths, folder])
        fix = f"keep it by a line in the stack file, project.sharedPaths: [{paths}]; or {fix}"
    raise SourceError(
        "MEDIA_ROOT", f"it is {folder} inside the release; the next release would lose what people uploaded", fix
    )


def _code_in(project: Checkout, folder: str, needed: Sequence[str] = ()) -> list[str]:
    below = (name for name in project.files if name.startswith(f"{folder}/"))
    return sorted(name for name in below if name.endswith(_CODE) or name in needed)
