"""Secrets of the config: in their places, encrypted, and of a usable form. No value is ever shown.

The engine decrypts and converts before the program sees anything: of a map it says only that *something* inside was
encrypted, and `0123` has become 83. Only the stack file itself can tell more.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path

import yaml

from codesensei.config.problems import NAMESPACE, Problem
from codesensei.wire import digests, ini
from codesensei.wire.envfile import Written
from codesensei.wire.quick import dataclass

_PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\n(.+)\n-----END \1?PRIVATE KEY-----\n?", re.DOTALL)
_SHORTEST_DIGEST_KEY = 16
_SHORTEST_PASSWORD = 12
_MERGE = "tag:yaml.org,2002:merge"
BACKUP_SECRETS = ("password", "secretKey")
# What is read of a stack file. References to other values can make few lines stand for any number of them.
STACK_FILE_BYTES = 2 << 20
STACK_FILE_VALUES = 10_000
Place = tuple[str, ...]


class UnreadableStackFile(Exception):
    """The stack file is too big to be checked; `str()` is the text for the user."""

    def __init__(self, name: str, cause: str) -> None:
        self.name, self.cause = name, f"{cause}, and is not read"
        self.fix = "keep data in the project's own files, and in the stack file only what codesensei is told"
        super().__init__(f"{name}: {self.cause}\n    {self.fix}")


@dataclass(frozen=True)
class StackFile:
    """Places (key and keys below it, without the namespace) of a stack file's values."""

    sealed: frozenset[Place]
    plain: dict[Place, str | None]
    """Scalars; the text is there where it stands without quotes, else None."""
    text_id: str = ""
    """Digest of the whole text: of an encrypted value, that of its ciphertext."""

    def covers(self, place: Place) -> bool:
        """True where the file has something at the place, so that it can be asked about it."""
        return any(known[: len(place)] == place for known in (*self.sealed, *self.plain))

    def is_sealed(self, place: Place) -> bool:
        """True where the value, or all that it is part of, is encrypted."""
        return any(place[: len(sealed)] == sealed for sealed in self.sealed)

    def is_of(self, raw: Mapping[str, object]) -> bool:
        """Whether the config of this run is from this file: not where `--config-file` names another one."""
        keys = {place[0] for place in (*self.sealed, *self.plain)}
        return keys <= set(raw) and all(_has(raw, place) for place in (*self.sealed, *self.plain))

    def digest(self, raw: Mapping[str, object], shown: object) -> str:
        """64 hexadecimal digits for the file and for `shown`, the config without its secrets.

        Empty where a secret of the config is from elsewhere: nothing that may be seen changes with it.
        """
        if not all(self.is_sealed(place) for place in _secret_places(raw)):
            return ""
        return digests.of_texts([self.text_id, json.dumps(shown, sort_keys=True, default=str)])


_NOTHING = object()


def _at(raw: object, place: Place) -> object:
    for key in place:
        if isinstance(raw, Mapping) and key in raw:
            raw = raw[key]
        elif isinstance(raw, list) and key.isdigit() and int(key) < len(raw):
            raw = raw[int(key)]
        else:
            return _NOTHING
    return raw


def _has(raw: object, place: Place) -> bool:
    return _at(raw, place) is not _NOTHING


def find_stack_file(root: Path, stack: str) -> StackFile | None:
    """Read the file of a stack below the directory of Pulumi.yaml; None where it is not there or cannot be read."""
    try:
        project = yaml.safe_load((root / "Pulumi.yaml").read_text())
        directory = project.get("stackConfigDir") or "." if isinstance(project, dict) else "."
        file = root / directory / f"Pulumi.{stack}.yaml"
        if file.stat().st_size > STACK_FILE_BYTES:
            raise UnreadableStackFile(file.name, f"it has more than {STACK_FILE_BYTES >> 20} MB")
        return read_stack_file(file.read_text(), file.name)
    except (OSError, UnicodeError, yaml.YAMLError):
        return None


def read_stack_file(text: str, name: str = "the stack file") -> StackFile:
    """Read the text of a stack file. UnreadableStackFile where it is too deep, or stands for too many values."""
    sealed: set[Place] = set()
    plain: dict[Place, str | None] = {}
    try:
        for number, (place, node) in enumerate(_values(yaml.compose(text, Loader=yaml.SafeLoader)), 1):
            if number > STACK_FILE_VALUES:
                raise UnreadableStackFile(name, f"it has more than {STACK_FILE_VALUES} values")
            if node is None:
                sealed.add(place)
            elif isinstance(node, yaml.ScalarNode):
                plain[place] = None if node.style in {"'", '"', "|", ">"} else str(node.value)
    except RecursionError:
        raise UnreadableStackFile(name, "its values are nested too deeply") from None
    return StackFile(frozenset(sealed), plain, digests.of_texts([text]))


def _values(root: yaml.Node | None) -> Iterator[tuple[Place, yaml.Node | None]]:
    """Values with their places, maps and lists before what is in them; None for what is encrypted."""
    for name, node in _pairs(_pairs(root).get("config")).items():
        if name.startswith(NAMESPACE):
            yield from _below((name.removeprefix(NAMESPACE),), node)


def _below(place: Place, node: yaml.Node) -> Iterator[tuple[Place, yaml.Node | None]]:
    inner = _pairs(node)
    if [*inner] == ["secure"]:
        yield place, None
        return
    yield place, node
    if isinstance(node, yaml.SequenceNode):
        inner = {str(index): value for index, value in enumerate(node.value)}
    for key, value in inner.items():
        yield from _below((*place, key), value)


def _pairs(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """Keys and values of a map as the engine has them: its own, then those of the maps that `<<` names."""
    found: dict[str, yaml.Node] = {}
    waiting, known = [node], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, yaml.SequenceNode) and one is not node:
            waiting += reversed(one.value)
        if not isinstance(one, yaml.MappingNode) or id(one) in known:
            continue
        known.add(id(one))
        for key, value in one.value:
            if key.tag != _MERGE:
                found.setdefault(str(key.value), value)
        waiting += [value for key, value in one.value if key.tag == _MERGE]
    return found


@dataclass(frozen=True)
class Secrecy:
    """Secrets in plain text, and encrypted values where none are expected: of these the places, and what they hold."""

    problems: tuple[Problem, ...] = ()
    misplaced: tuple[Place, ...] = ()
    values: frozenset[str] = field(default=frozenset(), repr=False)

    def told(self, others: Iterable[Problem]) -> list[Problem]:
        """These problems, and of the others those that cannot show a value which somebody has encrypted."""
        return [*self.problems, *(other for other in others if not self._may_show(other))]

    def _may_show(self, problem: Problem) -> bool:
        words = _words(problem.path)
        near = any(words[: len(place)] == place[: len(words)] for place in map(_words, map(".".join, self.misplaced)))
        return near or any(value in str(problem) for value in self.values)


def _words(path: str) -> list[str]:
    """`project.hooks.afterMigrate[0]` as its parts."""
    return re.findall(r"[^.\[\]]+", path)


def secrecy_of(raw: Mapping[str, object], sealed_keys: set[str], file: StackFile | None) -> Secrecy:
    """What is encrypted of a config, held against what is to be.

    `sealed_keys`: top-level keys under which something was encrypted; `file`: None where it could not be read.
    """
    problems = [
        _in_plain(place)
        for place in _secret_places(raw)
        if place[0] not in sealed_keys or (file and file.covers(place) and not file.is_sealed(place))
    ]
    misplaced: list[Place] = []
    for key in sorted(sealed_keys & set(raw)):
        places = [place for place in sorted(file.sealed if file else ()) if place[0] == key] or [(key,)]
        # A key with a dot was set without --path, and is refused as that.
        misplaced += [place for place in places if "." not in key and not _may_be_sealed(place, raw)]
    problems += map(_misplaced, misplaced)
    values = frozenset(value for place in misplaced for value in _scalars(_at(raw, place)))
    return Secrecy(tuple(problems), tuple(misplaced), values)


def _scalars(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping | list):
            waiting += one.values() if isinstance(one, Mapping) else one
        elif one not in ("", _NOTHING):
            yield str(one)


def _secret_places(raw: Mapping[str, object]) -> list[Place]:
    places: list[Place] = [(key,) for key in ("sshPrivateKey", "digestKey") if key in raw]
    secret_env, tls = raw.get("secretEnv"), raw.get("tls")
    if isinstance(secret_env, Mapping):
        places += [("secretEnv", str(name)) for name, value in secret_env.items() if not _nested(value)]
    if isinstance(tls, Mapping) and "key" in tls:
        places.append(("tls", "key"))
    backups = raw.get("backups")
    if isinstance(backups, Mapping):
        places += [("backups", name) for name in BACKUP_SECRETS if name in backups]
    return places


def _nested(value: object) -> bool:
    return isinstance(value, Mapping | list)


def _may_be_sealed(place: Place, raw: Mapping[str, object]) -> bool:
    if place[0] == "tls":
        return place == ("tls", "key") or (place == ("tls",) and _has(raw, ("tls", "key")))
    if place[0] == "backups":
        secrets = [("backups", name) for name in BACKUP_SECRETS]
        return place in secrets or (place == ("backups",) and any(_has(raw, secret) for secret in secrets))
    return place[0] in {"secretEnv", "sshPrivateKey", "digestKey"}


def _in_plain(place: Place) -> Problem:
    path = ".".join(place)
    flag = "--path " if len(place) > 1 else ""
    fix = f"pulumi config set --secret {flag}codesensei:{path} (with a new value, if others could read this one)"
    return Problem("secret-in-plain", path, "is not encrypted", fix)


def _misplaced(place: Place) -> Problem:
    path = ".".join(place)
    if place[0] == "env":
        name = place[1] if len(place) > 1 else "NAME"
        fix = f"remove it here and set it with: pulumi config set --secret --path codesensei:secretEnv.{name}"
        return Problem("secret-in-env", path, "is encrypted, but env holds plain values: it would be shown", fix)
    message = "is encrypted, but it is not a secret and would be shown"
    return Problem("encrypted", path, message, "set it without --secret")


def as_written(raw: Mapping[str, object], file: StackFile | None) -> tuple[dict[str, object], list[Problem]]:
    """The config with the numbers of env that YAML or the engine has changed (0123, 1_000, 1.50, 30 digits) as texts.

    Each of them is a problem.
    """
    env = raw.get("env")
    if file is None or not isinstance(env, Mapping):
        return dict(raw), []
    texts = {}
    problems = []
    for name, value in env.items():
        text = file.plain.get(("env", str(name)))
        if isinstance(value, int | float) and not isinstance(value, bool) and text not in {None, str(value)}:
            texts[name] = text
            message, fix = f"unquoted {text} becomes {value}", f'quote it: "{text}"'
            problems.append(Problem("env-number-form", f"env.{name}", message, fix))
    return {**raw, "env": {**env, **texts}}, problems


@dataclass(frozen=True)
class SecretTexts:
    """Secret values in clear, on their way from the engine into Outputs; they stay inside this package."""

    env: Mapping[str, Written] = field(default_factory=dict, repr=False)
    ssh_private_key: str | None = field(default=None, repr=False)
    tls_key: str | None = field(default=None, repr=False)
    digest_key: str | None = field(default=None, repr=False)
    backups: Mapping[str, str] = field(default_factory=dict, repr=False)

    def all(self) -> list[str]:
        """Every value."""
        single = (self.ssh_private_key, self.tls_key, self.digest_key)
        return [*self.env.values(), *self.backups.values(), *(value for value in single if value)]


def once(problems: Iterable[Problem], secrets: SecretTexts) -> tuple[Problem, ...]:
    """Each problem once, and as a last door without any secret value in it."""
    values = [value for value in secrets.all() if len(value) >= 8]
    clean = []
    for problem in dict.fromkeys(problems):
        shows = any(value in str(problem) for value in values)
        clean.append(Problem(problem.rule, "…", "a secret value stands here", "remove it") if shows else problem)
    return tuple(clean)


def take_secrets(raw: Mapping[str, object]) -> tuple[SecretTexts, list[Problem]]:
    """The secret values, and what is wrong with their form."""
    variables, problems = _texts(raw.get("secretEnv"), "secretEnv.")
    env = {name: Written(value) for name, value in variables.items()}
    single, found = _texts({key: raw[key] for key in ("sshPrivateKey", "digestKey") if key in raw}, "")
    problems += found
    tls = raw.get("tls")
    tls_key = tls.get("key") if isinstance(tls, Mapping) else None
    if isinstance(tls, Mapping) and tls_key is None and "acme" not in tls:
        fix = "pulumi config set --secret --path codesensei:tls.key < key.pem"
        problems.append(Problem("tls-key-missing", "tls.key", "is missing: a certificate needs its key", fix))
    if isinstance(tls, Mapping) and tls_key is not None and "acme" in tls:
        fix = "remove it: pulumi config rm --path codesensei:tls.key"
        problems.append(Problem("tls-key-unused", "tls.key", "has no use: the certificate is the authority's", fix))
    ssh_key, digest_key = single.get("sshPrivateKey"), single.get("digestKey")
    if ssh_key is not None:  # `pulumi config set` cuts the last line break, and a key may come from Windows
        ssh_key = ssh_key.replace("\r\n", "\n").strip() + "\n"
    problems += [*_ssh_key(ssh_key), *_tls_key(tls_key), *_digest_key(digest_key)]
    backups, found = _of_backups(raw.get("backups"))
    problems += found
    return SecretTexts(env, ssh_key, tls_key if isinstance(tls_key, str) else None, digest_key, backups), problems


def _texts(given: object, folder: str) -> tuple[dict[str, str], list[Problem]]:
    """Secrets of a map as texts, integers too: a map that was encrypted as a whole may have any kind of value."""
    texts, problems = {}, []
    for key, value in given.items() if isinstance(given, Mapping) else ():
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            texts[str(key)] = str(value)
        else:
            path = f"{folder}{key}"
            fix = f"set it again: pulumi config set --secret {'--path ' if folder else ''}{NAMESPACE}{path}"
            problems.append(Problem("secret-not-text", path, "is not text", fix))
    return texts, problems


def _of_backups(given: object) -> tuple[dict[str, str], list[Problem]]:
    if not isinstance(given, Mapping):
        return {}, []
    secrets, problems = _texts({name: given[name] for name in BACKUP_SECRETS if name in given}, "backups.")
    is_s3 = str(given.get("to", "")).startswith("s3:")
    if "secretKey" in given and "to" in given and not is_s3:
        fix = "remove it: pulumi config rm --path codesensei:backups.secretKey"
        problems.append(Problem("backup-secret-unused", "backups.secretKey", "has no use: backups.to is not s3:", fix))
    if is_s3 and given.get("secretKey", "") == "":
        message = "is missing: the storage needs the secret of its access key"
        fix = "pulumi config set --secret --path codesensei:backups.secretKey"
        problems.append(Problem("backup-secret-key", "backups.secretKey", message, fix))
    if _is_torn(secrets.get("secretKey", "")):
        message = "has a line break, or a blank at an end"
        fix = "set it again, as the storage tells it: pulumi config set --secret --path codesensei:backups.secretKey"
        problems.append(Problem("backup-secret-key-text", "backups.secretKey", message, fix))
    password = secrets.get("password", "x" * _SHORTEST_PASSWORD)
    if len(password) < _SHORTEST_PASSWORD or _is_torn(password):
        message = f"is shorter than {_SHORTEST_PASSWORD} characters, or has a line break or a blank at an end"
        fix = "remove it, to have one generated, or set the password that the backups were made with"
        problems.append(Problem("backup-password", "backups.password", message, fix))
    return secrets, problems


def _is_torn(value: str) -> bool:
    """Whether it would come out as another one from restic's and pgBackRest's files."""
    return value != value.strip() or bool(value and ini.refusal(value))


def _ssh_key(key: str | None) -> Iterator[Problem]:
    fix = "set it from the file: pulumi config set --secret codesensei:sshPrivateKey < ~/.ssh/id_ed25519"
    if key is None:
        return
    if key.startswith(("ssh-", "ecdsa-")):
        yield Problem("ssh-key-public", "sshPrivateKey", "is a public key", fix)
    elif not (found := _PRIVATE_KEY.fullmatch(key)):
        yield Problem("ssh-key", "sshPrivateKey", "is not a complete private key", fix)
    elif _has_passphrase(found.group(1) or "", found.group(2)):
        message = "has a passphrase, which nobody can type during a deploy"
        fix = "remove this key and use the SSH agent, or set a key without one"
        yield Problem("ssh-key-passphrase", "sshPrivateKey", message, fix)


def _has_passphrase(kind: str, body: str) -> bool:
    if kind == "ENCRYPTED " or "ENCRYPTED" in body:
        return True
    if kind != "OPENSSH ":
        return False
    try:
        blob = base64.b64decode(body)
    except binascii.Error:
        return False
    magic = b"openssh-key-v1\0"
    length = int.from_bytes(blob[len(magic) : len(magic) + 4], "big")
    return blob.startswith(magic) and blob[len(magic) + 4 : len(magic) + 4 + length] != b"none"


def _tls_key(key: object) -> Iterator[Problem]:
    found = _PRIVATE_KEY.search(key) if isinstance(key, str) else None
    whole = found and found.group(1) not in {"OPENSSH ", "ENCRYPTED "} and "ENCRYPTED" not in found.group(2)
    if key is not None and not whole:
        fix = "set it from the file: pulumi config set --secret --path codesensei:tls.key < key.pem"
        yield Problem("tls-key", "tls.key", "is not a private key in PEM form without a passphrase", fix)


def _digest_key(key: str | None) -> Iterator[Problem]:
    if key is not None and len(key) < _SHORTEST_DIGEST_KEY:
        fix = "generate one: openssl rand -hex 32 | pulumi config set --secret codesensei:digestKey"
        yield Problem("digest-key", "digestKey", f"is shorter than {_SHORTEST_DIGEST_KEY} characters", fix)
