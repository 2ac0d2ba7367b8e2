"""Step `switch`: the one step that changes what is live, wholly or not at all.

It gets the manifest of everything that shall be live. A candidate is proved first; then what is live is written down,
the manifest applied, and the served release read back through the proxy. On any failure all is put back as it was.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from codesensei.scripts import (
    candidate,
    certificates,
    database,
    default_tls,
    files,
    hand_over,
    jobs,
    live,
    nginx,
    phases,
    probe,
    prune,
    register,
    twins,
    workers,
)
from codesensei.scripts.commands import run as command
from codesensei.scripts.commands import systemctl
from codesensei.scripts.jobs import Job, Release, note
from codesensei.scripts.live import Live
from codesensei.scripts.step import Failure, Step, write_json

Manifest = dict[str, Any]


def run(step: Step) -> None:
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
    now = Live.read(project)
    seconds: dict[str, float] = {}
    if _differs(step, now, release, manifest) or not _all_run(manifest):
        _prove_and_switch(step, now, release, manifest, seconds)
        step.changed(f"{name} is live")
    else:
        _read_back(release, manifest)
        step.say(f"unchanged: {name} is live")
    _manage(step, manifest)
    _finish(step, release, manifest, seconds)
    step.result = json.dumps({"release": name, "revision": revision, "url": manifest["url"]}, sort_keys=True)


def _renews(now: Live, release: Release) -> bool:
    """Whether other code gets live: another release, or the same one prepared again."""
    return now.release != release.name or twins.waits(release.project, release.name)


def _differs(step: Step, now: Live, release: Release, manifest: Manifest) -> bool:
    links = [link for entry in manifest["files"] if (link := live.site_link(entry["path"]))]
    return (
        _renews(now, release)
        or bool(now.manifest != manifest)
        or any(_file_differs(entry) for entry in manifest["files"])
        or any(files.link_target(link) is None for link in links)
        or default_tls.wanted(step, manifest["defaultTls"]) is not None
        or _password_differs(manifest)
    )


def _file_differs(entry: dict[str, Any]) -> bool:
    try:
        return bool(Path(entry["path"]).read_text() != entry["content"])
    except FileNotFoundError:
        return True


def _password_differs(manifest: Manifest) -> bool:
    role = manifest["database"]
    if role is None:
        return False
    found = database.password(manifest["slug"], role["role"], role["digest"])
    return found.live != found.staged


def _all_run(manifest: Manifest) -> bool:
    return all(live.is_active(unit["name"]) for unit in manifest["units"])


def _web_changes(now: Live, release: Release, manifest: Manifest) -> bool:
    """Whether the web process must start anew: another release, another unit, or it does not run."""
    web = _named(manifest, "web")
    return _renews(now, release) or _unit_changes(now, manifest, "web") or not all(map(live.is_active, web))


def _named(manifest: Manifest, kind: str) -> list[str]:
    return [unit["name"] for unit in manifest["units"] if unit["kind"] == kind]


def _unit_changes(now: Live, manifest: Manifest, kind: str) -> bool:
    before = {entry["path"]: entry["content"] for entry in now.manifest.get("files", [])}
    wanted = {f"/etc/systemd/system/{unit['name']}" for unit in manifest["units"] if unit["kind"] == kind}
    return any(before.get(entry["path"]) != entry["content"] for entry in manifest["files"] if entry["path"] in wanted)


def _prove_and_switch(step: Step, now: Live, release: Release, manifest: Manifest, seconds: dict[str, float]) -> None:
    stale = _restarts(now, release, manifest)
    grace = workers.GRACE
    if stale & set(_named(manifest, "worker")):
        started = time.monotonic()
        grace = workers.prove(step, release, manifest)
        seconds["proof"] = round(time.monotonic() - started, 1)
    if not _web_changes(now, release, manifest):
        _switch(step, now, release, manifest, stale, seconds, grace, candidate_serves=False)
        return
    with candidate.proved(step, release, manifest) as taken:
        seconds["candidate"] = round(taken, 1)
        step.say(f"candidate {release.name} has answered")
        # It serves visitors meanwhile, unless it has a password that ends at the switch, or nothing is live.
        serves = not _password_differs(manifest) and not stale & set(_named(manifest, "socket"))
        units = [*_named(manifest, "socket"), *_named(manifest, "web")]
        serves = serves and hand_over.is_possible(step.project, units)
        _switch(step, now, release, manifest, stale, seconds, grace, candidate_serves=serves)


def _switch(
    step: Step,
    now: Live,
    release: Release,
    manifest: Manifest,
    stale: set[str],
    seconds: dict[str, float],
    grace: float,
    *,
    candidate_serves: bool,
) -> None:
    started = time.monotonic()
    live.save(step, now, release.name, manifest, stale)
    try:
        _apply(step, now, release, manifest, stale, candidate_serves=candidate_serves)
        seconds["web"] = round(time.monotonic() - started, 1)
        _renew_workers(step, now, release, manifest, stale, grace)
        seconds["workers"] = round(time.monotonic() - started - seconds["web"], 1)
    except Exception as error:
        step.say("putting everything back as it was")
        live.restore(step)
        if isinstance(error, Failure):
            raise
        raise Failure(
            f"switch to {release.name}", f"{error.__class__.__name__}: {error}", "everything was put back"
        ) from error
    write_json(step.project.memory / "live.json", manifest)
    live.forget(step.project)


def _apply(
    step: Step, now: Live, release: Release, manifest: Manifest, stale: set[str], *, candidate_serves: bool
) -> None:
    for process in manifest.get("homes", []):
        jobs.make_app_home(release, process)
    proxy_changed = _write_files(step, now, manifest)
    proxy_changed = default_tls.point(step, manifest["defaultTls"]) or proxy_changed
    role = manifest["database"]
    if role:
        database.apply_password(step.slug, role["role"], role["digest"])
    if twins.waits(step.project, release.name):
        twins.exchange(step.project, release.name)
        step.changed(f"{release.name} has what its hooks have made")
    _point_current(step, now, release)
    if candidate_serves:
        hand_over.to_candidate(step.project, Path(manifest["candidate"]["socket"]))
    systemctl("daemon-reload")
    systemctl("enable", "--quiet", *(unit["name"] for unit in manifest["units"]))
    for name in _named(manifest, "socket"):
        _start_socket(name, name in stale)
    for name in _named(manifest, "web"):
        systemctl("restart" if name in stale else "start", name)
    if candidate_serves:
        _read_back(release, manifest, step.project.kept_socket)
        hand_over.to_live(step.project)
        candidate.retire(manifest)
    if proxy_changed:
        _reload_proxy()
    _read_back(release, manifest)


def _renew_workers(step: Step, now: Live, release: Release, manifest: Manifest, stale: set[str], grace: float) -> None:
    names = _named(manifest, "worker")
    workers.stop_departed(step, now, manifest)
    if names:
        began = time.time()
        workers.start(step, names, stale)
        workers.await_grace(release, names, began, grace)


def _restarts(now: Live, release: Release, manifest: Manifest) -> set[str]:
    """Units whose process must be a new one: the release is another, or what the unit runs is."""
    before = {entry["path"]: entry["content"] for entry in now.manifest.get("files", [])}
    changed = {
        entry.get("renews") or Path(entry["path"]).name
        for entry in manifest["files"]
        if before.get(entry["path"]) != entry["content"] or _file_differs(entry)
    }
    restarted = {unit["name"] for unit in manifest["units"]} & changed
    if _renews(now, release) or _password_differs(manifest):
        restarted |= {unit["name"] for unit in manifest["units"] if unit["kind"] != "socket"}
    return restarted


def _write_files(step: Step, now: Live, manifest: Manifest) -> bool:
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


def _make_parents(step: Step, path: Path, group: str) -> None:
    if str(path).startswith("/etc/codesensei/"):
        files.make_directory(Path("/etc/codesensei"), 0o755)
        files.make_directory(Path("/etc/codesensei") / step.slug, 0o751)
        files.make_directory(path.parent, 0o750, "root", group)


def _point_current(step: Step, now: Live, release: Release) -> None:
    if now.release == release.name:
        return
    if now.release and step.project.release(now.release).is_dir():
        files.make_link(step.project.previous, f"releases/{now.release}")
    files.make_link(step.project.current, f"releases/{release.name}")
    step.changed(f"current leads to {release.name}")


def _start_socket(name: str, changed: bool) -> None:
    if changed and live.is_active(name):
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


def _read_back(release: Release, manifest: Manifest, socket: Path | None = None) -> None:
    """Ask through the proxy, or over a socket, and make sure that it is this release's process which serves."""
    web = next(unit["name"] for unit in manifest["units"] if unit["kind"] == "web")
    health = manifest["health"]
    began = time.time()
    answer = probe.Answer(error="it was not asked")
    asked = {"host": health["hosts"][0], "scheme": health["scheme"], "url_path": health["path"]}

    def answers() -> bool:
        nonlocal answer
        if live.show(web)["ActiveState"] == "failed":
            return True
        if socket:
            answer = probe.ask_socket(str(socket), **asked, timeout=health["timeout"])
        else:
            answer = probe.ask_proxy(**asked, timeout=health["timeout"])
        return answer.status != 0 and not probe.is_nginx_own(answer)

    live.wait_until(answers, health["timeout"])
    if probe.is_nginx_own(answer):
        answer = probe.Answer(
            answer.status, error=f"nginx itself answered with status {answer.status}, not the project"
        )
    where = f"on the server: journalctl -u {web}, and {release.project.shared}/logs/error.log"
    candidate.judge(release, manifest, health["hosts"][0], answer, web, began - 30, where=where)
    process = live.show(web)["MainPID"]
    served = os.path.realpath(f"/proc/{process}/cwd") if process != "0" else "nothing"
    if not f"{served}/".startswith(f"{release.path}/"):
        log = candidate.log_of(release, web, began - 30)
        raise Failure(web, f"it serves {served}, not {release.path}", "run pulumi up again", log)


def _manage(step: Step, manifest: Manifest) -> None:
    """What of the live state is ours, so that a change by hand is seen."""
    for entry in manifest["files"]:
        step.manage(entry["path"])
        link = live.site_link(entry["path"])
        if link:
            step.manage(link)
    for link in (step.project.current, step.project.shared / ".env", step.project.shared / "venv"):
        step.manage(link)


def _finish(step: Step, release: Release, manifest: Manifest, seconds: dict[str, float]) -> None:
    """After the switch: hooks that are reported and not undone, the register, old releases, the record."""
    if step.changes:
        for number, hook in enumerate(manifest["afterSwitch"]):
            script = step.project.environments / f"{release.name}.afterSwitch-{number}.sh"
            files.write_file(script, hook + "\n", 0o640, "root", release.user)
            done = jobs.run_job(step, release, Job(f"hook afterSwitch: {hook[:60]}", ["/bin/bash", "-e", str(script)]))
            ended = "has run" if done.ok else f"failed with status {done.code}, see {done.log}"
            step.say(f"hook afterSwitch {ended}: {hook[:60]}")
    register.settle(
        step.slug,
        {"units": [unit["name"] for unit in manifest["units"]], "hostnames": manifest["health"]["hosts"]},
    )
    if manifest["database"]:
        database.prune_staged(step.project, manifest["database"]["digest"])
    prune.record(step, release, seconds)
    prune.prune(step, manifest["keepReleases"])
    certificates.retire(step, manifest["tls"], manifest["acme"])
    if step.changes:
        note(release, {"served": True})
        step.say(phases.words(step.project, release, seconds))
