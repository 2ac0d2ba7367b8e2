"""Lines that freezing tools leave in a requirements file, which no other machine can install; each with its remedy."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

from codesensei.source.errors import SourceError

_LINE = re.compile(
    r"(?P<editable>(?:-e|--editable)[\s=]*)?['\"]?"
    r"(?:(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\]\s*)?@\s*)?(?P<target>[^\s;'\"]+)"
)
# A path of the machine that froze the file: /home/me/shop, file:///tmp/x.whl, C:\wheels, ~/shop.
_ELSEWHERE = re.compile(r"(?:file:(?://(?:localhost)?)?)?(?:/|~|[a-z]:[\\/])", re.IGNORECASE)
_ARCHIVE = re.compile(
    r"(?P<name>[\w.]+(?:-[a-z_]\w*)*)-(?P<version>\d[\w.!+]*?)(?:-[\w.-]+\.whl|\.tar\.\w+|\.tgz|\.zip)", re.I
)
_EDITABLE_NOTE = re.compile(r"#\s*Editable .*\((?P<pinned>[^()\s]+==[^()\s]+)\)")
_SSH = re.compile(
    r"git\+(?:ssh://(?:[^@/]*@)?(?P<host>[^/:]+)(?::\d+)?/|[^@/]+@(?P<other>[^:/]+):)(?P<path>[^@#]+)(?P<rest>\S*)"
)
_SYSTEMS_OWN = re.compile(
    r"(?P<name>pkg[-_.]resources)\s*==\s*0\.0\.0|(?P<other>[\w.-]+)\s*={2,3}\s*[^\s;]*(?:ubuntu|debian)", re.I
)
_CONDA = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)=(?P<version>[^=\s;]+)(?:=\S*)?")


def refuse_leftover(place: str, line: str, above: str) -> None:
    """SourceError for a line that only the machine where it was frozen can install; `above` is the line before it."""
    if own := _SYSTEMS_OWN.match(line):
        name = own["name"] or own["other"]
        raise SourceError(place, f"{name} is a package of Debian's or Ubuntu's own, in no index", "remove the line")
    if conda := _CONDA.fullmatch(line):
        fix = f"write {conda['name']}=={conda['version']}; pip list --format=freeze writes all lines so"
        raise SourceError(place, f"{line} is conda's form, which pip cannot read", fix)
    found = _LINE.match(line)
    if not found or "${" in found["target"]:
        return
    target, editable = found["target"], bool(found["editable"])
    if _ELSEWHERE.match(target):
        cause = f"installs {target}, a path of the machine where it was frozen"
        raise SourceError(place, cause, _fix(_pinned(found["name"], target, above), editable))
    if editable and (ssh := _SSH.fullmatch(target)):
        revision, _, egg = ssh["rest"].partition("#egg=")
        name = found["name"] or egg.split("&")[0] or posixpath.basename(ssh["path"]).removesuffix(".git")
        other = f"{name} @ git+https://{ssh['host'] or ssh['other']}/{ssh['path']}{revision.partition('#')[0]}"
        raise SourceError(place, "is fetched over SSH, and the server has no key for that", _fix(other, editable))


def _pinned(name: str | None, target: str, above: str) -> str:
    """The line that an index understands, as far as the frozen one tells it."""
    if note := _EDITABLE_NOTE.match(above):
        return note["pinned"]
    archive = _ARCHIVE.fullmatch(posixpath.basename(unquote(target.partition("#")[0])))
    if archive:
        return f"{name or archive['name']}=={archive['version']}"
    return f"{name or 'NAME'}==VERSION as pip list --format=freeze shows it"


def _fix(line: str, editable: bool) -> str:
    own = "if it is this repository itself, write -e . or remove the line; otherwise " if editable else ""
    return f"{own}write {line}"
