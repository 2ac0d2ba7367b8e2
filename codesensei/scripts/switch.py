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

from codesensei.scripts import candidate, causes, database, files, jobs, live, probe, prune, register
from codesensei.scripts.build import note
from codesensei.scripts.commands import run as command
from codesensei.scripts.commands import systemctl
from codesensei.scripts.jobs import Job, Release
from codesensei.scripts.live import Live
from codesensei.scripts.step import Failure, Step, write_json

# How long a worker must live before it counts as started, seconds.
GRACE = 5.0
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
    if _differs(now, release, manifest) or not _all_run(manifest):
        if _web_changes(now, release, manifest):
            seconds["candidate"] = round(candidate.prove(step, release, manifest), 1)
            step.say(f"candidate {name} has answered")
        seconds["switch"] = _switch(step, now, release, manifest)
        step.changed(f"{name} is live")
    else:
        _read_back(step, release, manifest)
        step.say(f"unchanged: {name} is live")
    _manage(step, manifest)
    _finish(step, release, manifest, seconds)
    step.result = json.dumps({"release": name, "revision": revision, "url": manifest["url"]}, sort_keys=True)


def _differs(now: Live, release: Release, manifest: Manifest) -> bool:
    links = [link for entry in manifest["files"] if (link := live.site_link(entry["path"]))]
    return (
        now.release != release.name
        or bool(now.manifest != manifest)
        or any(_file_differs(entry) for entry in manifest["files"])
        or any(files.link_target(link) is None for link in links)
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
    return now.release != release.name or _unit_changes(now, manifest, "web") or not all(map(live.is_active, web))


def _named(manifest: Manifest, kind: str) -> list[str]:
    return [unit["name"] for unit in manifest["units"] if unit["kind"] == kind]


def _unit_changes(now: Live, manifest: Manifest, kind: str) -> bool:
    before = {entry["path"]: entry["content"] for entry in now.manifest.get("files", [])}
    wanted = {f"/etc/systemd/system/{unit['name']}" for unit in manifest["units"] if unit["kind"] == kind}
    return any(before.get(entry["path"]) != entry["content"] for entry in manifest["files"] if entry["path"] in wanted)


def _switch(step: Step, now: Live, release: Release, manifest: Manifest) -> float:
    started = time.monotonic()
    live.save(step, now, manifest)
    try:
        _apply(step, now, release, manifest)
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
    return round(time.monotonic() - started, 1)


def _apply(step: Step, now: Live, release: Release, manifest: Manifest) -> None:
    began = time.time()
    stale = _restarts(now, release, manifest)
    _make_homes(step, release, manifest)
    proxy_changed = _write_files(step, now, manifest)
    role = manifest["database"]
    if role:
        database.apply_password(step.slug, role["role"], role["digest"])
    _point_current(step, now, release)
    systemctl("daemon-reload")
    sockets, web, workers = (_named(manifest, kind) for kind in ("socket", "web", "worker"))
    systemctl("enable", "--quiet", *sockets, *web, *workers)
    for name in sockets:
        _start_socket(name, name in stale)
    for name in web:
        systemctl("restart" if name in stale else "start", name)
    if proxy_changed:
        _reload_proxy()
    _read_back(step, release, manifest)
    _stop_departed(step, now, manifest)
    if workers:
        _start_workers(step, workers, stale)
        _await_workers(release, workers, began)


def _restarts(now: Live, release: Release, manifest: Manifest) -> set[str]:
    """Units whose process must be a new one: the release is another, or what the unit runs is."""
    before = {entry["path"]: entry["content"] for entry in now.manifest.get("files", [])}
    changed = {
        Path(entry["path"]).name.removesuffix(".sh")
        for entry in manifest["files"]
        if before.get(entry["path"]) != entry["content"] or _file_differs(entry)
    }
    names = {unit["name"] for unit in manifest["units"]}
    scripts = {f"{manifest['slug']}-{name}.service" for name in changed}
    restarted = names & (changed | scripts)
    if now.release != release.name or _password_differs(manifest):
        restarted |= {unit["name"] for unit in manifest["units"] if unit["kind"] != "socket"}
    return restarted


def _make_homes(step: Step, release: Release, manifest: Manifest) -> None:
    """Each process's HOME; made by the app user, whose folder it is in."""
    for home in manifest.get("homes", []):
        path = step.project.shared / "state" / home
        argv = [
            "setpriv",
            f"--reuid={release.user}",
            f"--regid={release.user}",
            "--clear-groups",
            "mkdir",
            "-p",
            str(path),
        ]
        command(argv)


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
    systemctl("reload-or-restart", "nginx")


def _read_back(step: Step, release: Release, manifest: Manifest) -> None:
    """Ask through the proxy, and make sure that it is this release's process which serves."""
    web = next(unit["name"] for unit in manifest["units"] if unit["kind"] == "web")
    health = manifest["health"]
    began = time.time()
    answer = probe.Answer(error="it was not asked")

    def answers() -> bool:
        nonlocal answer
        if live.show(web)["ActiveState"] == "failed":
            return True
        asked = {"host": health["hosts"][0], "scheme": health["scheme"], "url_path": health["path"]}
        answer = probe.ask_proxy(**asked, timeout=health["timeout"])
        return answer.status != 0 and not probe.is_nginx_own(answer)

    live.wait_until(answers, health["timeout"], 0.2)
    if probe.is_nginx_own(answer):
        answer = probe.Answer(
            answer.status, error=f"nginx itself answered with status {answer.status}, not the project"
        )
    log = jobs.redactor(release.project, release.name).clean(live.journal_of(web, began - 30))
    where = f"on the server: journalctl -u {web}, and {step.project.shared}/logs/error.log"
    candidate.judge(release, manifest, health["hosts"][0], answer, log, where=where)
    process = live.show(web)["MainPID"]
    served = os.path.realpath(f"/proc/{process}/cwd") if process != "0" else "nothing"
    if not f"{served}/".startswith(f"{release.path}/"):
        raise Failure(web, f"it serves {served}, not {release.path}", "run pulumi up again", log)


def _stop_departed(step: Step, now: Live, manifest: Manifest) -> None:
    """End the processes that are in the manifest no more."""
    names = {unit["name"] for unit in manifest["units"]}
    for name in sorted(set(now.units) - names):
        systemctl("disable", "--now", name, check=False)
        step.converge(files.remove_path(Path("/etc/systemd/system") / name), f"{name} stopped and removed")
    systemctl("daemon-reload")


def _start_workers(step: Step, workers: list[str], stale: set[str]) -> None:
    """Start what does not run, and replace what must be new: the old process drains first, up to its stop timeout."""
    renewed = [name for name in workers if name in stale and live.is_active(name)]
    old = {name: live.show(name)["MainPID"] for name in renewed}
    # Waits until the program runs and no longer: a unit whose start is only queued would look like one that has ended.
    systemctl("start", *(name for name in workers if name not in renewed), check=False)
    if renewed:
        systemctl("restart", "--no-block", *renewed)
    told = began = time.monotonic()
    # systemd itself ends a drain at TimeoutStopSec, so this loop ends.
    while draining := [name for name in renewed if live.show(name)["MainPID"] in (old[name], "0")]:
        if any(live.show(name)["ActiveState"] == "failed" for name in draining):
            break
        if time.monotonic() - told > jobs.QUIET_SECONDS:
            told = time.monotonic()
            step.say(f"{', '.join(draining)}: finishing its work for {told - began:.0f} s")
        time.sleep(0.1)


def _lives(state: dict[str, str]) -> bool:
    """Whether the unit runs or is just being started, and does not wait to be started again after it has ended."""
    return state["ActiveState"] in ("active", "activating") and state["SubState"] != "auto-restart"


def _await_workers(release: Release, workers: list[str], began: float) -> None:
    """Every worker must live through its grace time without a restart."""
    first = {name: live.show(name) for name in workers}
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        for name in workers:
            state = live.show(name)
            if not _lives(state) or state["NRestarts"] != first[name]["NRestarts"]:
                log = jobs.redactor(release.project, release.name).clean(live.journal_of(name, began))
                raise _dead(name, state, log)
        time.sleep(0.2)


def _dead(name: str, state: dict[str, str], log: str) -> Failure:
    ended = f"it ended within {GRACE:.0f} s of its start ({state['Result']}, status {state['ExecMainStatus']})"
    cause, cure = causes.explain_any(f"{log}\n{state['Result']}", "")
    return Failure(
        name,
        f"{ended}: {cause}" if cause else ended,
        cure or "mend its command in project.workers",
        log,
        where=f"on the server: journalctl -u {name}",
    )


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
    known = release.notes.get("seconds")
    phases = {**(known if isinstance(known, dict) else {}), **seconds}
    if step.changes:
        note(release, {"served": True, "seconds": phases})
        step.say("seconds: " + ", ".join(f"{phase} {value}" for phase, value in phases.items()))
