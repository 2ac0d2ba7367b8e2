"""Who owns what on the server, and that root neither runs nor follows what the app user can change."""

from __future__ import annotations

import json
from typing import TypedDict

import pytest

from tests.host.debians import each_debian
from tools.trials.stack import Stack

pytestmark = pytest.mark.host


class Entry(TypedDict):
    """One path of the server."""

    mode: str
    owner: str
    kind: str
    target: str


WALK = r"""
import grp, json, os, pwd, stat, sys
found = {}
for root in sys.argv[1:]:
    for folder, folders, files in os.walk(root):
        for path in [folder] + [os.path.join(folder, name) for name in folders + files]:
            s = os.lstat(path)
            kind = {0o4: "folder", 0o10: "file", 0o12: "link", 0o14: "socket"}.get(s.st_mode >> 12, "other")
            found[path] = {"mode": "%04o" % stat.S_IMODE(s.st_mode), "kind": kind,
                "owner": pwd.getpwuid(s.st_uid).pw_name + ":" + grp.getgrgid(s.st_gid).gr_name,
                "target": os.readlink(path) if kind == "link" else ""}
print(json.dumps(found))
"""


def walk(stack: Stack, *roots: str) -> dict[str, Entry]:
    """Every path below the roots."""
    found: dict[str, Entry] = json.loads(
        stack.server.console(f"cd / && python3 - {' '.join(roots)}", input=WALK.encode()).stdout
    )
    return found


@pytest.mark.proves(
    "paths.root",
    "paths.project",
    "paths.releases",
    "paths.env-file",
    "paths.shared",
    "paths.shared.links",
    "paths.shared.data",
    "paths.socket",
    "paths.units",
    "shared.move-with-current",
)
def test_the_table_of_owners_holds(deployed: Stack) -> None:
    release, root = deployed.serving(), f"/srv/codesensei/{deployed.slug}"
    found = walk(deployed, "/srv/codesensei")
    table = {
        "/srv/codesensei": ("folder", "root:root", "0755"),
        root: ("folder", "root:deploy", "0751"),
        f"{root}/manage": ("file", "root:root", "0755"),
        f"{root}/releases": ("folder", "root:deploy", "0751"),
        f"{root}/releases/{release}": ("folder", "root:deploy", "0751"),
        f"{root}/env": ("folder", "root:deploy", "0750"),
        f"{root}/env/{release[8:]}.env": ("file", "root:deploy", "0640"),
        f"{root}/shared": ("folder", "root:deploy", "1771"),
        f"{root}/shared/media": ("folder", "deploy:deploy", "0750"),
        f"{root}/shared/logs": ("folder", "deploy:deploy", "0750"),
        f"{root}/shared/state": ("folder", "deploy:deploy", "0750"),
        f"{root}/shared/gunicorn.sock": ("socket", "deploy:www-data", "0660"),
    }
    assert {path: (found[path]["kind"], found[path]["owner"], found[path]["mode"]) for path in table} == table
    links = {
        f"{root}/current": f"releases/{release}",
        f"{root}/shared/.env": "../current/.codesensei/env",
        f"{root}/shared/venv": "../current/.codesensei/venv",
    }
    assert {path: found[path]["target"] for path in links} == links
    assert {found[path]["owner"].split(":")[0] for path in links} == {"root"}
    units = walk(deployed, "/etc/systemd/system", "/etc/nginx", "/etc/codesensei", "/etc/logrotate.d")
    assert {entry["owner"].split(":")[0] for entry in units.values()} == {"root"}


@pytest.mark.proves("paths.releases", "paths.releases.revision")
def test_a_release_is_root_s_and_its_code_is_for_the_app_alone(deployed: Stack) -> None:
    release = f"/srv/codesensei/{deployed.slug}/releases/{deployed.serving()}"
    for path, entry in walk(deployed, release).items():
        assert entry["owner"] == "root:deploy" or path.startswith(f"{release}/.codesensei"), path
        if path.startswith(f"{release}/staticfiles"):
            assert entry["mode"] == ("0755" if entry["kind"] == "folder" else "0644"), path
        elif path != release and not path.startswith(f"{release}/.codesensei") and entry["kind"] != "link":
            assert entry["mode"] in {"0750", "0640", "0644" if path.endswith("/REVISION") else "0640"}, path
    assert deployed.server.console(f"cat {release}/REVISION").stdout == f"{deployed.outputs()['revision']}\n"


@pytest.mark.proves("root.trust", "paths.shared")
def test_the_app_user_can_write_only_in_its_own_folders(deployed: Stack) -> None:
    root = f"/srv/codesensei/{deployed.slug}"
    command = (
        "runuser -u deploy -- find /srv /etc /usr/local /var/lib/codesensei /usr/lib /opt"
        r" ! -type l -writable -not -path '*/proc/*' 2>/dev/null"
    )
    allowed = (f"{root}/shared",)
    found = deployed.server.console(command, check=False).stdout.splitlines()
    assert [path for path in found if not path.startswith(allowed)] == []
    mine = [path for path in found if path.count("/") == 5]
    assert set(mine) == {f"{root}/shared/{name}" for name in ("media", "logs", "state", "gunicorn.sock")}


@pytest.mark.proves("paths.shared", "root.trust")
def test_the_app_user_can_replace_nothing_of_root_s(deployed: Stack) -> None:
    root = f"/srv/codesensei/{deployed.slug}"
    for path in (f"{root}/shared/.env", f"{root}/shared/venv", f"{root}/current", f"{root}/manage"):
        for attempt in (f"rm -f {path}", f"mv {path} {path}.old", f"ln -sfn /tmp {path}"):
            done = deployed.server.console(f"runuser -u deploy -- {attempt}", check=False)
            assert done.returncode != 0, attempt
    assert deployed.site.greets("Hello")


@pytest.mark.proves("root.trust")
def test_what_root_runs_is_root_s_along_the_whole_path(deployed: Stack) -> None:
    """Scripts, configuration, programs of the units' own directives, and every directory on the way to them."""
    slug = deployed.slug
    roots = f"/usr/local/lib/codesensei /etc/codesensei /etc/nginx /etc/logrotate.d /var/lib/codesensei/{slug}"
    command = (
        f"find {roots} /etc/systemd/system /srv/codesensei/{slug}/manage \\( ! -user root -o -perm /022 \\) ! -type l"
    )
    assert deployed.server.console(command).stdout == ""
    folders = (
        "/ /usr /usr/local /usr/local/lib /etc /etc/systemd /var /var/lib /var/lib/codesensei /srv /srv/codesensei"
    )
    command = f"find {folders} /srv/codesensei/{slug} -maxdepth 0 \\( ! -user root -o -perm /022 \\)"
    assert deployed.server.console(command).stdout == ""
    shown = "systemctl show -P User guestbook.service guestbook-worker.service"
    assert deployed.server.console(shown).stdout.split() == ["deploy", "deploy"]
    processes = deployed.server.console(
        f"for p in /proc/[0-9]*; do case $(readlink $p/exe $p/cwd) in *{slug}*) stat -c %U $p; esac; done", check=False
    )
    assert set(processes.stdout.split()) <= {"deploy"}


def test_the_accounts_are_no_way_in(deployed: Stack) -> None:
    for user in ("deploy", deployed.server.console("getent passwd | grep -o '^csb-[0-9a-f]*'").stdout.strip()):
        fields = deployed.server.console(f"getent passwd {user}").stdout.strip().split(":")
        assert fields[6].endswith("/nologin")
        assert deployed.server.console(f"id -nG {user}").stdout.split() == [user] or user.startswith("csb-")
        assert deployed.server.console(f"runuser -u {user} -- sudo -n true", check=False).returncode != 0
        assert deployed.server.console(f"getent shadow {user}").stdout.split(":")[1] in {"!", "*", "!*"}


GUARD = "import os\n\nassert os.getuid() != 0, 'this runs as root'\n"
SETUP = "from setuptools import setup\n\nsetup(name='who', version='1', py_modules=['who'])\n"
# What a hook writes down: when, which hook, as whom, and how little of the machine it may take.
NOTE = (
    'echo "$(date +%s%N) {phase} $(id -un) $(nice) $(systemctl show -P CPUWeight -P IOWeight'
    ' codesensei-job-guestbook.service | tr "\\n" " ")" >> "$HOME/said"'
)
PHASES = ("beforeMigrate", "afterMigrate", "beforeCollectstatic", "afterCollectstatic", "afterSwitch")


@pytest.mark.proves("root.never", "root.locks", "build.weight", "words.release.immutable", "shared.move-with-current")
@each_debian(12)
def test_what_is_the_project_s_never_runs_as_root(stack: Stack) -> None:
    """Not its settings, its hooks or its packages; and what serves is not touched while the next release is made."""
    root, first = "/srv/codesensei/guestbook", stack.serving()
    contents = f"cd {root}/releases/{first} && find . .codesensei/env .codesensei/venv/ -type f -exec sha256sum {{}} +"
    before = stack.server.console(f"{contents} | sort").stdout
    settings = (stack.repository / "config/settings/production.py").read_text()
    requirements = (stack.repository / "requirements.txt").read_text()
    files = {
        "config/settings/production.py": f"{settings}\n{GUARD}",
        "requirements.txt": f"{requirements}\n./who\n",
        "who/setup.py": f"{GUARD}{SETUP}",
        "who/who.py": GUARD,
    }
    stack.set("project.source.revision", stack.commit(files))
    stack.set("project.hooks", {phase: [NOTE.format(phase=phase), "python -c 'import who'"] for phase in PHASES})
    stack.up()
    assert stack.serving() != first
    said = stack.server.console(f"cat {root}/shared/state/manage/said /var/cache/codesensei/guestbook/said").stdout
    lines = [line.split()[1:] for line in sorted(said.splitlines())]
    assert [line[0] for line in lines] == list(PHASES)
    build_user = stack.server.console("getent passwd | grep -o '^csb-[0-9a-f]*'").stdout.strip()
    users = {phase: build_user if "Collectstatic" in phase else "deploy" for phase in PHASES}
    assert {line[0]: line[1] for line in lines} == users
    assert {tuple(line[2:]) for line in lines} == {("10", "20", "20")}
    locks = walk(stack, "/run/codesensei")
    assert (locks["/run/codesensei"]["owner"], locks["/run/codesensei"]["mode"]) == ("root:root", "0700")
    assert locks["/run/codesensei/project-guestbook.lock"]["owner"] == "root:root"
    assert stack.server.console(f"{contents} | sort").stdout == before
    for link, where in {".env": "env", "venv": "venv"}.items():
        target = stack.server.console(f"readlink {root}/shared/{link}").stdout
        assert target == f"../current/.codesensei/{where}\n"
