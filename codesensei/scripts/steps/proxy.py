"""nginx's base configuration, shared by all projects: checked before it is used, put back when it fails."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx, shared
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step, read_json, write_json
from codesensei.scripts.serving import default_tls
from codesensei.wire import codec, paths
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.steps import Proxy, SharedFile

# The line of a file that is only for servers with these facts.
CONDITION = re.compile(r" #if ([a-z0-9 -]+)$")
# Since when HTTP/2 is a directive; before, it is a parameter of `listen`.
HTTP2_DIRECTIVE = (1, 25, 1)


@dataclass(frozen=True, kw_only=True)
class Before:
    """What stood at a path: a file's text and mode, a link's target, or nothing."""

    content: str | None = None
    mode: int = 0
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What was there before an unfinished change: a killed run is undone or completed by the next one."""

    paths: Mapping[str, Before | None]


def run(step: Step[Proxy]) -> None:
    """Bring the newest version of each file into use."""
    known = facts()
    _configure(step, [_wanted(item, known) for item in step.data.files])
    for item in step.data.files:
        shared.remember(Path(item.path), item.content, item.version)


def _default_link() -> Path:
    return paths.SERVER.nginx / "sites-enabled" / "default"


def _default_site() -> Path:
    return paths.SERVER.nginx / "sites-available" / "default"


def _journal() -> Path:
    return paths.SERVER.memory / "proxy.json"


def _configure(step: Step[object], wanted: list[tuple[Path, str, int]]) -> None:
    """Write the files, let the distribution's default site go, check with `nginx -t`, reload when changed."""
    default_tls.ensure(step)
    unfinished = _journal().exists()
    default_goes = _default_goes()
    if not unfinished and not default_goes and not any(_differs(*item) for item in wanted):
        for path, _, _ in wanted:
            step.manage_shared(path)
        _ensure_running(step)
        _open_firewall(step)
        return
    before = _kept() or _picture([path for path, _, _ in wanted])
    write_json(_journal(), codec.encode(before)["paths"])
    for path, content, mode in wanted:
        step.converge(files.write_file(path, content, mode), f"{path} written")
        step.manage_shared(path)
    if default_goes:
        _default_link().unlink()
        step.changed(f"{_default_link()} disabled: the distribution's own page")
    check = commands.run(["nginx", "-t"], check=False)
    if not check.ok:
        _put_back(before)
        _journal().unlink()
        raise _explained(check.stderr)
    _ensure_running(step)
    nginx.reload()
    step.changed("nginx reloaded")
    _journal().unlink()
    _open_firewall(step)


def _wanted(item: SharedFile, known: set[str]) -> tuple[Path, str, int]:
    path = _checked_path(item.path)
    newest = shared.newest(path, item.content, item.version)
    return path, for_server(newest, known), int(item.mode, 8)


def facts() -> set[str]:
    """What the configuration depends on: the version of nginx, its modules, and whether the kernel has IPv6."""
    known = {http2_fact(commands.run(["nginx", "-v"], check=False).stderr)}
    if (paths.SERVER.processes / "net" / "if_inet6").exists():
        known.add("ipv6")
    if any(paths.SERVER.nginx.glob("modules-enabled/*brotli-static*")):
        known.add("brotli")
    return known


def http2_fact(said: str) -> str:
    """How this version of nginx, as `nginx -v` says it, wants HTTP/2 to be switched on."""
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


def _checked_path(text: str) -> Path:
    path = Path(text)
    if not path.is_relative_to(paths.SERVER.nginx) or ".." in path.parts:
        raise Failure(f"file {text}", "it is not below /etc/nginx", "this is a fault of codesensei: please report it")
    if not path.parent.is_dir():
        raise Failure(f"directory {path.parent}", "nginx is not installed as Debian has it", "install nginx-light")
    return path


def _kept() -> Picture | None:
    data = read_json(_journal(), None)
    return codec.decode(Picture, {"paths": data}, str(_journal()), kept=True) if data else None


def _picture(changed: list[Path]) -> Picture:
    """The files as they are."""
    return Picture(paths={str(path): _before(path) for path in [*changed, _default_link()]})


def _before(path: Path) -> Before | None:
    if path.is_symlink():
        return Before(link=os.readlink(path))
    return Before(content=path.read_text(), mode=path.stat().st_mode & 0o7777) if path.is_file() else None


def _put_back(picture: Picture) -> None:
    for name, before in picture.paths.items():
        path = Path(name)
        if before is not None and before.link is not None:
            files.make_link(path, before.link)
        elif before is not None and before.content is not None:
            files.write_file(path, before.content, before.mode)
        else:
            files.remove_path(path)


def _differs(path: Path, content: str, mode: int) -> bool:
    if path.is_symlink() or not path.is_file():
        return True
    return (path.read_text(), path.stat().st_mode & 0o7777) != (content, mode)


def _default_goes() -> bool:
    """Whether the distribution's own default site is enabled; one that somebody changed is refused if in the way."""
    link = _default_link()
    if not link.exists():
        return link.is_symlink()
    text = link.read_text()
    if link.resolve() == _default_site() and text_is_packaged(text, _packaged_digests()):
        return True
    if claims_default(text):
        raise Failure(
            str(link),
            "it claims default_server, and somebody has changed it, so it is left alone",
            f"take default_server out of its listen lines, or remove {link}; then run pulumi up again",
        )
    return False


def _packaged_digests() -> set[str]:
    """MD5 sums of the default site as the nginx packages brought it."""
    listed = commands.run(["dpkg-query", "-W", "-f=${Conffiles}\n", "nginx*"], check=False).stdout
    return set(re.findall(rf"^ {re.escape(str(_default_site()))} ([0-9a-f]{{32}})", listed, re.MULTILINE))


def text_is_packaged(text: str, digests: set[str]) -> bool:
    """Whether the text is one that dpkg knows; dpkg keeps MD5 sums."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() in digests


def claims_default(text: str) -> bool:
    """Whether a site's text claims to be the default server."""
    plain = re.sub(r"#.*", "", text)
    return bool(re.search(r"\blisten\s[^;]*\bdefault(_server)?\s*[;\s]", plain))


def _ensure_running(step: Step[object]) -> None:
    if systemctl("is-enabled", "--quiet", "nginx.service", check=False).ok is False:
        systemctl("enable", "--quiet", "nginx.service")
        step.changed("nginx enabled")
    if not systemctl("is-active", "--quiet", "nginx.service", check=False).ok:
        started = systemctl("start", "nginx.service", check=False)
        if not started.ok:
            log = commands.run(
                ["journalctl", "-u", "nginx.service", "-n", "20", "--no-pager", "-o", "cat"], check=False
            )
            raise Failure("nginx", "it does not start", "on the server: systemctl status nginx", log.stdout)
        step.changed("nginx started")


def _open_firewall(step: Step[object]) -> None:
    """Let visitors through ufw where it is on; a port that a rule there already speaks of is the owner's decision."""
    if shutil.which("ufw", path=SYSTEM_PATH) is None:
        return
    said = commands.run(["ufw", "status", "verbose"], check=False).stdout
    if closed := closed_ports(said):
        commands.run(["ufw", "allow", "proto", "tcp", "to", "any", "port", ",".join(closed), "comment", "codesensei"])
        step.changed(f"ufw opened for port {' and '.join(closed)}")


def closed_ports(status: str) -> list[str]:
    """The ports of a website that no rule of ufw speaks of; none where it is off or lets everything in."""
    if "Status: active" not in status or not re.search(r"^Default: (deny|reject) \(incoming\)", status, re.MULTILINE):
        return []
    rules = status.partition("\n--")[2]
    return [port for port in ("80", "443") if not re.search(rf"^[^A-Z]*(?<![\d.]){port}(?!\d)", rules, re.MULTILINE)]


def _explained(said: str) -> Failure:
    duplicate = re.search(r"a duplicate default server for (\S+) in (\S+):(\d+)", said)
    if duplicate:
        return Failure(
            "nginx configuration",
            f"two sites claim default_server for {duplicate[1]}; nginx names {duplicate[2]}, line {duplicate[3]}",
            "take default_server out of the site that is not codesensei's (grep -rn default_server /etc/nginx); "
            "everything is as it was",
        )
    return Failure(
        "nginx configuration", "nginx -t refuses it; everything is as it was", "correct the file that is named", said
    )
