"""What git said, told as a cause and a fix."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from codesensei.source.errors import SourceError

_CREDENTIALS = re.compile(r"(?P<scheme>(?<![a-z0-9+.-])[a-z0-9+.-]+://)(?P<login>[^/@\s]*@)", re.IGNORECASE)
_LINES = 5
_COLUMNS = 200

# First match wins. {host} is the URL's host.
_KNOWN = {
    r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No .* host key is known": (
        "{host}'s SSH host key is not known here, or it changed",
        "connect once by hand (ssh -T git@{host}) and compare the fingerprint with the one that the host publishes",
    ),
    r"Permission denied \(|Too many authentication failures|no mutual signature": (
        "{host} does not accept your SSH key",
        "load the key into your SSH agent (ssh-add), or name it in ~/.ssh/config; then: git ls-remote {url}",
    ),
    r"not a git repository \(or any": (
        "there is no repository",
        "give the directory of the project's repository; for a new project: git init, then commit it",
    ),
    r"Repository not found|does not appear to be a git repository|repository '[^']*' (does not exist|not found)"
    r"|The requested URL returned error: 404|project you were looking for could not be found|not a git repository": (
        "there is no repository, or you may not see it",
        "check the address, and your access with: git ls-remote {url}",
    ),
    r"could not read (Username|Password)|terminal prompts disabled|Authentication failed"
    r"|The requested URL returned error: 40[13]|Invalid username or (password|token)|Access denied": (
        "{host} wants credentials, and git has none that it accepts",
        "store them in a credential helper (git credential, gh auth setup-git), or use an SSH URL; "
        "then: git ls-remote {url}",
    ),
    r"transport '[^']*' not allowed": (
        "leads to a kind of transport that is not allowed",
        "use https, ssh or file, also in git's url.<base>.insteadOf",
    ),
    r"SSL certificate problem|server (certificate )?verification failed|SSL_ERROR|certificate verify": (
        "{host}'s TLS certificate is not trusted on this machine",
        "install the certificate authority that signed it, or name it in git's http.sslCAInfo",
    ),
    r"Could not resolve host(name)?|Name or service not known|Temporary failure in name resolution": (
        "the name {host} cannot be resolved",
        "check the address and this machine's network; a full commit that was fetched before needs no network",
    ),
    r"Connection refused|Connection timed out|Network is unreachable|No route to host|Failed to connect"
    r"|Connection reset|Operation timed out|no answer within|unexpected disconnect|Could not connect": (
        "{host} does not answer",
        "check this machine's network; a full commit that was fetched before needs no network",
    ),
    r"unable to read (tree|sha1 file|[0-9a-f]{40})|cannot read '[0-9a-f]{40}'"
    r"|missing (blob|tree|object)|promisor remote"
    r"|could not fetch [0-9a-f]{40}|bad tree object|not a tree object": (
        "the repository lacks files of this commit (a partial or damaged clone)",
        "fetch them (git fetch --refetch), clone it without --filter, or name it by its URL: project.source.git",
    ),
    r"dubious ownership": (
        "the repository belongs to another user of this machine",
        "if you trust it: git config --global --add safe.directory DIRECTORY",
    ),
    r"No space left on device": (
        "there is no space left for git's cache on this machine",
        "make room, or set XDG_CACHE_HOME to another directory",
    ),
}


def explain(thing: str, stderr: str) -> SourceError:
    """The error for what git wrote while it worked on `thing`: a URL or a name."""
    url = without_credentials(thing)
    for pattern, (cause, fix) in _KNOWN.items():
        if re.search(pattern, stderr):
            words = {"host": _host(thing), "url": url}
            return SourceError(url, cause.format(**words), fix.format(**words))
    said = [line[:_COLUMNS] for line in without_credentials(stderr).splitlines() if line.strip()]
    text = "; ".join(said[-_LINES:]) or "git ended with an error and said nothing"
    by_hand = f"git ls-remote {url}" if "://" in url or "@" in url else "git status, in that directory"
    return SourceError(url, text, f"try it by hand: {by_hand}")


def is_known(stderr: str) -> bool:
    """Whether `explain` knows the cause: nothing in git's cache is to blame for it."""
    return any(re.search(pattern, stderr) for pattern in _KNOWN)


def without_credentials(text: str) -> str:
    """The text with passwords and tokens in its URLs left out; a plain user name of ssh stays."""

    def hide(found: re.Match[str]) -> str:
        login = found["login"][:-1]
        return found[0] if found["scheme"].lower() == "ssh://" and ":" not in login else found["scheme"]

    return _CREDENTIALS.sub(hide, text)


def _host(thing: str) -> str:
    if "://" in thing:
        return urlsplit(thing).hostname or "this machine"
    login, at, rest = thing.partition("@")
    return rest.partition(":")[0] if at and " " not in login else "this machine"
