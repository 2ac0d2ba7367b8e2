"""Every path on the server, in one place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/srv/codesensei")
MEMORY = Path("/var/lib/codesensei")
CACHE = Path("/var/cache/codesensei")
LOCKS = Path("/run/codesensei")
LIBRARY = Path("/usr/local/lib/codesensei")
CONFIG = Path("/etc/codesensei")
REGISTER = MEMORY / "register.json"


@dataclass(frozen=True)
class ProjectPaths:
    """The paths of one project; `slug` names it on this server."""

    slug: str

    @property
    def root(self) -> Path:
        return ROOT / self.slug

    @property
    def current(self) -> Path:
        """Link to the serving release."""
        return self.root / "current"

    @property
    def previous(self) -> Path:
        """Link to the release that served before."""
        return self.root / "previous"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def shared(self) -> Path:
        """What outlives releases."""
        return self.root / "shared"

    @property
    def socket(self) -> Path:
        """Where the proxy finds the web process."""
        return self.shared / "gunicorn.sock"

    @property
    def hand_over(self) -> Path:
        """Root's place for the sockets of a hand-over."""
        return self.root / "hand-over"

    @property
    def candidate_place(self) -> Path:
        """Where the candidate makes its socket."""
        return self.hand_over / "candidate"

    @property
    def kept_socket(self) -> Path:
        """The live socket's second name, while the first one leads to the candidate."""
        return self.hand_over / "live.sock"

    @property
    def venvs(self) -> Path:
        return self.root / "venvs"

    @property
    def environments(self) -> Path:
        return self.root / "env"

    @property
    def memory(self) -> Path:
        """Root's own notes about this project; nobody else reads or writes there."""
        return MEMORY / self.slug

    @property
    def logs(self) -> Path:
        """Full output of build steps, filtered of secrets."""
        return self.memory / "logs"

    @property
    def cache(self) -> Path:
        """The build user's home: what pip and uv keep from one build to the next."""
        return CACHE / self.slug

    @property
    def incoming(self) -> Path:
        """Where the login user's copies of the source arrive."""
        return MEMORY / "incoming" / self.slug

    @property
    def build_user(self) -> str:
        """The unprivileged user that unpacks and installs; one per project, 12 characters."""
        return "csb-" + hashlib.sha256(self.slug.encode()).hexdigest()[:8]

    def release(self, release: str) -> Path:
        return self.releases / release

    def twin(self, release: str) -> Path:
        """The directory of a release that is prepared again while its own one is served from."""
        return self.releases / f".{release}"

    def inside(self, release: str) -> Path:
        """The product's own folder in a release: links to env file, venv and static."""
        return self.release(release) / ".codesensei"

    def env_file(self, release: str) -> Path:
        """The env file of a release; releases with the same variables share it."""
        return self.environments / f"{variables_of(release)}.env"

    def notes(self, release: str) -> Path:
        """What root knows of a release (facts, phases)."""
        return self.memory / "release" / f"{release}.json"

    def variable_notes(self, release: str) -> Path:
        """Which variables of a release are secret, and which carry credentials that the program manages."""
        return self.memory / "release" / f"{variables_of(release)}.env.json"


def variables_of(release: str) -> str:
    """The part of a release's name, `<code7>-<env7>`, that tells its variables."""
    return release.rpartition("-")[2]
