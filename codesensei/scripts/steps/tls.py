"""Stage a certificate and its key for the switch: checked, or made here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from codesensei.scripts.base import files, nginx
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.serving.certificates import WARN_DAYS
from codesensei.scripts.serving.live import Live
from codesensei.scripts.serving.pair import Pair, check, names_of, plain, self_signed, valid_for
from codesensei.wire.steps import Tls

RENEW_BEFORE_DAYS = 60


def run(step: Step[Tls]) -> None:
    """Write tls/<digest>/{certificate.pem,key.pem} below the project's memory."""
    (digest,) = step.args
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,80}", digest):
        raise Failure("tls", "the digest is not one", "this is a bug in codesensei: please report it")
    folder, data = step.project.tls(digest), step.data
    if data.self_signed:
        pair = _kept(folder, data.self_signed) or self_signed(data.self_signed)
    else:
        pair = Pair(data.certificate, data.key)
        check(pair)
        if not valid_for(pair, WARN_DAYS):
            step.say(f"warning: the certificate expires within {WARN_DAYS} days")
    files.make_directory(folder.parent, 0o700)
    files.make_directory(folder, 0o700)
    wrote = files.write_file(folder / "key.pem", pair.key, 0o600)
    wrote = files.write_file(folder / "certificate.pem", pair.certificate, 0o600) or wrote
    step.converge(wrote, f"certificate staged in {folder}")
    served = Live.read(step.project).manifest
    if wrote and served and served.tls == digest:
        # Somebody had changed what visitors get.
        nginx.reload()
    step.manage(folder / "certificate.pem")
    step.manage(folder / "key.pem")


def _kept(folder: Path, hostnames: Sequence[str]) -> Pair | None:
    """The certificate made earlier, if it is for the same names and valid long enough."""
    try:
        pair = Pair((folder / "certificate.pem").read_text(), (folder / "key.pem").read_text())
        check(pair)
    except (OSError, Failure):
        return None
    same = names_of(pair) == {plain(name.strip("[]")) for name in hostnames}
    return pair if same and valid_for(pair, RENEW_BEFORE_DAYS) else None
