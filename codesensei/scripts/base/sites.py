"""The sites that nginx has, whoever wrote them: read from its whole configuration, as `nginx -T` prints it."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path, PurePosixPath

from codesensei.scripts.base import commands
from codesensei.scripts.base.step import Failure
from codesensei.wire import paths
from codesensei.wire.quick import dataclass

_FILE = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
# As nginx itself cuts its files: a comment, a quoted word, a sign of its own, or a word up to one.
_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*) | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
      | (?P<sign>[{};]) | (?P<word>(?:\\.|\$\{|[^\s;{\\])+) | (?P<rest>.)""",
    re.VERBOSE | re.DOTALL,
)
_WARNING = re.compile(r"\[warn\] (?:\d+#\d+: )?(.+)")
_LISTEN = re.compile(r"(?:(?P<address>\[[^]]*\]|[^:]+):)?(?P<port>\d+)|(?P<alone>.+)")
_INCLUDE = re.compile(r"^[^#\n]*?\binclude\s+[\"']?([^;\"'\s]+)", re.MULTILINE)
ANY = ("*", "0.0.0.0", "[::]")


@dataclass(frozen=True)
class Listen:
    """Where a site listens; an empty address is every one."""

    address: str
    port: int


@dataclass(frozen=True)
class Site:
    """One `server` block and the file that it begins in; names in lower case."""

    file: str
    names: tuple[str, ...]
    listens: tuple[Listen, ...]
    # What it is the default of, as a `listen` names it: `80` is every IPv4 address, `[::]:80` every IPv6 one.
    default_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting:
    """A directive of the http block itself, and the file that it stands in."""

    name: str
    file: str


@dataclass(frozen=True)
class Configuration:
    """What nginx would serve by the files as they are. `problem` is why it would not read them."""

    sites: tuple[Site, ...] = ()
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problem: str = ""
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True)
class _Directive:
    words: tuple[str, ...]
    file: str
    block: list[_Directive] = field(default_factory=list)


def configuration() -> Configuration:
    """The configuration of this server's nginx."""
    try:
        done = commands.run(["nginx", "-T"], check=False)
    except Failure:
        # It is not installed yet.
        return Configuration()
    warnings = tuple(dict.fromkeys(_WARNING.findall(done.stderr)))
    return read(done.stdout, warnings) if done.ok else Configuration(warnings=warnings, problem=done.stderr)


def on_disk() -> Configuration:
    """The configuration of files that nginx itself refuses: it dumps none of them."""
    texts, waiting = dict[str, str](), [str(paths.SERVER.nginx / "nginx.conf")]
    for name in waiting:
        if name not in texts and Path(name).is_file():
            texts[name] = Path(name).read_text("utf-8", "replace")
            for pattern in _INCLUDE.findall(texts[name]):
                waiting += sorted(glob.glob(str(paths.SERVER.nginx / pattern)))
    return read("".join(f"# configuration file {name}:\n{text}\n" for name, text in texts.items()))


def read(dump: str, warnings: tuple[str, ...] = ()) -> Configuration:
    """What a dump of `nginx -T` says."""
    parts = _FILE.split(dump)
    files = {name: _parsed(text, name) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    if not files:
        return Configuration(warnings=warnings)
    main = next(iter(files))
    whole = list(_included(files[main], files, PurePosixPath(main).parent))
    http = [directive for block in _named(whole, "http") for directive in block.block]
    sites = tuple(_site(server) for server in _named(http, "server"))
    settings = tuple(Setting(directive.words[0], directive.file) for directive in http)
    return Configuration(sites, tuple(files), warnings, settings=settings)


def _parsed(text: str, file: str) -> list[_Directive]:
    top: list[_Directive] = []
    blocks, words = [top], list[str]()
    for token in _TOKEN.finditer(text):
        sign = token["sign"]
        if token["skip"] is not None:
            continue
        if sign is None:
            words.append(next(found for found in token.group("double", "single", "word", "rest") if found is not None))
            continue
        if words:
            blocks[-1].append(_Directive(tuple(words), file))
            words = []
        if sign == "{" and blocks[-1]:
            blocks.append(blocks[-1][-1].block)
        elif sign == "}" and len(blocks) > 1:
            blocks.pop()
    return top


def _included(
    directives: list[_Directive], files: dict[str, list[_Directive]], folder: PurePosixPath
) -> Iterator[_Directive]:
    """The directives, with those of the files in the place of the `include` that names them."""
    for directive in directives:
        if directive.words[0] == "include" and len(directive.words) == 2:
            pattern = str(folder / directive.words[1])
            for name in filter(lambda name: PurePosixPath(name).match(pattern), files):
                yield from _included(files[name], files, folder)
        else:
            inner = list(_included(directive.block, files, folder))
            yield _Directive(directive.words, directive.file, inner)


def _named(directives: list[_Directive], name: str) -> Iterator[_Directive]:
    return (directive for directive in directives if directive.words[0] == name)


def _site(server: _Directive) -> Site:
    names = [name.lower() for directive in _named(server.block, "server_name") for name in directive.words[1:]]
    said = [directive.words[1:] for directive in _named(server.block, "listen") if directive.words[1:]]
    listens = tuple(_listen(place) for place, *_ in said) or (Listen("", 80),)
    defaults = tuple(_default_of(place) for place, *words in said if {"default_server", "default"} & set(words))
    return Site(server.file, tuple(names), listens, defaults)


def _listen(text: str) -> Listen:
    found = _LISTEN.fullmatch(text)
    address, port = (found["address"] or found["alone"] or "", int(found["port"] or 80)) if found else (text, 80)
    return Listen("" if address in ANY else address.strip("[]"), port)


def _default_of(text: str) -> str:
    place = _listen(text)
    if place.address:
        return text
    return f"[::]:{place.port}" if text.startswith("[") else str(place.port)
