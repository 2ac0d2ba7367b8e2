"""nginx's own unit, confined by a drop-in: tried before it is used, and put back where nginx does not start with it."""

from __future__ import annotations

from codesensei.scripts.base import commands, files, nginx, register, shared, sites
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Step
from codesensei.wire import paths
from codesensei.wire.steps import SharedFile


def confine(step: Step[object], wanted: SharedFile | None) -> None:
    """Bring the newest version of the drop-in into use: at once where nginx serves no site yet, else when it starts."""
    if wanted is None:
        return
    path = paths.SERVER.nginx_unit
    text = shared.newest(path, wanted.content, wanted.version)
    if not (path.is_file() and files.text_of(path) == text):
        tried = commands.run(_trial(text), check=False)
        if not tried.ok:
            step.say(f"nginx is not confined, because with {path} nginx -t says: {_last(tried.stderr or tried.stdout)}")
            return
        files.make_directory(path.parent, 0o755)
        files.write_file(path, text, int(wanted.mode, 8))
        systemctl("daemon-reload")
        if _serves_nobody() and not systemctl("restart", nginx.UNIT, check=False).ok:
            _remove()
            systemctl("restart", nginx.UNIT)
            step.say(f"nginx is not confined, because it does not start with {path}")
            return
        step.changed(f"{path} written: nginx is confined from its next start on")
    step.manage_shared(path)
    shared.remember(path, wanted.content, wanted.version)


def free(step: Step[object]) -> None:
    """Remove the drop-in once no project is left; the nginx that runs keeps it until it starts again."""
    if not register.entries():
        step.converge(_remove(), f"{paths.SERVER.nginx_unit} removed: nginx is confined no longer")


def _remove() -> bool:
    path = paths.SERVER.nginx_unit
    if not files.remove_path(path):
        return False
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
    systemctl("daemon-reload")
    return True


def _trial(text: str) -> list[str]:
    """nginx -t under the drop-in's directives: it opens every log, certificate and folder that the sites name."""
    lines = text.partition("[Service]\n")[2].splitlines()
    start = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect"]
    return [*start, *(f"--property={line}" for line in lines), "--", "/usr/sbin/nginx", "-t", "-q"]


def _serves_nobody() -> bool:
    return all(site.file == str(paths.SERVER.nginx_base) for site in sites.configuration().sites)


def _last(said: str) -> str:
    return (said.strip().splitlines() or ["nothing"])[-1]
