"""nginx's base configuration, shared by all projects: checked before it is used, put back when it fails."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx, shared, sites, units
from codesensei.scripts.base.sites import Configuration
from codesensei.scripts.base.step import Failure, Step, read_json, remove_json, write_json
from codesensei.scripts.serving import default_tls, nginx_unit
from codesensei.wire import codec, paths
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Proxy, SharedFile

# What ends a line that is only for servers with these facts.
CONDITION = re.compile(r" #if ([a-z0-9 -]+)$")
# A directive of the http block itself; most may stand there once only, whichever file has it.
_SETTING = re.compile(r"(\w+) [^;{}]+;$")
_REPEATED = {"limit_conn_zone"}
_DEFAULT = re.compile(r"\s+listen (?P<place>\S+)[^;]* default_server;")
# The first nginx with HTTP/2 as a directive; before, it is a parameter of `listen`.
HTTP2_DIRECTIVE = (1, 25, 1)


@dataclass(frozen=True, kw_only=True)
class Place:
    """What stands at a path: a file's text and mode, or a link's target."""

    content: str | None = None
    mode: int = 0
    link: str | None = None


def run(step: Step[Proxy]) -> None:
    """Bring the newest version of each file into use."""
    default_goes = _default_goes()
    known, others = facts(), _others(default_goes)
    wanted = dict(_wanted(item, known, others) for item in step.data.files)
    default_tls.ensure(step)
    needed = default_goes or _journal().exists() or any(_before(path) != file for path, file in wanted.items())
    if needed:
        _write(step, wanted, default_goes)
        for site in others.sites:
            if site.default_of and site.file != str(paths.SERVER.nginx_base):
                step.say(f"{site.file} stays nginx's default for {', '.join(site.default_of)}: unknown hosts get it")
    for path in wanted:
        step.manage_shared(path)
    units.ensure_running(step, nginx.UNIT, "nginx")
    if needed:
        nginx.reload()
        step.changed("nginx reloaded")
        remove_json(_journal())
    nginx_unit.confine(step, step.data.unit)
    _open_firewall(step)
    for item in step.data.files:
        shared.remember(Path(item.path), item.content, item.version)


def _others(default_goes: bool) -> Configuration:
    """What nginx has; also where it refuses that, maybe only because a file of ours and another one clash."""
    found = sites.configuration()
    found = sites.on_disk() if found.problem else found
    gone = str(_default("sites-enabled")) if default_goes else ""
    return replace(found, sites=tuple(site for site in found.sites if site.file != gone))


def _default(folder: str) -> Path:
    return paths.SERVER.nginx / folder / "default"


def _journal() -> Path:
    return paths.SERVER.memory / "proxy.json"


def _write(step: Step[object], wanted: dict[Path, Place], default_goes: bool) -> None:
    """Write the files, disable the distribution's default site; put everything back if `nginx -t` refuses them."""
    link = _default("sites-enabled")
    before = {str(path): _before(path) for path in (*wanted, link)}
    # What a run that was cut off has kept counts instead: this one completes or undoes its change.
    if kept := read_json(_journal(), None):
        before = {
            path: was and codec.decode(Place, was, f"{_journal()}: {path}", kept=True) for path, was in kept.items()
        }
    write_json(_journal(), codec.encode(before))
    for path, file in wanted.items():
        step.converge(files.write_file(path, file.content or "", file.mode), f"{path} written")
    if default_goes:
        link.unlink()
        step.changed(f"{link} disabled: the distribution's own page")
    check = commands.run(["nginx", "-t"], check=False)
    if not check.ok:
        _put_back(before)
        remove_json(_journal())
        raise nginx.refusal(check.stderr, step.slug, "everything is as it was")


def _wanted(item: SharedFile, known: set[str], others: Configuration) -> tuple[Path, Place]:
    path = Path(item.path)
    if not path.is_relative_to(paths.SERVER.nginx) or ".." in path.parts:
        raise Failure(f"file {path}", "it is not below /etc/nginx", "this is a bug in codesensei: please report it")
    if not path.parent.is_dir():
        cause = "nginx is not laid out as Debian's package does it"
        raise Failure(f"directory {path.parent}", cause, "replace it by Debian's: apt-get install nginx-light")
    newest = shared.newest(path, item.content, item.version)
    text = for_server(newest, known)
    if path == paths.SERVER.nginx_base:
        text = beside(text, others)
    return path, Place(content=text, mode=int(item.mode, 8))


def facts() -> set[str]:
    """What the configuration depends on: the version of nginx, its modules, and whether the kernel has IPv6."""
    known = {http2_fact(commands.run(["nginx", "-v"], check=False).stderr)}
    if (paths.SERVER.processes / "net" / "if_inet6").exists():
        known.add("ipv6")
    if any(paths.SERVER.nginx.glob("modules-enabled/*brotli-static*")):
        known.add("brotli")
    return known


def http2_fact(said: str) -> str:
    """How the version of nginx that `nginx -v` names switches HTTP/2 on."""
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    version = tuple(int(number) for number in found.groups()) if found else HTTP2_DIRECTIVE
    return "http2-directive" if version >= HTTP2_DIRECTIVE else "http2-parameter"


def for_server(content: str, known: set[str]) -> str:
    """The lines without a condition, and those whose condition holds here."""
    lines = []
    for line in content.splitlines(keepends=True):
        condition = CONDITION.search(line.rstrip("\n"))
        if condition is None:
            lines.append(line)
        elif set(condition[1].split()) <= known:
            lines.append(line[: condition.start()] + "\n")
    return "".join(lines)


def beside(text: str, others: Configuration) -> str:
    """Our base without what the server's owner has set in another file: theirs counts, and nginx takes it once."""
    ours = str(paths.SERVER.nginx_base)
    taken = {setting.name for setting in others.settings if setting.file != ours}
    defaults = {place for site in others.sites if site.file != ours for place in site.default_of}
    lines = []
    for line in text.splitlines(keepends=True):
        setting, default = _SETTING.match(line), _DEFAULT.match(line)
        if default and default["place"] in defaults:
            lines.append(line.replace(" default_server", ""))
        elif not (setting and setting[1] in taken - _REPEATED):
            lines.append(line)
    return "".join(lines)


def _before(path: Path) -> Place | None:
    if path.is_symlink():
        return Place(link=os.readlink(path))
    return Place(content=files.text_of(path), mode=path.stat().st_mode & 0o7777) if path.is_file() else None


def _put_back(places: Mapping[str, Place | None]) -> None:
    for name, before in places.items():
        path, was = Path(name), before or Place()
        if was.link is not None:
            files.make_link(path, was.link)
        elif was.content is not None:
            files.write_file(path, was.content, was.mode)
        else:
            files.remove_path(path)


def _default_goes() -> bool:
    """Whether the distribution's own default site is enabled; one that somebody has changed stays."""
    link = _default("sites-enabled")
    if not link.exists():
        return link.is_symlink()
    return link.resolve() == _default("sites-available") and _is_packaged(files.text_of(link))


def _is_packaged(text: str) -> bool:
    """Whether the default site is as an nginx package brought it; dpkg keeps MD5 sums."""
    site = re.escape(str(_default("sites-available")))
    listed = commands.run(["dpkg-query", "-W", "-f=${Conffiles}\n", "nginx*"], check=False).stdout
    digests = re.findall(rf"^ {site} ([0-9a-f]{{32}})", listed, re.MULTILINE)
    return hashlib.md5(text.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest() in digests


def _open_firewall(step: Step[object]) -> None:
    """Let visitors through ufw where it is on; a port that already has a rule there is left to the owner."""
    if shutil.which("ufw", path=SYSTEM_PATH) is None:
        return
    said = commands.run(["ufw", "status", "verbose"], check=False).stdout
    if closed := closed_ports(said):
        commands.run(["ufw", "allow", "proto", "tcp", "to", "any", "port", ",".join(closed), "comment", "codesensei"])
        step.changed(f"ufw opened for port {' and '.join(closed)}")


def closed_ports(status: str) -> list[str]:
    """The web ports that no rule of ufw mentions; none where it is off or lets everything in."""
    if "Status: active" not in status or not re.search(r"^Default: (deny|reject) \(incoming\)", status, re.MULTILINE):
        return []
    rules = status.partition("\n--")[2]
    return [port for port in ("80", "443") if not re.search(rf"^[^A-Z]*(?<![\d.]){port}(?!\d)", rules, re.MULTILINE)]
