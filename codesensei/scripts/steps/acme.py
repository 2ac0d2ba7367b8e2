"""Step `acme`: get a certificate for the stack's names from an ACME authority, with certbot, before the switch.

A name without a certificate stops nothing: the best certificate there is goes into its place, a self-signed one at
first, and the result says which names lack one, why, and what to do. certbot's own timer renews; its deploy hook is
`renewed`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from codesensei.scripts.base import commands, units
from codesensei.scripts.base.commands import Result, systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.serving import certificates, dns
from codesensei.scripts.serving.certificates import Folder, Held, Wanted
from codesensei.wire import paths
from codesensei.wire.steps import Acme, AcmeSaid

BUSY_WAIT = 300.0
CERTBOT_TIMEOUT = 600.0
AGAIN = "then run pulumi up again"
# What certbot says; the cause, the fix.
KNOWN = {
    r"CERTIFICATE_VERIFY_FAILED": (
        "this server does not trust the authority's own certificate ({directory})",
        "set codesensei:tls.acme.rootCertificate to the authority's root certificate",
    ),
    r"rateLimited|too many (certificates|failed|new|requests|currently)|rate limit": (
        "the authority refuses it for now (rate limit): {detail}",
        f"wait as long as it says, {AGAIN}; for trials use a staging directory in codesensei:tls.acme.directory",
    ),
    r"ConnectionError|NewConnectionError|ConnectTimeout|ReadTimeout|NameResolutionError|Max retries exceeded"
    r"|ValueError: Requesting \S+: ": (
        "the authority {directory} cannot be reached from this server",
        f"check the server's network and DNS, and codesensei:tls.acme.directory, {AGAIN}",
    ),
    r"externalAccountRequired|External account binding": (
        "the authority {directory} requires an existing account (external account binding)",
        f"use an authority that does not, or register there by hand (certbot register --eab-kid …), {AGAIN}",
    ),
    r"invalidContact|unsupportedContact|invalid email|invalid contact": (
        "the authority rejects the address in codesensei:tls.acme.email: {detail}",
        f"correct it, {AGAIN}",
    ),
}


def run(step: Step[Acme]) -> None:
    """Obtain what is missing, put the best certificate into its place, and say what could not be obtained."""
    (digest,) = step.args
    if not re.fullmatch(r"[0-9a-f]{16}", digest):
        raise Failure("acme", "the digest is not one", "this is a bug in codesensei: please report it")
    data = step.data
    folder = Folder(step.project, digest)
    folder.make(Wanted(hostnames=data.hostnames, directory=data.directory))
    certificates.trust(step, data.root_certificate)
    step.manage(certificates.authority(step.project))
    # The distribution's timer renews: it must be on.
    timer = certificates.TIMER
    if systemctl("cat", timer, check=False).ok:
        units.ensure_running(step, timer, timer)
    reasons = _obtain(step)
    folder.install(step)
    live = folder.live
    covered = live.covers(data.hostnames) if live else set()
    missing = [name for name in data.hostnames if name not in covered]
    warnings = [_sentence(name, reasons.get(name) or reasons.get("")) for name in missing]
    if not missing and reasons.get(""):
        warnings = [f"the certificate was not replaced: {': '.join(reasons[''])}"]
    step.result = AcmeSaid(warnings=tuple(warnings))


Reasons = dict[str, tuple[str, str]]


def _sentence(name: str, reason: tuple[str, str] | None) -> str:
    cause, fix = reason or ("certbot did not say why", "see /var/log/letsencrypt/letsencrypt.log on the server")
    return f"no valid certificate for {name}, and browsers refuse it: {cause}\nfix: {fix}"


def _obtain(step: Step[Acme]) -> Reasons:
    """Ask for a certificate unless the right one is there; reasons by name, those that concern all under ""."""
    data, wanted, held = step.data, set(step.data.hostnames), certificates.obtained(step.project)
    present = wanted & held.names if held else set()
    reasons = {name: why for name in sorted(wanted - present) if (why := dns.why_not(name))}
    names = sorted(wanted - reasons.keys())
    fits = held and held.directory == data.directory and held.names <= wanted and held.covers(names) == set(names)
    if fits or not names:
        return reasons
    step.say(f"asking {urlsplit(data.directory).hostname} for a certificate for {', '.join(names)}")
    done = _certbot(step, [*_words(step, held), *(f"--domain={name}" for name in names)])
    return {**_explained(done, data.directory, names), **reasons}


def _words(step: Step[Acme], held: Held | None) -> list[str]:
    data = step.data
    words = ["certbot", "certonly", "--non-interactive", "--agree-tos", "--webroot", "--allow-subset-of-names"]
    words += [f"--webroot-path={paths.SERVER.challenges}", f"--cert-name={certificates.lineage(step.project)}"]
    words += ["--keep-until-expiring", "--renew-with-new-domains", "--key-type=ecdsa", f"--server={data.directory}"]
    words += [f"--deploy-hook={step.project.launcher} renewed"]
    words += [f"--email={data.email}"] if data.email else ["--register-unsafely-without-email"]
    # certbot looks only at names and age: it would keep a certificate from another authority.
    return words + (["--force-renewal"] if held and held.directory != data.directory else [])


def _certbot(step: Step[object], words: list[str]) -> Result:
    """Run certbot, after another one has ended; its hook leaves the certificate to this step."""
    deadline = time.monotonic() + BUSY_WAIT
    told = False
    while True:
        done = commands.run(words, env={"CODESENSEI_STEP": step.name}, check=False, timeout=CERTBOT_TIMEOUT)
        if "Another instance of Certbot is already running" not in done.stderr or time.monotonic() > deadline:
            return done
        if not told:
            step.say("waiting for another certbot")
            told = True
        time.sleep(2)


def _explained(done: Result, directory: str, names: Iterable[str]) -> Reasons:
    """Why, by name: in the authority's own words where it gave any."""
    said = f"{done.stdout}\n{done.stderr}"
    fix = f"open port 80 to the world, and let no other DNS record (AAAA) lead elsewhere; {AGAIN}"
    told = re.findall(r"Domain:\s*(\S+)\s+Type:\s*\S+\s+Detail:\s*(.+?)(?=\n\s*\n|\n\s*Domain:|\Z)", said, re.S)
    reasons = {name: (f"the authority says: {' '.join(detail.split())}"[:600], fix) for name, detail in told}
    if done.ok:
        return reasons
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    detail = next((line for line in reversed(lines) if "letsencrypt.log" not in line and "community" not in line), "")
    for pattern, (cause, fix) in KNOWN.items():
        if re.search(pattern, said, re.IGNORECASE):
            return {**reasons, "": (cause.format(directory=directory, detail=detail[:400]), fix)}
    if set(names) <= reasons.keys():
        return reasons
    return {**reasons, "": (f"certbot says: {detail[:400]}", "see /var/log/letsencrypt/letsencrypt.log on the server")}
