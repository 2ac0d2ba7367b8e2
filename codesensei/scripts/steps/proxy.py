"""nginx's base configuration, shared by all projects: checked before it is used, put back when it fails."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx, shared, units
from codesensei.scripts.base.step import Failure, Step, read_json, remove_json, write_json
from codesensei.scripts.serving import default_tls
from codesensei.wire import codec, paths
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.steps import Proxy, SharedFile

# What ends a line that is only for servers with these facts.
CONDITION = re.compile(r" #if ([a-z0-9 -]+)$")
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
    known = facts()
    wanted = dict(_wanted(item, known) for item in step.data.files)
    default_tls.ensure(step)
    default_goes = _default_goes()
    needed = default_goes or _journal().exists() or any(_before(path) != file for path, file in wanted.items())
    if needed:
        _write(step, wanted, default_goes)
    for path in wanted:
        step.manage_shared(path)
    units.ensure_running(step, nginx.UNIT, "nginx")
    if needed:
        nginx.reload()
        step.changed("nginx reloaded")
        remove_json(_journal())
    _open_firewall(step)
    for item in step.data.files:
        shared.remember(Path(item.path), item.content, item.version)


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
        raise _explained(check.stderr)


def _wanted(item: SharedFile, known: set[str]) -> tuple[Path, Place]:
    path = Path(item.path)
    if not path.is_relative_to(paths.SERVER.nginx) or ".." in path.parts:
        raise Failure(f"file {path}", "it is not below /etc/nginx", "this is a bug in codesensei: please report it")
    if not path.parent.is_dir():
        cause = "nginx is not laid out as Debian's package does it"
        raise Failure(f"directory {path.parent}", cause, "replace it by Debian's: apt-get install nginx-light")
    newest = shared.newest(path, item.content, item.version)
    return path, Place(content=for_server(newest, known), mode=int(item.mode, 8))


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


def _before(path: Path) -> Place | None:
    if path.is_symlink():
        return Place(link=os.readlink(path))
    return Place(content=path.read_text(), mode=path.stat().st_mode & 0o7777) if path.is_file() else None


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
    """Whether the distribution's own default site is enabled; Failure for one that is in the way and was changed."""
    link = _default("sites-enabled")
    if not link.exists():
        return link.is_symlink()
    text = link.read_text()
    if link.resolve() == _default("sites-available") and _is_packaged(text):
        return True
    if claims_default(text):
        fix = f"take default_server out of its listen lines, or remove {link}; then run pulumi up again"
        raise Failure(str(link), "it claims default_server, and somebody has changed it, so it is left alone", fix)
    return False


def _is_packaged(text: str) -> bool:
    """Whether the default site is as an nginx package brought it; dpkg keeps MD5 sums."""
    site = re.escape(str(_default("sites-available")))
    listed = commands.run(["dpkg-query", "-W", "-f=${Conffiles}\n", "nginx*"], check=False).stdout
    digests = re.findall(rf"^ {site} ([0-9a-f]{{32}})", listed, re.MULTILINE)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() in digests


def claims_default(text: str) -> bool:
    """Whether a site's text claims to be the default server."""
    plain = re.sub(r"#.*", "", text)
    return bool(re.search(r"\blisten\s[^;]*\bdefault(_server)?\s*[;\s]", plain))


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


def _explained(said: str) -> Failure:
    thing = "nginx configuration"
    duplicate = re.search(r"a duplicate default server for (\S+) in (\S+):(\d+)", said)
    if duplicate is None:
        cause = "nginx -t refuses it; everything is as it was"
        return Failure(thing, cause, "correct the file that is named", said)
    address, path, line = duplicate.groups()
    fix = "take default_server out of the site that is not codesensei's (grep -rn default_server /etc/nginx); "
    fix += "everything is as it was"
    return Failure(thing, f"two sites claim default_server for {address}; nginx names {path}, line {line}", fix)
