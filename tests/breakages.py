"""Ways to break the product on purpose, and the sentence of the contract whose tests must notice each."""

from __future__ import annotations

from typing import NamedTuple


class Breakage(NamedTuple):
    """A sentence's id, a file, a text that stands in it once, and what takes its place."""

    sentence: str
    file: str
    old: str
    new: str

    @property
    def name(self) -> str:
        """For the test report."""
        return f"{self.sentence} {self.new.strip().splitlines()[0] if self.new.strip() else 'without'}"[:70]


PROGRAMS, REMOTE, RENDER, SCRIPTS, CONFIG, SOURCE, TEMPLATES, WIRE = (
    "codesensei/programs",
    "codesensei/remote",
    "codesensei/render",
    "codesensei/scripts",
    "codesensei/config",
    "codesensei/source",
    "codesensei/templates",
    "codesensei/wire",
)

# Noticed by tests that need neither engine nor server.
UNIT = [
    # Environment
    Breakage("env.data", f"{WIRE}/envfile.py", r"""re.compile(r'["\\$`]')""", r"""re.compile(r'["\\`]')"""),
    Breakage("env.same-reading", f"{WIRE}/envfile.py", r"""re.compile(r'["\\$`]')""", r"""re.compile(r'["$`]')"""),
    Breakage("env.quoted-word", f"{WIRE}/envfile.py", "value if is_quoted_word(value) else ", ""),
    Breakage("env.quoted-word", f"{WIRE}/envfile.py", '''[^"$`\\\\]*"''', '''[^"`\\\\]*"'''),
    Breakage(
        "env.one-each", f"{WIRE}/envfile.py", "for name in sorted(variables))", "for name in list(variables) * 2)"
    ),
    Breakage("env.refused-values", f"{WIRE}/envfile.py", 'if "\\0" in value:', 'if "\\1" in value:'),
    Breakage(
        "env.refused-types", f"{CONFIG}/variables.py", "if isinstance(value, bool):", "if value is None and False:"
    ),
    Breakage("env.refused-types", f"{CONFIG}/variables.py", "if date := _DATE.fullmatch(value):", "if date := None:"),
    Breakage("env.integers", f"{CONFIG}/variables.py", "    return str(value)\n", "    return hex(value)\n"),
    Breakage("env.owned", f"{CONFIG}/variables.py", "|LISTEN_.*|LD_.*", "|LISTEN_.*"),
    Breakage("env.owned", f"{CONFIG}/variables.py", "|BASH_ENV|ENV|IFS", "|BASH_ENV|ENV"),
    Breakage("env.secret-plain", f"{CONFIG}/secrecy.py", "and not file.is_sealed(place))", "and place == ())"),
    Breakage("env.source", f"{WIRE}/envfile.py", "SRANDOM UID\n", "SRANDOM UID LANG\n"),
    Breakage(
        "words.env-id", f"{WIRE}/digests.py", "for name in sorted(variables):", "for name in list(variables)[:1]:"
    ),
    Breakage("words.env-id", f"{WIRE}/digests.py", "for name in sorted(variables):", "for name in variables:"),
    Breakage("words.env-id.key", f"{WIRE}/digests.py", "hmac.new(key.encode(), ", 'hmac.new(b"key", '),
    # Sources
    Breakage("words.code-id", f"{SOURCE}/inspect.py", "closure.digest, python, installer", "closure.digest, installer"),
    Breakage("config.rebuild", f"{SOURCE}/inspect.py", "installer, rebuild, interface):", "installer, interface):"),
    Breakage("preview.manage", f"{SOURCE}/inspect.py", "tree.resolve(manage) or manage", "manage"),
    Breakage(
        "preview.settings", f"{SOURCE}/inspect.py", "    if settings_file is None:\n", "    if settings_file == 0:\n"
    ),
    Breakage(
        "preview.application",
        f"{SOURCE}/inspect.py",
        "modules.find(module) is None and",
        "modules.find(module) == 0 and",
    ),
    Breakage("asgi.daphne", f"{SOURCE}/inspect.py", '"asgi" if asgi else "wsgi"', '"asgi" if wsgi else "wsgi"'),
    Breakage("asgi.interface", f"{SOURCE}/inspect.py", 'if config.interface == "auto"', "if config.interface"),
    Breakage(
        "preview.requirements", f"{SOURCE}/requirements.py", "    if included_at:\n", "    if included_at == 0:\n"
    ),
    Breakage("deps.local", f"{SOURCE}/requirements.py", "if not _PINNED_VCS.fullmatch(url):", "if not url:"),
    Breakage(
        "deps.reuse", f"{SOURCE}/requirements.py", "for name in sorted(walk.files):", "for name in walk.files[:1]:"
    ),
    Breakage(
        "config.source.unusable",
        f"{SOURCE}/archive.py",
        "pointers = tree.lfs_pointers()",
        "pointers: list[str] = []",
    ),
    # Stack config
    Breakage("config.slug", f"{CONFIG}/types.py", "    if not _SLUG.fullmatch(value):\n", "    if not value:\n"),
    Breakage(
        "user.refused",
        f"{CONFIG}/stack.py",
        "if config.project.user == config.server.user:",
        'if config.project.user == "":',
    ),
    Breakage("user.shared", f"{CONFIG}/stack.py", "    if project.share_user:\n", "    if project.rebuild:\n"),
    Breakage(
        "config.production",
        f"{CONFIG}/stack.py",
        "if config.production and _MOVING",
        "if config.drift is None and _MOVING",
    ),
    Breakage("web.workers", f"{CONFIG}/stack.py", 'r"[1-9][0-9]{0,3}"', 'r"\\w+"'),
    # Units
    Breakage("web.unit", f"{TEMPLATES}/web.service.j2", "Restart=always\n", "Restart=on-failure\n"),
    Breakage("web.restart", f"{TEMPLATES}/web.service.j2", "KillMode=mixed\n", ""),
    Breakage("web.unit", f"{RENDER}/units.py", '"error.log"', '"errors.log"'),
    Breakage("workers.same", f"{TEMPLATES}/worker.service.j2", "EnvironmentFile={{ env_file | unit_path }}\n", ""),
    Breakage("workers.unit", f"{TEMPLATES}/worker.sh.j2", "{{ command }}", "{{ command | trim }}"),
    Breakage("config.stop-timeout", f"{RENDER}/units.py", "STOP_MARGIN = 5\n", "STOP_MARGIN = 0\n"),
    Breakage("logs.rotation", f"{TEMPLATES}/logrotate.j2", "    su {{ user }} {{ group }}\n", ""),
    Breakage("processes.environment", f"{RENDER}/units.py", '        "PYTHONUNBUFFERED": "1",\n', ""),
    Breakage("web.gunicorn-conf", f"{PROGRAMS}/gunicorn_conf.py", '        "chdir",\n', ""),
    Breakage("web.gunicorn-conf", f"{PROGRAMS}/gunicorn_conf.py", " or 3)", " or 9)"),
    Breakage("workers.beat", f"{RENDER}/units.py", r"|\sworker(?=", r"|\snothing(?="),
    Breakage("workers.drain", f"{PROGRAMS}/stop_worker.sh", "kill -TERM", "kill -HUP"),
    Breakage("workers.drain", f"{PROGRAMS}/stop_worker.sh", "    kill -STOP", "    true"),
    Breakage("workers.proof", f"{SCRIPTS}/serving/ask_workers.py", 'in ("exec", "env")):', 'in ("exec",)):'),
    Breakage("asgi.application", f"{SOURCE}/inspect.py", "mentions(file, {routing, ", "mentions(file, {"),
    # Proxy
    Breakage("static.year", f"{TEMPLATES}/site.conf.j2", "max-age=31536000", "max-age=3600"),
    Breakage("static.previous", f"{TEMPLATES}/site.conf.j2", '"@" ~ prefix ~ "_previous"', '"=404"'),
    Breakage("static.precompressed", f"{TEMPLATES}/precompressed.conf.j2", "gzip_static on;\n", ""),
    Breakage("media.proxy", f"{TEMPLATES}/site.conf.j2", '        add_header X-Content-Type-Options "nosniff";\n', ""),
    Breakage("proxy.unknown-hosts", f"{TEMPLATES}/base.conf.j2", "        return 404;\n", "        return 200;\n"),
    Breakage(
        "tls.never-down",
        f"{SCRIPTS}/serving/certificates.py",
        "best or self.live or Held(self_signed(self.hostnames))",
        "best",
    ),
    Breakage("proxy.forwarded", f"{RENDER}/site.py", '"for", "$remote_addr",', '"for", "$proxy_add_x_forwarded_for",'),
    Breakage("config.limits", f"{TEMPLATES}/site.conf.j2", "    client_max_body_size {{ body_size }};\n", ""),
    Breakage(
        "proxy.checked",
        f"{SCRIPTS}/steps/proxy.py",
        "    if not check.ok:\n        _put_back(before)",
        "    if check is None:\n        _put_back(before)",
    ),
    Breakage("tls.redirect", f"{SCRIPTS}/base/probe.py", "if target.hostname not in hosts:", "if not target.hostname:"),
    Breakage("tls.redirect", f"{SCRIPTS}/base/probe.py", "if target.scheme != scheme:", "if not target.scheme:"),
    Breakage("tls.probe", f"{SCRIPTS}/base/probe.py", '"X-Forwarded-Proto": scheme,', '"X-Forwarded-Proto": "http",'),
    Breakage(
        "config.health-check", f"{SCRIPTS}/base/probe.py", 'pattern == f"{answer.status // 100}xx"', 'pattern == "2xx"'
    ),
    # On the server
    Breakage("django.sqlite-inside", f"{SCRIPTS}/release/checks.py", "    _check_sqlite(facts, release)\n", ""),
    Breakage("django.media-inside", f"{SCRIPTS}/release/checks.py", "    _check_media(facts, release)\n", ""),
    Breakage(
        "django.static-root-outside",
        f"{SCRIPTS}/release/checks.py",
        "if not inside(path, release.path) or",
        "if not path or",
    ),
    Breakage(
        "django.static-url-other",
        f"{SCRIPTS}/release/checks.py",
        'if _local_path(facts["STATIC_URL"]) != expected:',
        'if "://" in facts["STATIC_URL"]:',
    ),
    Breakage(
        "django.database-unused",
        f"{SCRIPTS}/release/checks.py",
        "if any(_is_generated(database, expected) for database in used.values()):",
        "if used:",
    ),
    Breakage(
        "source.refused",
        f"{SCRIPTS}/release/unpack.py",
        "            elif member.islnk():\n",
        "            elif not name:\n",
    ),
    Breakage(
        "source.refused",
        f"{SCRIPTS}/release/unpack.py",
        "            if _escapes(member.name):\n",
        "            if not name:\n",
    ),
    Breakage(
        "paths.releases",
        f"{SCRIPTS}/release/seal.py",
        "(0o750 if executable else 0o640)",
        "(0o750 if executable else 0o644)",
    ),
    Breakage(
        "root.trust",
        f"{SCRIPTS}/release/seal.py",
        "    if found.st_uid not in allowed:\n",
        "    if found.st_uid < 0:\n",
    ),
    Breakage("secrets.filter", f"{SCRIPTS}/release/redact.py", "        json.dumps(value)[1:-1],\n", ""),
    Breakage("secrets.filter", f"{SCRIPTS}/release/redact.py", "for offset in range(3):", "for offset in range(1):"),
    Breakage(
        "register",
        f"{SCRIPTS}/base/register.py",
        'if item["identity"] != identity and not adopt:',
        'if item["stack"] != stack and not adopt:',
    ),
    Breakage("register.slug-fixed", f"{SCRIPTS}/steps/claim.py", "    _slug_stays(step, identity)\n", ""),
    Breakage("prune.keep", f"{SCRIPTS}/release/prune.py", "(project.current, project.previous)", "(project.current,)"),
    Breakage("os.refused", f"{SCRIPTS}/steps/preflight.py", "if not system.supported and", "if not system.name and"),
    Breakage(
        "os.dpkg-lock",
        f"{SCRIPTS}/steps/packages.py",
        'LOCKED = re.compile(r"Could not get lock|',
        'LOCKED = re.compile(r"Could not have lock|',
    ),
    Breakage(
        "preflight.room", f"{SCRIPTS}/steps/preflight.py", "    if memory < MEMORY_NEEDED:\n", "    if memory < 0:\n"
    ),
    Breakage("register.reserved-units", f"{SCRIPTS}/steps/preflight.py", "    if not ours:\n", "    if not found:\n"),
    Breakage(
        "destroy.own-only",
        f"{SCRIPTS}/steps/destroy.py",
        "entry.user in register.users(but=step.slug)",
        "entry.user is None",
    ),
    Breakage(
        "destroy.own-only",
        f"{SCRIPTS}/steps/destroy.py",
        'entry.identity != step.data["identity"]',
        "entry.stack is None",
    ),
    Breakage("destroy.server-gone", f"{REMOTE}/farewell.sh", "pulumi stack rm --force", "pulumi stack rm"),
    Breakage("config.drift", f"{REMOTE}/look.py", "done.mend + bool(differs or drift)", "done.mend + bool(differs)"),
    Breakage(
        "config.drift", f"{REMOTE}/look.py", "return cls({step: done.mend for step", "return cls({step: 0 for step"
    ),
    Breakage("config.server.proxy", f"{REMOTE}/look.py", "jump = server.proxy if", "jump = None if"),
    Breakage("destroy.stays", f"{SCRIPTS}/steps/destroy.py", 'DROP = "drop"', 'DROP = "keep"'),
    # The graph
    Breakage(
        "secrets.smallest",
        "components/environment.py",
        '"broker": dict(injected_broker),',
        '"broker": {**injected_broker, **secrets.env},',
    ),
    Breakage("secrets.changed", "components/environment.py", "keyed(digest_key, value) for key", '"a secret" for key'),
    Breakage(
        "words.release.outside",
        "components/environment.py",
        "release_name(code_id, digest_key, variables)",
        "release_name(code_id, digest_key, {**variables, 'W': repr(stack.config.project.workers)})",
    ),
    Breakage("order.inert", "components/stack.py", "opts=_after(release, processes, edge),", "opts=_after(processes),"),
]

# Noticed on a server: they do not stop a deploy, so one deploy of all of them at once shows each.
HOST = [
    (
        Breakage(
            "paths.shared", f"{SCRIPTS}/steps/account.py", "(project.shared, 0o1771),", "(project.shared, 0o1775),"
        ),
        "tests/host/test_ownership.py::test_the_table_of_owners_holds[13]",
    ),
    (
        Breakage("static.year", f"{TEMPLATES}/site.conf.j2", "max-age=31536000", "max-age=3600"),
        "tests/host/test_deploy.py::test_a_static_file_has_one_cache_header_of_a_year[13]",
    ),
    (
        Breakage("env.maps", "components/environment.py", "**secrets.env,\n            **generated", "**generated"),
        "tests/host/test_changes.py::test_a_secret_variable[13]",
    ),
    (
        Breakage(
            "paths.manage",
            f"{SCRIPTS}/steps/manage.py",
            "        **envfile.parse(project.env_file(now.release).read_bytes().decode()),\n",
            "",
        ),
        "tests/host/test_deploy.py::test_manage_runs_as_the_app_user_with_the_release_s_environment[13]",
    ),
    (
        Breakage(
            "redeploy.unchanged",
            "components/provisioning.py",
            '"postgresql": postgresql,\n            },\n            opts,',
            '"postgresql": str(__import__("time").time()),\n            },\n            opts,',
        ),
        "tests/host/test_deploy.py::test_a_second_up_changes_nothing_and_only_looks_for_drift[13-False-0]",
    ),
]
