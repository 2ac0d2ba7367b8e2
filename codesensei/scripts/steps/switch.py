"""Step `switch`: the one step that changes what is live, wholly or not at all.

It gets the manifest of everything that shall be live. A candidate is proved first; then what is live is written down,
the manifest applied, and the served release read back through the proxy. On any failure all is put back as it was.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from codesensei.scripts.base import files, nginx, register, units
from codesensei.scripts.base.commands import run as command
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step, write_json
from codesensei.scripts.postgres import passwords
from codesensei.scripts.release import causes, jobs, phases, prune, twins
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import candidate, certificates, default_tls, hand_over, live, served, workers
from codesensei.scripts.serving.change import Change, Manifest
from codesensei.scripts.serving.live import Live


def run(step: Step[object]) -> None:
    """Make the manifest live, or leave everything as it was."""
    name, revision = step.args
    manifest = step.data
    project = step.project
    release = Release(project, name, manifest["user"], manifest["directory"], manifest["settingsModule"])
    live.refuse_foreign_paths(step.slug, manifest["files"])
    if not release.notes.get("prepared"):
        raise Failure(f"release {name}", "it is not complete on this server", "run pulumi up again")
    if live.interrupted(project):
        step.changed("an interrupted switch is put back first")
        live.restore(step)
    jobs.end_orphans(step)
    candidate.end_orphan(step, manifest)
    change = Change(step, Live.read(project), release, manifest)
    seconds: dict[str, float] = {}
    if change.is_needed():
        _prove_and_switch(change, seconds)
        step.changed(f"{name} is live")
    else:
        served.read_back(change)
        step.say(f"unchanged: {name} is live")
    _manage(step, manifest)
    warnings = _finish(step, release, manifest, seconds)
    said = {"release": name, "revision": revision, "url": manifest["url"], "warnings": warnings}
    step.result = json.dumps(said, sort_keys=True)


def _prove_and_switch(change: Change, seconds: dict[str, float]) -> None:
    step, release, manifest = change.step, change.release, change.manifest
    stale = change.stale()
    grace = workers.GRACE
    if stale & set(change.named("worker")):
        started = time.monotonic()
        grace = workers.prove(step, release, manifest)
        seconds["proof"] = round(time.monotonic() - started, 1)
    if not change.of_web():
        _switch(change, stale, seconds, grace, candidate_serves=False)
        return
    with candidate.proved(step, release, manifest) as taken:
        seconds["candidate"] = round(taken, 1)
        step.say(f"candidate {release.name} has answered")
        # It serves visitors meanwhile, unless it has a password that ends at the switch, or nothing is live.
        serves = not change.of_password() and not stale & set(change.named("socket"))
        serves = serves and hand_over.is_possible(step.project, change.named("socket", "web"))
        _switch(change, stale, seconds, grace, candidate_serves=serves)


def _switch(
    change: Change, stale: set[str], seconds: dict[str, float], grace: float, *, candidate_serves: bool
) -> None:
    step, release = change.step, change.release
    started = time.monotonic()
    live.save(step, change.now, release.name, change.manifest, stale)
    try:
        _apply(change, stale, candidate_serves=candidate_serves)
        seconds["web"] = round(time.monotonic() - started, 1)
        _renew_workers(change, stale, grace)
        seconds["workers"] = round(time.monotonic() - started - seconds["web"], 1)
    except Exception as error:
        step.say("putting everything back as it was")
        live.restore(step)
        if isinstance(error, Failure):
            raise
        raise Failure(
            f"switch to {release.name}", f"{error.__class__.__name__}: {error}", "everything was put back"
        ) from error
    write_json(step.project.live, change.manifest)
    live.forget(step.project)


def _apply(change: Change, stale: set[str], *, candidate_serves: bool) -> None:
    step, release, manifest = change.step, change.release, change.manifest
    for process in manifest.get("homes", []):
        jobs.make_app_home(release, process)
    proxy_changed = _write_files(step, change.now, manifest)
    proxy_changed = default_tls.point(step, manifest["defaultTls"]) or proxy_changed
    role = manifest["database"]
    if role:
        passwords.apply(step.slug, role["role"], role["digest"])
    if twins.waits(step.project, release.name):
        twins.exchange(step.project, release.name)
        step.changed(f"{release.name} has what its hooks have made")
    _point_current(step, change.now, release)
    if candidate_serves:
        hand_over.to_candidate(step.project, Path(manifest["candidate"]["socket"]))
    systemctl("daemon-reload")
    systemctl("enable", "--quiet", *(unit["name"] for unit in manifest["units"]))
    for name in change.named("socket"):
        _start_socket(name, name in stale)
    for name in change.named("web"):
        systemctl("restart" if name in stale else "start", name)
    if candidate_serves:
        served.read_back(change, step.project.kept_socket)
        hand_over.to_live(step.project)
        candidate.retire(manifest)
    if proxy_changed:
        _reload_proxy()
    served.read_back(change)


def _renew_workers(change: Change, stale: set[str], grace: float) -> None:
    names = change.named("worker")
    workers.stop_departed(change.step, change.now, change.manifest)
    if names:
        began = time.time()
        workers.start(change.step, names, stale)
        workers.await_grace(change.release, names, began, grace)


def _write_files(step: Step[object], now: Live, manifest: Manifest) -> bool:
    """The manifest's files, and none that left it; whether the proxy's changed."""
    proxy_changed = False
    for entry in manifest["files"]:
        path = Path(entry["path"])
        _make_parents(step, path, entry.get("group", "root"))
        changed = files.write_file(path, entry["content"], int(entry["mode"], 8), "root", entry.get("group", "root"))
        link = live.site_link(entry["path"])
        if link:
            changed = files.make_link(link, f"../sites-available/{path.name}") or changed
            proxy_changed = proxy_changed or changed
        step.converge(changed, f"{path} written")
    for gone in sorted(set(now.paths) - {entry["path"] for entry in manifest["files"]}):
        link = live.site_link(gone)
        if link:
            proxy_changed = files.remove_path(link) or proxy_changed
        if not gone.startswith("/etc/systemd/system/"):
            step.converge(files.remove_path(Path(gone)), f"{gone} removed")
    return proxy_changed


def _make_parents(step: Step[object], path: Path, group: str) -> None:
    if str(path).startswith("/etc/codesensei/"):
        files.make_directory(Path("/etc/codesensei"), 0o755)
        files.make_directory(Path("/etc/codesensei") / step.slug, 0o751)
        files.make_directory(path.parent, 0o750, "root", group)


def _point_current(step: Step[object], now: Live, release: Release) -> None:
    if now.release == release.name:
        return
    if now.release and step.project.release(now.release).is_dir():
        files.make_link(step.project.previous, f"releases/{now.release}")
    files.make_link(step.project.current, f"releases/{release.name}")
    step.changed(f"current leads to {release.name}")


def _start_socket(name: str, changed: bool) -> None:
    if changed and units.is_active(name):
        # A socket cannot be restarted under its running service.
        systemctl("stop", name.replace(".socket", ".service"), check=False)
        systemctl("restart", name)
    else:
        systemctl("start", name)


def _reload_proxy() -> None:
    tested = command(["nginx", "-t", "-q"], check=False)
    if not tested.ok:
        raise Failure("proxy", "nginx refuses the new site", "nothing was changed", tested.stderr)
    nginx.reload(start=True)


def _manage(step: Step[object], manifest: Manifest) -> None:
    """What of the live state is ours, so that a change by hand is seen."""
    for entry in manifest["files"]:
        step.manage(entry["path"])
        link = live.site_link(entry["path"])
        if link:
            step.manage(link)
    for link in (step.project.current, step.project.env_link, step.project.venv_link):
        step.manage(link)


def _after_switch(step: Step[object], release: Release, hooks: list[str]) -> list[str]:
    """Run the hooks that are reported and not undone; what to warn of."""
    warnings = []
    for number, hook in enumerate(hooks):
        script = step.project.environments / f"{release.name}.afterSwitch-{number}.sh"
        files.write_file(script, hook + "\n", 0o640, "root", release.user)
        done = jobs.run_job(step, release, Job(f"hook afterSwitch: {hook[:60]}", ["/bin/bash", "-e", str(script)]))
        if done.ok:
            step.say(f"hook afterSwitch has run: {hook[:60]}")
            continue
        ended = f"status {done.code}"
        cause, _ = causes.explain_any(done.tail, ended)
        why = ended if cause == ended else f"{ended}: {cause}"
        warnings.append(f"{release.name} is live, and its hook afterSwitch failed with {why} ({hook}); see {done.log}")
        step.say(f"hook afterSwitch failed with status {done.code}, see {done.log}: {hook[:60]}")
    return warnings


def _finish(step: Step[object], release: Release, manifest: Manifest, seconds: dict[str, float]) -> list[str]:
    """After the switch: its hooks, the register, old releases, the record; what to warn of."""
    warnings = _after_switch(step, release, manifest["afterSwitch"]) if step.changes else []
    register.settle(
        step.slug,
        {"units": [unit["name"] for unit in manifest["units"]], "hostnames": manifest["health"]["hosts"]},
    )
    if manifest["database"]:
        passwords.prune(step.project, manifest["database"]["digest"])
    prune.record(step, release, seconds)
    prune.prune(step, manifest["keepReleases"])
    certificates.retire(step, manifest["tls"], manifest["acme"])
    if step.changes:
        note(release, {"served": True})
        step.say(phases.describe(step.project, release, seconds))
    return warnings
