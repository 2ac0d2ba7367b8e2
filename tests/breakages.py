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


PROGRAMS, REMOTE, RENDER, SCRIPTS, CONFIG, SOURCE, STORY, TEMPLATES, WIRE = (
    "codesensei/programs",
    "codesensei/remote",
    "codesensei/render",
    "codesensei/scripts",
    "codesensei/config",
    "codesensei/source",
    "codesensei/story",
    "codesensei/templates",
    "codesensei/wire",
)

REVIEW, DERIVE = "codesensei/console/review.py", "codesensei/console/derive.py"
ENGINE = "codesensei/console/engine.py"

# Noticed by tests that need neither engine nor server.
UNIT = [
    # Commands
    Breakage("console.recover", "codesensei/console/recovery.py", "    if found.status.holder:\n", "    if False:\n"),
    Breakage("console.recover", "codesensei/console/recovery.py", "        if lock.lives:\n", "        if False:\n"),
    Breakage("console.interrupted", "codesensei/console/__main__.py", "except KeyboardInterrupt:", "except KeyError:"),
    Breakage("console.interrupted", ENGINE, "        elif times > 1:\n", "        elif times > 2:\n"),
    Breakage("console.interrupted", ENGINE, "        if interrupts:\n", "        if not interrupts:\n"),
    Breakage("console.interrupted", REVIEW, "        new.unlink(missing_ok=True)\n", "        pass\n"),
    Breakage("console.exit", "codesensei/console/__main__.py", "return sys.stdin.isatty()", "return True"),
    Breakage("console.releases", f"{SCRIPTS}/steps/releases.py", "    if known.failed:\n", "    if False:\n"),
    Breakage("console.status", f"{SCRIPTS}/steps/status.py", "left = not holder and", "left = holder and"),
    Breakage("console.connection", "codesensei/console/server.py", ", linked=False", ""),
    Breakage("source.bounds", f"{CONFIG}/variables.py", "(?<![a-z0-9+.-])[a-z0-9+.-]+://", "[a-z0-9+.-]+://"),
    Breakage(
        "config.drift", f"{SCRIPTS}/steps/look.py", "if manifest and not manifest.adopt", "if manifest and not manifest"
    ),
    Breakage("config.drift", f"{REMOTE}/look.py", "if thing in seen.refused else", "if not thing else"),
    Breakage("migrate.unfinished", f"{SCRIPTS}/release/migrate.py", "    if not done.answer:\n", "    if False:\n"),
    Breakage("backups.cut-off", f"{SCRIPTS}/backups/back.py", "    make.sweep(step)\n", ""),
    Breakage(
        "backups.told",
        f"{SCRIPTS}/backups/make.py",
        "        sweep(step)\n        repository =",
        "        repository =",
    ),
    Breakage(
        "backups.cut-off", f"{SCRIPTS}/backups/make.py", "        sweep(step)\n        chosen =", "        chosen ="
    ),
    Breakage("backups.cut-off", f"{SCRIPTS}/backups/repository.py", 'self._run("unlock")', "pass"),
    Breakage("backups.cut-off", f"{SCRIPTS}/base/commands.py", ', "--pdeathsig=KILL")', ",)"),
    Breakage(
        "backups.cut-off",
        f"{SCRIPTS}/serving/findings.py",
        'elif not found["open"] and project.fetched_folders.exists():',
        'elif not found["open"] and not project.fetched_folders.exists():',
    ),
    Breakage("visitors.parts", f"{SCRIPTS}/steps/switch.py", "*parts.warnings(manifest.health),", ""),
    Breakage("visitors.parts", f"{SCRIPTS}/serving/parts.py", "answer.status >= 400", "answer.status >= 500"),
    Breakage(
        "visitors.parts", f"{SCRIPTS}/serving/parts.py", "is_served(urlsplit(one).hostname", "not is_served(one[:0]"
    ),
    Breakage("visitors.parts", f"{SCRIPTS}/serving/parts.py", "suppress(AssertionError)", "suppress(KeyError)"),
    Breakage("init.stack", "codesensei/console/init.py", '_OF_PRODUCTION = ("production", ', "_OF_PRODUCTION = ("),
    Breakage("init.stack", "codesensei/console/init.py", "    checked(plain, stack)\n", ""),
    Breakage("init.stack", "codesensei/console/init.py", 'project["pythonPath"] = [root]', "pass"),
    Breakage("init.stack", f"{SOURCE}/starts.py", "texts.get(value.id", "{}.get(value.id"),
    Breakage("init.stack", "codesensei/console/init.py", "if file.exists() and (", "if not file and ("),
    Breakage("init.stack", "codesensei/console/init.py", 'if key != "config"', "if not key"),
    Breakage(
        "init.asks",
        "codesensei/console/__main__.py",
        "provider's console shows?\", abort=True",
        "provider's console shows?\"",
    ),
    Breakage(
        "console.backups",
        "codesensei/console/server.py",
        "                say(printable_lines",
        "                (printable_lines",
    ),
    # Review stacks
    Breakage("review-stack.up", REVIEW, "        _make(engine, review, file, base.name)\n", ""),
    Breakage(
        "review-stack.up",
        REVIEW,
        'f"refs/heads/{branch}")\n    say',
        "commit_of(mark))\n    say",
    ),
    Breakage("review-stack.own", DERIVE, 'f"{slug}\\n{branch}"', "slug"),
    Breakage("review-stack.own", DERIVE, '"domains", "appsDomain", "backups"', '"domains", "backups"'),
    Breakage("review-stack.own", DERIVE, "(?![a-z0-9-])", ""),
    Breakage(
        "review-stack.database",
        DERIVE,
        "                del found[name]\n        if",
        "                pass\n        if",
    ),
    Breakage("review-stack.database", DERIVE, "return url.local and", "return not url.local and"),
    Breakage(
        "review-stack.secrets",
        DERIVE,
        'not in {"sshPrivateKey", "secretEnv"}',
        'not in {"secretEnv"}',
    ),
    Breakage(
        "review-stack.secrets",
        REVIEW,
        "        engine.set_secret(new, ",
        "        (lambda *_: None)(new, ",
    ),
    Breakage("review-stack.refused", DERIVE, 'if str(raw.get("production")).lower() == "true":', "if False:"),
    Breakage(
        "review-stack.refused",
        REVIEW,
        '{**where, "revision": f"refs/heads/{branch}"}',
        '{**where, "revision": branch}',
    ),
    Breakage(
        "review-stack.again",
        REVIEW,
        "    new = _new(file)\n",
        "    new = file\n",
    ),
    Breakage(
        "review-stack.data",
        f"{SCRIPTS}/backups/fill.py",
        "            _compare(wanted.project, counts, there)\n",
        "            pass\n",
    ),
    Breakage(
        "review-stack.data",
        f"{SCRIPTS}/steps/database.py",
        "    if not found and step.data.fill:",
        "    if step.data.fill:",
    ),
    Breakage("review-stack.data-production", f"{SCRIPTS}/backups/fill.py", "and manifest.production:", "and False:"),
    Breakage("review-stack.dump", f"{SCRIPTS}/backups/fill.py", "    if found.hexdigest() != sha256:", "    if False:"),
    Breakage("review-stack.dump", f"{SCRIPTS}/backups/fill.py", " | os.O_NOFOLLOW", ""),
    Breakage("review-stack.down", REVIEW, "        engine.remove()\n", "        pass\n"),
    Breakage("review-stack.down", REVIEW, "    if stack in stacks():\n", "    if True:\n"),
    Breakage("review-stack.protected", REVIEW, 'if one.get("protect")]', "if False]"),
    Breakage(
        "review-stack.protected",
        REVIEW,
        "    if resources and not _mark_in(state):",
        "    if False:",
    ),
    Breakage("review-stack.list", REVIEW, "gone=branch not in found", "gone=branch in found"),
    Breakage("review-stack.list", f"{SOURCE}/git.py", "in names if name.startswith(_HEADS))", "in names)"),
    # Backups
    Breakage("backups.destructive", f"{SCRIPTS}/backups/status.py", " and newest < FRESH_BACKUP:", ":"),
    Breakage("backups.destructive", f"{SCRIPTS}/steps/build.py", 'data.backups and "backup" not in', 'not "backup" in'),
    Breakage("backups.dump", f"{SCRIPTS}/backups/dumps.py", "[:-keep]", "[-keep:]"),
    Breakage("backups.dump", f"{SCRIPTS}/release/migrate.py", "    if verdict.destroys:\n        dump()\n", ""),
    Breakage("backups.none", f"{CONFIG}/policy.py", "if config.production and config.backups is None:", "if False:"),
    Breakage("backups.target", f"{CONFIG}/backups.py", 'value.startswith("/") and any', "any([]) and any"),
    Breakage("backups.made", f"{SCRIPTS}/backups/make.py", "[place, *map(Path, folders.values())]", "[place]"),
    Breakage("backups.no-step", "components/stack.py", "if stack.config.backups is not None:", "if True:"),
    Breakage("backups.password", f"{SCRIPTS}/steps/backups.py", 'password="", service', "service"),
    Breakage("backups.app-user", f"{SCRIPTS}/backups/back.py", "if path.lstat().st_uid == was:", "if True:"),
    Breakage(
        "backups.target-refuses", f"{SCRIPTS}/steps/backups.py", "except Failure as error:", "except KeyError as error:"
    ),
    Breakage("backups.checked", f"{SCRIPTS}/backups/make.py", "{**contents.counts, **counts}", "counts"),
    Breakage("backups.told", f"{SCRIPTS}/backups/status.py", "> 2 * wanted.period", "> 3 * wanted.period"),
    Breakage(
        "backups.restore",
        f"{SCRIPTS}/backups/back.py",
        "        os.rename(place, old)\n",
        "        files.remove_path(place)\n",
    ),
    Breakage(
        "backups.sftp", f"{SCRIPTS}/backups/repository.py", "StrictHostKeyChecking=yes", "StrictHostKeyChecking=no"
    ),
    Breakage("backups.restore", f"{SCRIPTS}/backups/back.py", "        locks.note(name, step)\n", ""),
    Breakage("backups.new-server", f"{SCRIPTS}/backups/back.py", "    os.rename(new, place)\n", ""),
    Breakage("backups.ended", f"{SCRIPTS}/backups/settings.py", "    files.remove_path(project.backup)\n", ""),
    # Continuous backups
    Breakage("continuous.on", f"{SCRIPTS}/backups/archiving.py", "archive_timeout = {SECONDS}", "archive_timeout = 0"),
    Breakage("continuous.on", f"{SCRIPTS}/backups/archiving.py", 'if found["archive_mode"] != "on":', "if True:"),
    Breakage(
        "continuous.on", f"{SCRIPTS}/backups/archiving.py", "if other != step.slug and (who", "if other == '' and (who"
    ),
    Breakage("continuous.on", f"{STORY}/server.py", "yield from _archived(0, wanted.days, others)", "pass"),
    Breakage("continuous.refused", f"{CONFIG}/stack.py", 'if kind == "sftp":', 'if kind == "ftp":'),
    Breakage(
        "continuous.refused", f"{CONFIG}/stack.py", 'if kind == "s3" and _is_address(', 'if kind == "" and _is_address('
    ),
    Breakage("continuous.s3", f"{SCRIPTS}/backups/pgbackrest.py", '"repo1-s3-uri-style": "path"', '"x": "path"'),
    Breakage("continuous.s3", f"{SCRIPTS}/backups/pgbackrest.py", "given.region or found.region", "found.region"),
    Breakage("continuous.s3", f"{SCRIPTS}/backups/storage.py", "else _DEFAULT_REGION", 'else ""'),
    Breakage("continuous.written", f"{WIRE}/ini.py", "    if why := refusal(value):\n", "    if why := '':\n"),
    Breakage("continuous.written", f"{WIRE}/ini.py", 'return "is empty"', 'return ""'),
    Breakage("continuous.written", f"{SCRIPTS}/postgres/conf.py", """"'": "''", """, ""),
    Breakage("continuous.written", f"{SCRIPTS}/postgres/conf.py", '"%", "%%"', '"%", "%"'),
    Breakage(
        "continuous.told",
        f"{SCRIPTS}/backups/archiving.py",
        "        yield Finding(thing=archive.thing, cause=cause, fix=failure.fix)\n",
        "",
    ),
    Breakage(
        "backups.s3", f"{SCRIPTS}/backups/repository.py", "_TIMED_OUT or _known(found) or not", "_TIMED_OUT or not"
    ),
    Breakage("backups.s3", f"{SCRIPTS}/backups/repository.py", "if found.code == _TIMED_OUT or _known", "if _known"),
    Breakage("backups.s3", f"{SCRIPTS}/backups/repository.py", "[*WITH_CALLER, *limit, ", "[*WITH_CALLER, "),
    Breakage("backups.s3", f"{SCRIPTS}/backups/repository.py", '["--no-lock"] if', "[] if"),
    Breakage("backups.s3", f"{SCRIPTS}/backups/repository.py", 'options = ["--cacert",', 'options = ["--cert",'),
    Breakage("backups.target", f"{CONFIG}/secrecy.py", "value != value.strip() or bool(", "bool(not value and "),
    Breakage("continuous.refused", f"{CONFIG}/check.py", ", *_archived(config, given.plan)]", "]"),
    Breakage("continuous.refused", f"{SCRIPTS}/backups/archiving.py", '== "minimal"', '== "none"'),
    Breakage("continuous.refused", f"{SCRIPTS}/backups/archiving.py", " and is_other and not is_ours:", " and False:"),
    Breakage(
        "continuous.refused", "components/others.py", "    if port := archived_port(stack):\n", "    if port := 0:\n"
    ),
    Breakage(
        "continuous.refused",
        f"{SCRIPTS}/backups/archiving.py",
        '    register.settle(step.slug, {"archives": [str(archive.port)]})\n',
        "",
    ),
    Breakage("continuous.others", f"{WIRE}/register.py", 'if one != slug and entry.names.get("databases")', ""),
    Breakage("continuous.secret", f"{SCRIPTS}/backups/pgbackrest.py", "0o640", "0o644"),
    Breakage(
        "continuous.kept", f"{SCRIPTS}/backups/pgbackrest.py", "> FULL_DAYS * 86400 - SLACK", "> FULL_DAYS * 86400"
    ),
    Breakage("continuous.kept", f"{SCRIPTS}/backups/repository.py", "max(days, 1)}d", "max(days % 28, 1)}d"),
    Breakage("continuous.kept", f"{RENDER}/backups.py", "if continuous else []", "if not to else []"),
    Breakage(
        "continuous.moment",
        f"{SCRIPTS}/backups/back.py",
        "            moment.reach_now(archive)\n",
        "            pass\n",
    ),
    Breakage("continuous.moment", f"{SCRIPTS}/backups/back.py", "found > datetime.now(", "found < datetime.now("),
    Breakage("continuous.moment", f"{SCRIPTS}/backups/make.py", "moments.instant(one.time) <= before", "one.time"),
    Breakage("continuous.moment", f"{SCRIPTS}/backups/pgbackrest.py", 'f"--db-include={database}", *argv', "*argv"),
    Breakage(
        "continuous.moment", f"{SCRIPTS}/backups/pgbackrest.py", 'f"--tablespace-map-all={into}-tablespaces", ', ""
    ),
    Breakage("continuous.moment", f"{SCRIPTS}/backups/moment.py", "if label else []", "if not label else []"),
    Breakage("continuous.moment", f"{WIRE}/moments.py", ".astimezone(timezone.utc)", ""),
    Breakage(
        "continuous.checked",
        f"{SCRIPTS}/backups/make.py",
        "            if contents.counted:\n",
        "            if False:\n",
    ),
    Breakage("continuous.checked", f"{SCRIPTS}/backups/make.py", "counted=found.counts is not None", "counted=False"),
    Breakage("continuous.told", f"{SCRIPTS}/backups/archiving.py", '    if found["fails"]:\n', "    if False:\n"),
    Breakage(
        "continuous.checked", f"{SCRIPTS}/backups/make.py", 'made.kind == "full" or _is', 'made.kind != "" or _is'
    ),
    Breakage("continuous.told", f"{SCRIPTS}/backups/pgbackrest.py", "if other > one + 1]", "if other > one + 9]"),
    Breakage("continuous.told", f"{SCRIPTS}/backups/pgbackrest.py", "numbers[-1] < _number(", "numbers[-1] > _number("),
    Breakage("continuous.told", f"{SCRIPTS}/backups/archiving.py", "or gap.ends > made]", "or True]"),
    Breakage("continuous.ended", f"{SCRIPTS}/backups/make.py", "    if not wanted.days:\n", "    if False:\n"),
    Breakage("continuous.told", f"{SCRIPTS}/backups/pgbackrest.py", ".total // 10", ".total // 2"),
    Breakage(
        "continuous.unavailable",
        f"{SCRIPTS}/steps/backups.py",
        "    except Failure as failed:\n",
        "    except KeyError as failed:\n",
    ),
    Breakage("continuous.unavailable", f"{SCRIPTS}/backups/pgbackrest.py", 'self._run("stanza-upgrade")', "done"),
    Breakage("continuous.unavailable", f"{SCRIPTS}/backups/make.py", "if not archiving.is_on(archive):", "if False:"),
    Breakage("continuous.destructive", f"{SCRIPTS}/backups/dumps.py", " or not made:", ":"),
    Breakage("continuous.destructive", f"{SCRIPTS}/backups/dumps.py", "            archive.check()\n", ""),
    Breakage(
        "continuous.destructive",
        f"{SCRIPTS}/backups/dumps.py",
        "next(archiving.findings(step.project, made), None)",
        "None",
    ),
    Breakage("continuous.destructive", f"{SCRIPTS}/backups/dumps.py", "if archiving.is_on(archive):", "if archive:"),
    Breakage("continuous.restart", "components/story.py", "with_databases(known, stack.slug)", "()"),
    Breakage("continuous.restart", f"{STORY}/server.py", "yield from [*_archived(was.days", "[*_archived(was.days"),
    Breakage("continuous.restart", f"{SCRIPTS}/steps/look.py", "dict(archiving.lacking(project))\n    ", "{}\n    "),
    Breakage(
        "continuous.restart",
        f"{SCRIPTS}/backups/archiving.py",
        'without an archive: {_disconnected(step.slug)}"',
        'without an archive"',
    ),
    Breakage("continuous.ended", f"{SCRIPTS}/backups/end.py", "    archiving.remove(step)\n", ""),
    Breakage("continuous.ended", f"{SCRIPTS}/steps/switch.py", "        end.backups(step)\n", "        pass\n"),
    Breakage("continuous.ended", f"{SCRIPTS}/steps/destroy.py", "    end.backups(step)\n", ""),
    Breakage(
        "continuous.ended",
        f"{SCRIPTS}/backups/archiving.py",
        "        files.write_file(drop_in, ENDS, 0o644)\n",
        "        files.remove_path(drop_in)\n",
    ),
    Breakage("continuous.ended", f"{SCRIPTS}/steps/backups.py", "        archiving.remove(step)\n", "        pass\n"),
    Breakage("continuous.ended", f"{SCRIPTS}/backups/archiving.py", '("try-restart", unit', '("reload", unit'),
    # Environment
    Breakage("env.data", f"{WIRE}/envfile.py", r"""re.compile(r'["\\$`]')""", r"""re.compile(r'["\\`]')"""),
    Breakage("env.same-reading", f"{WIRE}/envfile.py", r"""re.compile(r'["\\$`]')""", r"""re.compile(r'["$`]')"""),
    Breakage("env.data", f"{WIRE}/envfile.py", "quote_data(value) if name in data else ", ""),
    Breakage("database.env", "components/environment.py", ", data=own)", ")"),
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
    # What stacks share
    Breakage(
        "register.asked",
        f"{SCRIPTS}/release/ask_shared.py",
        "    if load:\n        _load_celery",
        "    if False:\n        _load_celery",
    ),
    Breakage("register.asked", f"{SCRIPTS}/release/ask_shared.py", 'parts.get("unix_socket_path") or ', ""),
    Breakage("register.asked", f"{SCRIPTS}/release/ask_shared.py", "locmem", "nothing"),
    Breakage(
        "register.uses-refused",
        f"{SCRIPTS}/release/uses.py",
        ", *_refused(step.slug, things, facts, adopt, shared)",
        "",
    ),
    Breakage("register.uses-refused", f"{SCRIPTS}/release/uses.py", "address in own or ", ""),
    Breakage("register.mapping-named", f"{SCRIPTS}/release/uses.py", " and OF_RESULTS not in settings", ""),
    Breakage("register.places-refused", f"{SCRIPTS}/release/uses.py", "*_foreign_places(step.slug, facts), ", ""),
    Breakage("register.shares", f"{SCRIPTS}/base/register.py", "if title(kind, name) not in shares:", "if True:"),
    Breakage("register.preview", "components/others.py", "    if found:\n", "    if not found:\n"),
    Breakage("register.preview", "components/others.py", '        yield "hostnames", name\n', "        pass\n"),
    Breakage("preview.foreseen", "components/others.py", "for one in access.look.refused}", "for one in ()}"),
    Breakage("preview.foreseen", "components/others.py", "{*hostnames} <= {*was.hostnames}", "True"),
    Breakage("preview.foreseen", "components/others.py", "has_names and same == was", "has_names"),
    Breakage("preview.foreseen", "components/stack.py", "others.to_ask(stack, state))", "None)"),
    Breakage("preview.foreseen", f"{REMOTE}/access.py", "Look.again(), refused=found.refused)", "Look.again())"),
    Breakage("preview.foreseen", f"{REMOTE}/access.py", "            if wanted:\n", "            if False:\n"),
    Breakage("preview.foreseen", f"{REMOTE}/run_checks.py", "(ImportError, NameError)", "ImportError"),
    Breakage("preview.foreseen", f"{REMOTE}/look.py", "foresight.question(wanted) if wanted else", '"" if wanted else'),
    Breakage("preview.foreseen", f"{REMOTE}/foresee.sh", "|| printf", "|| true || printf"),
    Breakage("preview.foreseen", f"{REMOTE}/run_checks.py", "except ImportError:", "except KeyError:"),
    Breakage("preview.foreseen", f"{SCRIPTS}/checks/everything.py", "warnings=(NO_SS,)", ""),
    Breakage("preview.foreseen", f"{SCRIPTS}/checks/everything.py", "contextlib.suppress(OSError), ", ""),
    Breakage("preview.foreseen", f"{SCRIPTS}/checks/everything.py", "data = replace(data, ports=())", "pass"),
    Breakage(
        "preview.foreseen",
        f"{SCRIPTS}/checks/everything.py",
        "    _tell(partial(names.check_folder, step.project, adopt=data.adopt))\n",
        "",
    ),
    Breakage(
        "preview.foreseen",
        f"{SCRIPTS}/postgres/ownership.py",
        "    own = (kept.database, kept.role) if kept and (entry is None or kept.stack == entry.stack) else ()",
        "    if entry is None:\n        return\n    own = ()",
    ),
    Breakage("preview.foreseen", f"{SCRIPTS}/checks/names.py", "if rival.removable and not", "if not"),
    Breakage("register.moved", "components/others.py", 'config.new_server != "empty"', "False"),
    Breakage(
        "register.moved", f"{REMOTE}/access.py", "entry is not None and entry.identity == state.identity", "False"
    ),
    Breakage("broker.parts", f"{WIRE}/broker.py", '"number": str(number)', '"number": str(PORT)'),
    Breakage("broker.parts", f"{WIRE}/broker.py", '"port": str(OWN_PORT)', '"port": str(PORT)'),
    Breakage("broker.own", f"{WIRE}/broker.py", '"password" in parts or ', ""),
    Breakage(
        "broker.parts", f"{CONFIG}/plans.py", "elif mapped and not is_own(parts) and not {", "elif False and not {"
    ),
    Breakage("broker.parts", f"{CONFIG}/plans.py", '{"host", "port"} <= parts', "mapped"),
    # Sources
    Breakage("words.code-id", f"{SOURCE}/code.py", "[closure.digest, project.python, ", "[closure.digest, "),
    Breakage("words.code-id", f"{SOURCE}/code.py", "(name, str(len(lines)), *lines)", "lines"),
    Breakage("words.code-id", f"{SOURCE}/code.py", "[*built, *static, *shared, *given]", "[*built, *static, *shared]"),
    Breakage("config.rebuild", f"{SOURCE}/code.py", "project.rebuild, interface", "interface"),
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
    Breakage("asgi.uvicorn", "codesensei/webservers/uvicorn.py", '"--fd", "3"', '"--fd", "0"'),
    Breakage("asgi.uvicorn", f"{PROGRAMS}/serve_uvicorn.py", 'b"x-real-ip"', 'b"x-forwarded-for"'),
    Breakage(
        "asgi.uvicorn", f"{PROGRAMS}/serve_uvicorn.py", "        if all(map(_has_begun, ", "        if any(map(bool, "
    ),
    Breakage("web.gunicorn-conf", "codesensei/webservers/gunicorn.py", '"uvicorn_worker."', '"uvicorn_worker!"'),
    Breakage("asgi.server", f"{SOURCE}/code.py", "web_server(project.server, ", 'web_server("auto", '),
    Breakage("asgi.interface", f"{SOURCE}/inspect.py", 'if config.interface == "auto"', "if config.interface"),
    Breakage(
        "preview.requirements", f"{SOURCE}/requirements.py", "    if included_at:\n", "    if included_at == 0:\n"
    ),
    Breakage("deps.local", f"{SOURCE}/requirements.py", "if moves(url):", "if not url:"),
    Breakage("deps.uv-version", f"{SOURCE}/locks.py", 'settings.get("required-version")', 'settings.get("version")'),
    Breakage("deps.uv-version", f"{SCRIPTS}/release/with_uv.py", "wanted = builder.step.data.uv", 'wanted = ""'),
    Breakage(
        "deps.reuse",
        f"{SOURCE}/requirements.py",
        "digest_of(project, walk.files)",
        "digest_of(project, walk.files[:1])",
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
    Breakage("preview.config", f"{CONFIG}/check.py", "left_out.append(name)", "values[name] = info.default"),
    Breakage("preview.config", f"{CONFIG}/check.py", "elif here not in below and", "elif at and"),
    Breakage("web.workers", f"{CONFIG}/stack.py", 'r"[1-9][0-9]{0,3}"', 'r"\\w+"'),
    Breakage("config.switches", f"{CONFIG}/types.py", '        return value == "true"\n', "        return True\n"),
    Breakage("config.switches", f"{CONFIG}/types.py", '[True, False, "true", "false"]', "[True, False]"),
    Breakage("config.refused", f"{CONFIG}/check.py", "if len(loc) > 1 or path.partition", "if loc or path.partition"),
    Breakage("config.refused", f"{CONFIG}/secrecy.py", 'if "." not in key and not _may_be', "if not _may_be"),
    # Documents
    Breakage("docs.commands", "docs/operating.md", "## Drift\n", "## Drift\n\n```sh\npulumi refresh --yes\n```\n"),
    Breakage(
        "docs.commands", "docs/operating.md", "config set --secret codesensei:sshPrivate", "config set codesensei:ssh"
    ),
    Breakage(
        "docs.commands", "docs/database.md", "{env: {CELERY_BROKER_URL: url}}\n```", "{CELERY_BROKER_URL: url}\n```"
    ),
    Breakage("docs.commands", "docs/troubleshooting.md", "`make sandbox-list` finds", "`make sandboxes` finds"),
    Breakage("docs.commands", "README.md", "```sh\npulumi destroy\n```", "    pulumi destroy"),
    # Units
    Breakage("web.unit", f"{TEMPLATES}/web.service.j2", "Restart=always\n", "Restart=on-failure\n"),
    Breakage("web.restart", f"{TEMPLATES}/web.service.j2", "KillMode=mixed\n", ""),
    Breakage("web.unit", f"{RENDER}/units.py", '"error.log"', '"errors.log"'),
    Breakage("workers.same", f"{TEMPLATES}/worker.service.j2", "EnvironmentFile={{ env_file | unit_path }}\n", ""),
    Breakage("workers.unit", f"{TEMPLATES}/worker.sh.j2", "{{ command }}", "{{ command | trim }}"),
    Breakage("config.stop-timeout", f"{RENDER}/units.py", "STOP_MARGIN = 5\n", "STOP_MARGIN = 0\n"),
    Breakage("logs.rotation", f"{TEMPLATES}/logrotate.j2", "    su {{ user }} {{ user }}\n", ""),
    Breakage("processes.environment", "codesensei/wire/processes.py", '        "PYTHONUNBUFFERED": "1",\n', ""),
    Breakage("proxy.confined", f"{SCRIPTS}/serving/nginx_unit.py", "if _serves_nobody() and ", "if "),
    Breakage("proxy.confined", f"{SCRIPTS}/serving/nginx_unit.py", "        if not tried.ok:\n", "        if False:\n"),
    Breakage(
        "proxy.confined", f"{SCRIPTS}/serving/nginx_unit.py", "    if not register.entries():\n", "    if False:\n"
    ),
    Breakage(
        "config.limits.clients", f"{TEMPLATES}/site.conf.j2", "    client_body_timeout {{ client_timeout }}s;\n", ""
    ),
    Breakage(
        "config.limits.clients",
        f"{TEMPLATES}/base.conf.j2",
        "limit_conn_zone $binary_remote_addr",
        "limit_conn_zone $realip_remote_addr",
    ),
    Breakage("processes.sandbox", f"{WIRE}/sandbox.py", '"ProtectSystem": "strict"', '"ProtectSystem": "full"'),
    Breakage("processes.sandbox", f"{SCRIPTS}/release/jobs.py", " else _of_app(release, job)", " else {}"),
    Breakage("processes.places", f"{SCRIPTS}/steps/switch.py", " = step.data = places.open_to(", " = places.open_to("),
    Breakage("processes.places", f"{SCRIPTS}/serving/places.py", "    if facts.places is None:\n", "    if False:\n"),
    Breakage(
        "processes.places", f"{SCRIPTS}/release/ask_places.py", "if os.access(folder, os.W_OK | os.X_OK):", "if True:"
    ),
    Breakage("processes.places", f"{WIRE}/sandbox.py", " if is_plain(place))", ")"),
    Breakage(
        "processes.loosened",
        f"{CONFIG}/stack.py",
        "    for name, words in project.loosened.items():\n",
        "    for name, words in ():\n",
    ),
    Breakage("processes.loosened", "components/processes.py", "            loosened=config.loosened,\n", ""),
    Breakage("processes.loosened", f"{WIRE}/sandbox.py", 'if "PrivateTmp" in loosened else ()', "if False else ()"),
    Breakage("processes.loosened", f"{WIRE}/sandbox.py", 'if "NoNewPrivileges" in loosened else', "if False else"),
    Breakage("processes.refused", f"{SCRIPTS}/release/causes.py", "{{ProtectHome: read-only}}", "{{}}"),
    Breakage("processes.resources", "components/processes.py", "worker.resources or config", "config"),
    Breakage(
        "processes.resources",
        f"{RENDER}/units.py",
        "web.resources, paths.candidate_place",
        "DEFAULT_RESOURCES, paths.candidate_place",
    ),
    Breakage("web.gunicorn-conf", f"{PROGRAMS}/gunicorn_conf.py", '        "chdir",\n', ""),
    Breakage("web.gunicorn-conf", f"{PROGRAMS}/gunicorn_conf.py", " or 3)", " or 9)"),
    Breakage("workers.beat", f"{RENDER}/units.py", r"|\sworker(?=", r"|\snothing(?="),
    Breakage("workers.drain", f"{PROGRAMS}/stop_worker.sh", 'kill -s "$signal"', "kill -HUP"),
    Breakage("workers.stop-signal", f"{PROGRAMS}/stop_worker.sh", 'kill -s "$signal"', "kill -TERM"),
    Breakage("workers.stop-signal", f"{PROGRAMS}/stop_worker.sh", '    kill -TERM "${shells[@]}"', "    true"),
    Breakage("workers.stop-signal", f"{PROGRAMS}/stop_worker.sh", '        kill -TERM "$1"', "        true"),
    Breakage("workers.stop-signal", f"{PROGRAMS}/stop_worker.sh", '    kill -TERM "${trapping[@]}"', "    true"),
    Breakage("workers.stop-signal", f"{TEMPLATES}/worker.service.j2", "KillSignal={{ stop_signal }}\n", ""),
    Breakage("workers.stop-signal", f"{RENDER}/queues.py", '"run_huey": "SIGINT",', ""),
    Breakage("workers.stop-signal", f"{RENDER}/queues.py", "and _HUEY_TERM.search(command)", "and False"),
    Breakage("workers.stop-signal", "components/processes.py", "worker.stop_signal or queues", "queues"),
    Breakage("config.stop-timeout", "components/processes.py", "worker.stop_timeout or stop", "stop"),
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
        "best or self.live or Held(self_signed(self.wanted.hostnames))",
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
    Breakage(
        "tls.redirect",
        f"{SCRIPTS}/base/probe.py",
        'if not is_served(target.hostname or "", hosts):',
        "if not target.hostname:",
    ),
    Breakage("tls.redirect", f"{SCRIPTS}/base/probe.py", "if target.scheme != scheme:", "if not target.scheme:"),
    Breakage(
        "tls.probe", f"{SCRIPTS}/base/probe.py", '"X-Forwarded-Proto": parts.scheme,', '"X-Forwarded-Proto": "http",'
    ),
    Breakage(
        "config.health-check", f"{SCRIPTS}/base/visits.py", 'pattern == f"{answer.status // 100}xx"', 'pattern == "2xx"'
    ),
    # On the server
    Breakage("preview.modules", f"{SOURCE}/missing.py", 'return f"{place}.py"', 'return ""'),
    Breakage("preview.modules", f"{SOURCE}/ignored.py", 'fitting[-1].startswith("!")', "fitting"),
    Breakage("preview.modules", f"{SOURCE}/missing.py", "if not brings(closure, top):", "if not closure.names:"),
    Breakage("switch.visitors", f"{SCRIPTS}/serving/said.py", "*map(clean, visitors.warnings(release, manifest))", ""),
    Breakage("switch.visitors", f"{SCRIPTS}/serving/visitors.py", " or _trusts_a_proxy(manifest)", ""),
    Breakage("switch.visitors", f"{SCRIPTS}/release/ask_visitors.py", "backend.endswith(_ALONE)", "False"),
    Breakage("config.server.shell", f"{REMOTE}/step.py", "shell.quote(IF_THERE)", "IF_THERE"),
    Breakage("static.kept-names", f"{SCRIPTS}/release/static_files.py", "not filecmp.cmp(", "filecmp.cmp("),
    Breakage("static.kept-names", f"{SCRIPTS}/release/ask_visitors.py", '"hashed_name")', '"url")'),
    Breakage("static.absent", f"{SCRIPTS}/release/static_files.py", "W004", "W005"),
    Breakage("preview.unmade", f"{SOURCE}/unmade.py", 'f"{name[:-3]}.mo" not in', 'f"{name[:-3]}.mo" in'),
    Breakage(
        "preview.unmade",
        f"{SOURCE}/unmade.py",
        'if not any("createcachetable" in modules',
        'if any("createcachetable" in modules',
    ),
    Breakage("os.sources", f"{SCRIPTS}/steps/packages.py", "not EARLY.search(said) and ", ""),
    Breakage("os.sources", f"{SCRIPTS}/steps/packages.py", "        if broken:\n", "        if False:\n"),
    Breakage("os.noexec", f"{SCRIPTS}/base/host.py", "not found.f_flag & os.ST_NOEXEC", "True"),
    Breakage("os.noexec", f"{SCRIPTS}/release/builder.py", "if not host.space(TEMPORARY).programs:", "if False:"),
    Breakage("workers.remapped", f"{CONFIG}/stack.py", "given = REMAPPED in", "given = REMAPPED not in"),
    Breakage("look.limited", f"{SCRIPTS}/base/limited.py", "_has(ports, port) and ", ""),
    Breakage("look.limited", f"{SCRIPTS}/steps/preflight.py", "if slow := limited.finding():", "if slow := None:"),
    Breakage("look.limited", f"{SCRIPTS}/steps/look.py", "[limited.finding()]", "[]"),
    Breakage(
        "migrate.site", f"{SCRIPTS}/release/run_migrate.py", "if domain == PLACEHOLDER", "if domain != PLACEHOLDER"
    ),
    Breakage("proxy.events", f"{TEMPLATES}/site.conf.j2", "        proxy_buffering off;\n", ""),
    Breakage("proxy.events", "components/edge.py", 'settings.interface == "asgi"', "True"),
    Breakage("workers.killed", f"{SCRIPTS}/serving/workers.py", "(*old, *departed)", "old"),
    Breakage("workers.killed", f"{SCRIPTS}/steps/switch.py", "warnings += _prove_and_switch", "_prove_and_switch"),
    Breakage("root.trust", f"{SCRIPTS}/release/static_files.py", " and os.path.realpath(one) == str(one)", ""),
    Breakage(
        "look.shell", f"{REMOTE}/look.py", "[*_said_by_shell(self.server, said), *look.warnings]", "[*look.warnings]"
    ),
    Breakage("preview.geography", f"{SOURCE}/geography.py", " and not self._may_be_geographic() else", " else"),
    Breakage("preview.geography", f"{SOURCE}/geography.py", " not (setting.certain or self._is_kept()):", " False:"),
    Breakage(
        "preview.geography",
        f"{SOURCE}/geography.py",
        "setting is None or not (setting.certain or self._is_kept())",
        "setting is None or not setting.certain",
    ),
    Breakage("preview.geography", f"{SOURCE}/geography.py", "len(named) == len(plain) + 1", "True"),
    Breakage("preview.geography", f"{SOURCE}/geography.py", " or variable in variables.others", ""),
    Breakage("preview.geography", f"{SOURCE}/geography.py", " or scheme not in _SCHEMES:", ":"),
    Breakage(
        "preview.geography",
        f"{SOURCE}/geography.py",
        "and alone and not others and _is_made(self._loaded)",
        "and alone and not others",
    ),
    Breakage("preview.geography", f"{SOURCE}/geography.py", "and alone and not others and", "and alone and"),
    Breakage("preview.geography", f"{SOURCE}/geography.py", "            if managed and ", "            if "),
    Breakage("preview.geography", f"{SOURCE}/geography.py", "if found and made_here and", "if found and"),
    Breakage("preview.geography", "components/stack.py", ", made_here=made_here)", ")"),
    Breakage("preview.geography", f"{SOURCE}/advice.py", "        *geography.told(loaded, settings, stack),\n", ""),
    Breakage("preview.geography", f"{SOURCE}/code.py", "        advice.geography,\n", ""),
    Breakage("preview.geography", f"{CONFIG}/plans.py", ', scheme="postgres")', ")"),
    Breakage(
        "preview.geography", f"{CONFIG}/plans.py", "url.socket, inject, by, url.scheme\n", "url.socket, inject, by\n"
    ),
    Breakage("preview.geography", "components/stack.py", "*code.warnings, *geographic)", "*code.warnings)"),
    Breakage("preview.needs", f"{SOURCE}/needs.py", "else _engine_set(modules, settings)", 'else ""'),
    Breakage("preview.told", f"{SOURCE}/writes.py", "opened = setting.certain and", "opened = False and"),
    Breakage(
        "preview.readers",
        f"{SOURCE}/readers.py",
        'words.get("default") or _argument(call, 1), cast is',
        "None, cast is",
    ),
    Breakage("preview.readers", f"{SOURCE}/readers.py", "_argument(call, 2 if third else 1)", "_argument(call, 1)"),
    Breakage(
        "preview.readers", f"{SOURCE}/readers.py", "if one is None or found.setdefault(name, one) != one:", "if one:"
    ),
    Breakage("preview.readers", f"{SOURCE}/readers.py", '_OF_URLS.get(method, "") if not words', '"" if not words'),
    Breakage("preview.readers", f"{SOURCE}/readers.py", "else of(other) if other in trees else {}", "else {}"),
    Breakage("preview.followed", f"{SOURCE}/settings.py", "            self._stop()\n", ""),
    Breakage(
        "preview.followed",
        f"{SOURCE}/settings.py",
        "                self.sets_anything = True\n                continue\n",
        "                continue\n",
    ),
    Breakage("preview.followed", f"{SOURCE}/settings.py", '_SETS_ANYTHING = {"DjangoDynaconf", ', "_SETS_ANYTHING = {"),
    Breakage("preview.followed", f"{SOURCE}/settings.py", 'dotted(node.value) == "sys.modules"', "False"),
    Breakage(
        "preview.followed",
        f"{SOURCE}/settings.py",
        "            self._done[name, file, self._certain] = module\n",
        "            pass\n",
    ),
    Breakage(
        "preview.followed",
        f"{SOURCE}/settings.py",
        "        if known:\n            return known\n",
        "        if known:\n            return module\n",
    ),
    Breakage("preview.bound", f"{SOURCE}/settings.py", "for case in node.cases:", "for case in ():"),
    Breakage("preview.bound", f"{SOURCE}/settings.py", "if isinstance(target, (ast.Tuple, ast.List)):", "if False:"),
    Breakage("preview.bound", f"{SOURCE}/settings.py", "if isinstance(node, ast.Global):", "if False:"),
    Breakage("preview.bound", f"{SOURCE}/settings.py", "            self._taken_elsewhere(module, node)\n", ""),
    Breakage("preview.bound", f"{SOURCE}/settings.py", " and all(map(_suppresses_nothing, node.items))", ""),
    Breakage("preview.bound", f"{SOURCE}/settings.py", "            self._given(module, node.value)\n", ""),
    Breakage("preview.bound", f"{SOURCE}/settings.py", "if certain or not self._tried:", "if certain:"),
    Breakage(
        "preview.set-by-files",
        f"{SOURCE}/variables.py",
        "*_files_of_variables(project), *named}",
        "*_files_of_variables(project)}",
    ),
    Breakage(
        "preview.set-by-files",
        f"{SOURCE}/variables.py",
        "None not in found and not elsewhere and known",
        "not elsewhere and known",
    ),
    Breakage("preview.set-by-files", f"{SOURCE}/variables.py", "not elsewhere and known", "not elsewhere"),
    Breakage("preview.set-by-files", f"{SOURCE}/variables.py", "ast.dump(path) not in _NO_PATHS", "path"),
    Breakage("preview.set-by-files", f"{SOURCE}/variables.py", "(not read.file or self.is_unset(read.file))", "True"),
    Breakage(
        "preview.set-by-files",
        f"{SOURCE}/settings.py",
        "waiting = [module, *self._before(module)]",
        "waiting = [module]",
    ),
    Breakage(
        "preview.set-by-files",
        f"{SOURCE}/settings.py",
        "            if reader.files.keys() <= files.keys():\n",
        "            if files:\n",
    ),
    Breakage(
        "preview.set-by-files",
        f"{SOURCE}/settings.py",
        "yield from (alias.name for alias in node.names)",
        "yield from ()",
    ),
    Breakage("preview.names", f"{SOURCE}/writes.py", "(?!\\w*TEMPLATE)(\\w+_)?", "(\\w+_)?"),
    Breakage("preview.names", f"{SOURCE}/writes.py", "(LOG(S|GING|FILE)?|", "(LOG\\w*|"),
    Breakage(
        "preview.names", f"{SOURCE}/writes.py", 'isinstance(backend, str) and "FileSystem" not in backend', "False"
    ),
    Breakage("preview.names", f"{SOURCE}/missing.py", '"django_money": "djmoney moneyed"', '"django_money": "moneyed"'),
    Breakage("preview.overridden", f"{SOURCE}/variables.py", " or not any(map(_wins, call.keywords)):", ":"),
    Breakage("preview.variables", f"{SOURCE}/variables.py", "if read and read.default is None", "if not read"),
    Breakage("preview.needs", f"{SOURCE}/needs.py", "setting.certain and isinstance(setting.value, str)", "False"),
    Breakage(
        "preview.media", f"{SOURCE}/settings.py", "not (self.sets_anything or self.notes or", "not (self.notes or"
    ),
    Breakage(
        "preview.models", f"{SOURCE}/models.py", "names - classes.keys() - others if", "names - classes.keys() if"
    ),
    Breakage("preview.modules", f"{SOURCE}/loaded.py", 'if name == "WSGI_APPLICATION" and', "if False and"),
    Breakage(
        "preview.followed",
        f"{SOURCE}/places.py",
        'all(word.arg == "strict" for word in node.keywords)',
        "not node.keywords",
    ),
    Breakage("preview.followed", f"{SOURCE}/syntax.py", 'warnings.simplefilter("ignore")', "pass"),
    Breakage("preview.needs", f"{SOURCE}/needs.py", "if refused:", "if not refused:"),
    Breakage(
        "preview.hosts", f"{SOURCE}/variables.py", "if read.splits and not _NOT_PLAIN.search(text.value):", "if False:"
    ),
    Breakage("preview.hosts", f"{SOURCE}/variables.py", " and not _NOT_PLAIN.search(text.value):", ":"),
    Breakage("preview.hosts", f"{SOURCE}/variables.py", " and read.name not in self._variables.others and", " and"),
    Breakage("preview.hosts", f"{SOURCE}/variables.py", "node if any(", "self.generic_visit(node) if any("),
    Breakage("preview.needs", f"{SOURCE}/needs.py", ' and config.tls.kind == "off" and', " and"),
    Breakage("preview.hosts", f"{SOURCE}/needs.py", "[*allowed, *_may_be_allowed(modules, settings)]", "allowed"),
    Breakage("preview.hosts", f"{SOURCE}/needs.py", '_PORT.sub("", host.strip().lower())', "host.lower()"),
    Breakage("preview.hosts", f"{SOURCE}/settings.py", "sure = certain and all(", "sure = certain or all("),
    Breakage("preview.hosts", f"{SOURCE}/values.py", "if UNKNOWN in (*tests, made):", "if made is UNKNOWN:"),
    Breakage("cache.table", f"{SCRIPTS}/release/prepare.py", "if lacking := [", "if lacking := [] and ["),
    Breakage("switch.cause", f"{SCRIPTS}/serving/ask_why.py", 'environ["wsgi.url_scheme"] = asked["scheme"]', ""),
    Breakage("shared-paths.static", f"{SOURCE}/needs.py", 'f"{path}/".startswith(f"{folder}/")', "not path"),
    Breakage(
        "shared-paths.static",
        f"{SCRIPTS}/release/checks.py",
        'root and f"{release.path / folder}',
        'not root and f"{release.path / folder}',
    ),
    Breakage("preview.told", f"{SOURCE}/outdated.py", "bool(newer and django.pinned)", "False"),
    Breakage("preview.told", f"{SOURCE}/static.py", 'if "staticfiles" not in setting.value:', "if not setting.value:"),
    Breakage(
        "preview.python", f"{SOURCE}/requirements.py", "if name not in walk.marked or len(walk.versions[name]) == 1", ""
    ),
    Breakage("preview.python", f"{SOURCE}/locks.py", "if version and len(versions) == 1}", "if version}"),
    Breakage("preview.python", f"{SOURCE}/pythons.py", "else (python >= self.since)", "else (python > self.since)"),
    Breakage("preview.python", "components/stack.py", "source.hold(code.unfit, access.look.python)", "()"),
    Breakage("migrate.models-ahead", f"{SCRIPTS}/release/ask_databases.py", "{} if own_command() else ", ""),
    Breakage("release.made", f"{SCRIPTS}/release/made.py", "path not in committed and _is", "_is"),
    Breakage("release.made", f"{SCRIPTS}/release/made.py", "size >= MUCH and", "size < MUCH and"),
    Breakage("shared-paths.read", f"{SCRIPTS}/release/builder.py", "_in_shared(release, log) or ", ""),
    Breakage("media.internal", f"{CONFIG}/project.py", "own = self.media_serving if", "own = media_url if"),
    Breakage("preview.models", f"{SOURCE}/models.py", "if not migrations and", "if migrations and"),
    Breakage("preview.models", f"{SOURCE}/models.py", 'not line.startswith(("#", "!"))', "not line"),
    Breakage(
        "config.source.encrypted",
        f"{SOURCE}/archive.py",
        "for tool, files in tree.encrypted().items():",
        "for tool, files in dict[str, list[str]]().items():",
    ),
    Breakage("django.database-port", f"{SCRIPTS}/checks/database.py", "check_reachable(host, int(number), ", "str("),
    Breakage(
        "errors.all-at-once",
        f"{SOURCE}/errors.py",
        "raise SourceError(first.thing, first.cause, first.fix, others, tuple(told))",
        "raise first",
    ),
    Breakage(
        "errors.all-at-once",
        "components/stack.py",
        'return pulumi.RunError(f"{error}\\nand',
        'return pulumi.RunError(f"and',
    ),
    Breakage("look.meanwhile", f"{REMOTE}/look.py", "os.write(client.stdin.fileno(), SCRIPT.read_bytes())", "pass"),
    Breakage(
        "look.meanwhile", "components/stack.py", "    asking = remote", "    _read_source(stack)\n    asking = remote"
    ),
    Breakage("look.deploying", f"{REMOTE}/look.py", "if answer.deploying:", "if not answer:"),
    Breakage("look.deploying", f"{SCRIPTS}/base/locks.py", "return who", 'return ""'),
    Breakage("errors.result", f"{REMOTE}/step.py", "if line.startswith(RESULT)]", "if False]"),
    Breakage("preview.after-failure", f"{STORY}/release.py", "if name == served.release:", "if served.build is None:"),
    # Previews
    Breakage(
        "story.told",
        "components/story.py",
        "        story.of_variables(served, name, variables, digest_key),\n"
        "        story.of_processes(served, name, manifest, look.memory),\n",
        "        story.of_processes(served, name, manifest, look.memory),\n"
        "        story.of_variables(served, name, variables, digest_key),\n",
    ),
    Breakage("story.switch", "components/story.py", "manifest, migrations, look.drift)", "manifest, migrations)"),
    Breakage("story.switch", f"{STORY}/live.py", "ending := restart & workers - down", "ending := restart & workers"),
    Breakage(
        "switch.candidate",
        f"{SCRIPTS}/serving/change.py",
        "web in self._of_files() | self._left_behind() or",
        "False or",
    ),
    Breakage("story.memory", "components/story.py", "manifest, look.memory)", "manifest)"),
    Breakage("story.memory", f"{STORY}/memory.py", "(asked - now) *", "asked *"),
    Breakage("story.memory", f"{STORY}/memory.py", "taken > memory.available", "taken < memory.available"),
    Breakage("story.memory", f"{SCRIPTS}/steps/look.py", "memory=memory.of_project(Live.read(project)),", ""),
    Breakage("story.memory", f"{SCRIPTS}/serving/memory.py", "sum(sizes) // len(sizes)", "sum(sizes)"),
    Breakage("story.drift", f"{STORY}/drift.py", "drift.lines[:MOST]", "drift.lines"),
    Breakage("story.drift", "components/story.py", "put_back=not pulumi.runtime.is_dry_run()", "put_back=False"),
    Breakage("story.drift", f"{REMOTE}/look.py", "seen.changes.get(thing, ())", "()"),
    Breakage("story.drift", f"{SCRIPTS}/base/changed.py", "unified_diff(found, wanted", "unified_diff(wanted, found"),
    Breakage(
        "story.drift", f"{SCRIPTS}/steps/look.py", "        found = dict(_stopped(project))\n", "        found = {}\n"
    ),
    Breakage("story.drift", f"{SCRIPTS}/steps/look.py", ", *change.restarts(live, each.path))", ",)"),
    Breakage("story.drift", f"{SCRIPTS}/base/proofs.py", "        texts=texts,\n", ""),
    Breakage("story.drift.secrets", f"{SCRIPTS}/base/changed.py", "hide(line[1:LONGEST_READ], kept)", "line[1:]"),
    Breakage("story.drift.secrets", f"{SCRIPTS}/base/changed.py", "(clean(text).split", "(text.split"),
    Breakage(
        "story.drift.secrets",
        f"{SCRIPTS}/base/changed.py",
        " or hashlib.sha256(kept.encode()).hexdigest() != digest",
        "",
    ),
    Breakage("story.drift.secrets", f"{SCRIPTS}/steps/look.py", "password.read_text(), ", ""),
    Breakage(
        "story.drift.secrets",
        f"{SCRIPTS}/release/release.py",
        "values += [known[name] for",
        "values += [known.get(name, name) for",
    ),
    Breakage(
        "story.drift.unreachable",
        f"{REMOTE}/access.py",
        "        if not pulumi.runtime.is_dry_run():\n            raise\n        warn",
        "        if pulumi.runtime.is_dry_run():\n            raise\n        warn",
    ),
    Breakage("story.data", f"{STORY}/__main__.py", "longest + 1", "longest"),
    Breakage(
        "story.silent", f"{STORY}/live.py", "if not change.of_release and change.was == wanted:", "if not wanted:"
    ),
    Breakage("story.silent", "components/story.py", "if access.served:", "if not access.served:"),
    Breakage("story.ended", "components/story.py", "if pulumi.runtime.is_dry_run() else", "if stack else"),
    Breakage("promotion.served", f"{SCRIPTS}/steps/switch.py", "served=since", "served={}"),
    Breakage("promotion.served", "codesensei/remote/promotion.py", "reverse=True", "reverse=False"),
    Breakage("promotion.served", "components/promotion.py", "or code.id[:7] in own", "or own"),
    Breakage("promotion.refused", "components/promotion.py", "if stack.config.production:", "if False:"),
    Breakage("promotion.refused", "components/promotion.py", "    if RULE in stack.config.waive:\n", "    if RULE:\n"),
    Breakage("promotion.preview", "codesensei/remote/promotion.py", "full_name(name)", "name"),
    Breakage("review.held", f"{STORY}/review.py", "if self.live != reviewed.live:", "if False:"),
    Breakage("review.held", f"{STORY}/review.py", "if self.program != reviewed.program:", "if False:"),
    Breakage("review.held", "components/stack.py", "    review.hold(stack, code, access)\n", ""),
    Breakage(
        "review.held",
        "components/review.py",
        "    if reviewed is None:\n",
        "    if not word:\n        return\n    if reviewed is None:\n",
    ),
    Breakage("review.held", "components/review.py", ", replaced, *drift]", ", replaced]"),
    Breakage("backups.destructive", "components/story.py", "if not is_asked or", "if is_asked or"),
    Breakage("backups.destructive", f"{STORY}/migrations.py", " or waits)\n    told", ")\n    told"),
    Breakage("migrations.held", f"{WIRE}/table_locks.py", "not (model in made.models or between", "not (between"),
    Breakage(
        "migrations.held", f"{SCRIPTS}/release/guard.py", "one for alias in judged for", "one for alias in plans for"
    ),
    Breakage("review.again", "components/review.py", "look.blank and access.state.whole", "look.blank"),
    Breakage("review.named", f"{STORY}/__main__.py", "if _FIRST_LINE.fullmatch(lines[0]) else None", ""),
    Breakage("review.named", f"{STORY}/__main__.py", "named = None if failed else next(", "named = next("),
    Breakage("review.whole", f"{CONFIG}/secrecy.py", "digests.of_texts([text]))", '"")'),
    Breakage("review.comment", "tools/review/hosts.py", 'if one["user"]["login"] == self.account:', "if one:"),
    Breakage("review.comment", "tools/review/hosts.py", 'if one["author"]["id"] == account:', "if one:"),
    Breakage("review.comment", "tools/review/hosts.py", 'one.get("merged_at") and ', ""),
    Breakage("review.comment", "tools/review/__main__.py", "if len(requests) != 1:", "if not requests:"),
    Breakage("review.recipes", "ci/github.yml", "    runs-on: ubuntu-24.04\n    environment:", "    environment:"),
    Breakage("review.recipes", "ci/gitlab.yml", "  interruptible: true", "  interruptable: 3"),
    Breakage("review.whole", f"{CONFIG}/secrecy.py", "[self.text_id, json", "[self.text_id][:1] or [json"),
    Breakage("story.first", f"{STORY}/first.py", ", *_workers(wanted)]", "]"),
    Breakage("story.first", "components/story.py", 'elif plan.kind == "external":', "elif not plan.kind:"),
    Breakage("story.switch", f"{STORY}/live.py", "elif migrations.harmful:", "elif not change:"),
    Breakage("story.migrations", f"{STORY}/migrations.py", "(harmful | unfit) - {*acknowledged}", "harmful | unfit"),
    Breakage("story.packages", f"{STORY}/packages.py", "if wanted < was else", "if wanted > was else"),
    Breakage("story.release", f"{SOURCE}/history.py", "_side(repository, wanted, served),", "Side(),"),
    Breakage("story.release", f"{SOURCE}/history.py", "(_tag(repository, served), _tag", '("", _tag'),
    Breakage("story.release", f"{SOURCE}/history.py", '.strip() != "true",', '.strip() != "",'),
    Breakage("story.release", f"{STORY}/release.py", "if new.count and lost.count:", "if False:"),
    Breakage("story.release", f"{STORY}/served.py", "if step is None or argument not in", "if step is None or not"),
    Breakage("story.packages", f"{SOURCE}/requirements.py", 'where or versions.get(key, "")', "where"),
    Breakage("story.packages", f"{STORY}/packages.py", 're.sub(r"[-_.]+", "-", name).lower()', "name"),
    Breakage("story.packages", f"{STORY}/packages.py", "if not _PIN.fullmatch(version)", "if not version"),
    Breakage("story.migrations", f"{STORY}/migrations.py", "if name not in acknowledged", "if name"),
    Breakage("story.migrations", f"{STORY}/migrations.py", 'if one.verdict != "safe":', "if False:"),
    Breakage("story.migrations", f"{SOURCE}/written.py", "if self.name.startswith(_OPERATIONS):", "if self.name:"),
    Breakage("story.migrations", f"{SOURCE}/written.py", 'f"its own {self.name}"', "self.name"),
    Breakage("source.bounds", f"{SOURCE}/pending.py", "size > bounds.MIGRATION_BYTES", "False"),
    Breakage("story.migrations", f"{SOURCE}/pending.py", "{key} if migration.replaces", "there if migration.replaces"),
    Breakage("story.migrations", f"{SOURCE}/pending.py", "old in model.named", "False"),
    Breakage(
        "story.migrations",
        f"{SOURCE}/pending.py",
        "same = model.names_table",
        'same = model.table != f"{app}_{old}".lower()',
    ),
    Breakage("story.variables", f"{STORY}/variables.py", "elif before.secret != after.secret:", "elif False:"),
    Breakage("story.variables", f"{STORY}/variables.py", "if wanted.secret and key:", "if False:"),
    Breakage("story.variables", "components/base.py", ", run_with_unknowns=True)", ")"),
    Breakage(
        "story.processes", f"{STORY}/live.py", "elif was and wanted and was.command != wanted.command:", "elif False:"
    ),
    Breakage("story.processes", f"{STORY}/live.py", "(file.renews, file.path", '("", file.path'),
    Breakage(
        "console.pin",
        "codesensei/console/pinning.py",
        '# {subject}" if subject else ""',
        '# {subject}" if not subject else ""',
    ),
    Breakage("console.pin", "codesensei/console/pinning.py", '.rstrip("\\r")', ""),
    Breakage("console.pin", "codesensei/console/pinning.py", "found.revision, printable", "revision, printable"),
    Breakage("console.pin", "codesensei/console/pinning.py", 'behind.lstrip().startswith("#")', "behind"),
    Breakage("story.server", f"{STORY}/server.py", "sorted({*wanted} - {*was})", "sorted({*was} - {*was})"),
    Breakage("story.server", f"{STORY}/server.py", "claim.words[-1:] != (wanted.toolkit,)", "claim.words[-1:] == ()"),
    Breakage(
        "story.server",
        f"{STORY}/server.py",
        "    if steps.BACKUPS.name not in done:",
        "    if not latest(done, steps.BACKUPS):",
    ),
    Breakage("story.site", f"{STORY}/live.py", "for name in before.hosts if", "for name in () if"),
    Breakage("story.site.dns", f"{REMOTE}/dns.py", "if there & here or", "if here - there or"),
    Breakage("story.site.dns", f"{REMOTE}/dns.py", "set() if error.errno in none else None", "None"),
    Breakage(
        "story.site.dns",
        f"{REMOTE}/dns.py",
        "thread.join(max(0.0, deadline - time.monotonic()))",
        "thread.join(SECONDS)",
    ),
    Breakage("story.releases", f"{STORY}/server.py", "[release, *served]", "[*served, release]"),
    Breakage("story.releases", "components/story.py", "if switch.entries or any(", "if any("),
    Breakage("story.site.dns", f"{STORY}/live.py", "wanted.health.hosts if name not in known]", "wanted.health.hosts]"),
    Breakage("story.site.dns", "components/story.py", " or config.trusted_proxies\n", "\n"),
    Breakage("story.switch", f"{STORY}/live.py", "return change.of_password or any", "return any"),
    Breakage(
        "story.switch",
        f"{STORY}/live.py",
        "in (*_fields(change.was, change.wanted), ",
        "in (*(), ",
    ),
    Breakage(
        "story.data",
        f"{STORY}/section.py",
        "zip(names, told.entries, strict=False)",
        "zip(names, told.entries[:1], strict=False)",
    ),
    Breakage(
        "errors.progress", f"{SCRIPTS}/release/jobs.py", "pause = min(2 * pause, LONGEST_QUIET)", "pause = pause * 1"
    ),
    Breakage(
        "errors.all-at-once",
        "codesensei/wire/together.py",
        "        return True\n",
        "        return False\n",
    ),
    Breakage("errors.all-at-once", f"{SCRIPTS}/base/together.py", "        last.served = self.served\n", ""),
    Breakage(
        "errors.all-at-once",
        f"{SCRIPTS}/base/together.py",
        "raise failures[0] if len(failures) == 1 else Failures(failures)",
        "raise failures[0]",
    ),
    Breakage("django.media-inside", f"{SCRIPTS}/release/ask_django.py", ' if alias != "staticfiles"]', "]"),
    Breakage(
        "django.media-inside",
        f"{SCRIPTS}/release/ask_django.py",
        "  # noqa: BLE001\n        return True\n",
        "  # noqa: BLE001\n        return False\n",
    ),
    Breakage(
        "django.sqlite-inside",
        f"{SCRIPTS}/release/checks.py",
        "    yield from _check_sqlite(facts, release, data)\n",
        "",
    ),
    Breakage("django.media-inside", f"{SCRIPTS}/release/checks.py", " or _check_media(facts, release)\n", "\n"),
    Breakage(
        "django.static-root-outside",
        f"{SCRIPTS}/release/checks.py",
        "if root and (not inside(path, release.path) or",
        "if root and (not path or",
    ),
    Breakage(
        "django.static-url-other",
        f"{SCRIPTS}/release/checks.py",
        "elif _local_path(facts.static_url) != expected:",
        'elif "://" in facts.static_url:',
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
        f"{WIRE}/register.py",
        "if item and item.identity != identity:",
        "if item and item.stack != stack:",
    ),
    Breakage(
        "register.adopt",
        f"{SCRIPTS}/base/register.py",
        "    if not adopt:\n        refuse(of_name",
        "    if True:\n        refuse(of_name",
    ),
    Breakage(
        "register.refused",
        f"{WIRE}/register.py",
        "if one != slug and item.has(kind, name)",
        "if one == slug and item.has(kind, name)",
    ),
    Breakage("register.reserved-databases", "codesensei/wire/names.py", r"|template\d*|pg_.*", r"|template\d*"),
    Breakage("os.supported", f"{SCRIPTS}/base/host.py", '("debian", "13"), ', ""),
    Breakage("os.needrestart", f"{SCRIPTS}/steps/packages.py", '"NEEDRESTART_SUSPEND": "1", ', ""),
    Breakage(
        "os.port-80",
        f"{SCRIPTS}/checks/machine.py",
        "if listener.process not in SERVED_BY:",
        "if listener.pid is None:",
    ),
    Breakage("preflight.ports", f"{SCRIPTS}/checks/database.py", "                connection.connect(address)\n", ""),
    Breakage("broker.loopback", f"{SCRIPTS}/steps/broker.py", "if not found.loopback]", "if not found.port]"),
    Breakage(
        "broker.program",
        f"{SCRIPTS}/steps/packages.py",
        '("valkey-server", "redis-server")',
        '("redis-server", "valkey-server")',
    ),
    Breakage("database.extensions", f"{SCRIPTS}/steps/packages.py", "EXTENSION_ALIASES.get(name, name)", "name"),
    Breakage(
        "paths.shared.links", f"{SCRIPTS}/steps/account.py", "../current/.codesensei/env", "../previous/.codesensei/env"
    ),
    Breakage(
        "destroy.goes", f"{SCRIPTS}/removal/database.py", "        _end_login(step, port, role)\n", "        pass\n"
    ),
    Breakage("register.slug-fixed", f"{SCRIPTS}/steps/claim.py", "    _slug_stays(step, identity)\n", ""),
    Breakage("prune.keep", f"{SCRIPTS}/release/prune.py", "(project.current, project.previous)", "(project.current,)"),
    Breakage("os.refused", f"{SCRIPTS}/checks/machine.py", "if not system.supported and", "if not system.name and"),
    Breakage(
        "os.dpkg-lock",
        f"{SCRIPTS}/steps/packages.py",
        'LOCKED = re.compile(r"Could not get lock|',
        'LOCKED = re.compile(r"Could not have lock|',
    ),
    Breakage(
        "preflight.room", f"{SCRIPTS}/checks/machine.py", "    if memory < MEMORY_NEEDED:\n", "    if memory < 0:\n"
    ),
    Breakage("register.reserved-units", f"{SCRIPTS}/checks/names.py", "    if not ours:\n", "    if not found:\n"),
    Breakage(
        "user.refused", f"{SCRIPTS}/checks/user.py", 'if "may run the following commands" in', 'if "may run all" in'
    ),
    Breakage("broker.loopback", f"{SCRIPTS}/base/host.py", '.replace("*", "::")', '.replace("*", "::1")'),
    Breakage("user.refused", f"{SCRIPTS}/checks/user.py", "        _not_listed_by_sudo(user, thing, fix)\n", ""),
    Breakage("user.refused", f"{SCRIPTS}/steps/account.py", "    _refuse_power(user, is_new=step.", "    (step."),
    Breakage(
        "destroy.own-only",
        f"{SCRIPTS}/removal/accounts.py",
        "entry.user in register.users(but=step.slug)",
        "entry.user is None",
    ),
    Breakage(
        "destroy.own-only",
        f"{SCRIPTS}/steps/destroy.py",
        "entry.identity != step.data.identity",
        "entry.stack is None",
    ),
    Breakage("destroy.server-gone", f"{REMOTE}/destroy_check.sh", "pulumi stack rm --force", "pulumi stack rm"),
    Breakage(
        "config.drift", f"{REMOTE}/look.py", "done.repair + bool(differs or drift)", "done.repair + bool(differs)"
    ),
    Breakage(
        "config.drift", f"{REMOTE}/look.py", "return cls({step: done.repair for step", "return cls({step: 0 for step"
    ),
    Breakage("config.server.proxy", f"{REMOTE}/look.py", "jump = server.proxy if", "jump = None if"),
    Breakage(
        "destroy.stays",
        f"{SCRIPTS}/steps/destroy.py",
        'step.data.on_destroy.database == "drop"',
        'step.data.on_destroy.database == "keep"',
    ),
    # The graph
    Breakage(
        "secrets.smallest",
        "components/environment.py",
        '"broker": dict.fromkeys(injected_broker, "its own")',
        '"broker": {**secrets.env}',
    ),
    Breakage("secrets.changed", "components/environment.py", "keyed(digest_key, value) for key", '"a secret" for key'),
    Breakage(
        "words.release.outside",
        "components/environment.py",
        "release_name(code.id, digest_key, variables)",
        "release_name(code.id, digest_key, {**variables, 'W': repr(stack.config.project.workers)})",
    ),
    Breakage("order.inert", "components/stack.py", "opts=_after(release, processes, edge),", "opts=_after(processes),"),
    Breakage(
        "order.only-what-changes",
        "components/provisioning.py",
        "steps.Proxy(files=files, packages=project.system_packages, unit=unit)",
        "steps.Proxy(files=files, packages=(), unit=unit)",
    ),
    Breakage(
        "order.only-what-changes",
        "components/release.py",
        "        requirements=config.requirements,\n",
        '        requirements=f"{config.requirements} {config.workers}",\n',
    ),
    # The switch
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "        try:\n            restore(step)\n",
        "        try:\n            pass\n",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/steps/switch.py",
        "    if live.is_interrupted(project):",
        "    if not live:",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "    save(step, now, renewed, others)\n    try:",
        "    try:",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "        remove_json(_journal(step.project))\n",
        "",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "        write_json(step.project.live, codec.encode(step.data))\n",
        "",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/apply.py",
        "    units.read_again(names, enabled=True)\n",
        "",
    ),
    Breakage("switch.all-or-nothing", f"{SCRIPTS}/base/units.py", '"NeedDaemonReload=yes" in said', "False"),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/apply.py",
        '    systemctl("enable", "--quiet", "--no-reload", *names)\n',
        "",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/apply.py",
        "            proxy_changed = proxy_changed or changed\n",
        "",
    ),
    Breakage(
        "words.current",
        f"{SCRIPTS}/serving/apply.py",
        '        files.make_link(project.current, f"releases/{name}")\n',
        "",
    ),
    Breakage(
        "words.current",
        f"{SCRIPTS}/serving/apply.py",
        '            files.make_link(project.previous, f"releases/{before}")\n',
        "            pass\n",
    ),
    Breakage(
        "words.release",
        f"{SCRIPTS}/steps/switch.py",
        "    if not release.record.is_prepared:",
        "    if not release.record:",
    ),
    Breakage("switch.candidate", f"{SCRIPTS}/steps/switch.py", "    if not change.of_web():", "    if not stale:"),
    Breakage(
        "switch.candidate",
        f"{SCRIPTS}/serving/apply.py",
        '    systemctl("restart" if web in stale else "start", web)',
        '    systemctl("start", web)',
    ),
    Breakage(
        "switch.read-back",
        f"{SCRIPTS}/steps/switch.py",
        "            edge.read_back(step, release, began)\n            media",
        "            media",
    ),
    Breakage(
        "switch.read-back",
        f"{SCRIPTS}/steps/switch.py",
        "                edge.read_back(step, release, began, behind_proxy=True)\n",
        "",
    ),
    Breakage(
        "switch.manifest",
        f"{SCRIPTS}/serving/apply.py",
        "            step.converge(files.remove_path(path), ",
        "            step.converge(False, ",
    ),
    Breakage("switch.manifest", f"{SCRIPTS}/serving/workers.py", "        _stop_departed(change)\n", ""),
    Breakage(
        "workers.singleton",
        f"{SCRIPTS}/serving/workers.py",
        "    return None if _departed(change) else _start",
        "    return _start",
    ),
    Breakage(
        "switch.damaged-notes",
        f"{SCRIPTS}/main.py",
        "            for done in damage.repair(step.project):\n",
        "            for done in ():\n",
    ),
    Breakage(
        "switch.damaged-notes",
        f"{SCRIPTS}/base/damage.py",
        "        elif _is_whole(copy_of(path)):",
        "        elif False:",
    ),
    Breakage("switch.candidate-ends", "codesensei/templates/site.conf.j2", " fail_timeout=0 backup;", " down;"),
    Breakage("switch.candidate-ends", "codesensei/templates/site.conf.j2", "        proxy_next_upstream error;\n", ""),
    Breakage(
        "switch.candidate-ends", f"{SCRIPTS}/serving/hand_over.py", "    _protect(candidate_unit(project.slug))\n", ""
    ),
    Breakage(
        "switch.nginx-stopped",
        f"{SCRIPTS}/serving/edge.py",
        '        units.ensure_running(step, nginx.UNIT, "nginx")\n',
        "",
    ),
    Breakage("switch.damaged-notes", f"{SCRIPTS}/base/lines.py", "places = (path, copy_of(path))", "places = (path,)"),
    Breakage("switch.damaged-notes", f"{SCRIPTS}/steps/look.py", "            *_damaged(project),\n", ""),
    Breakage("proxy.checked", f"{SCRIPTS}/serving/apply.py", "    if not tested.ok:", "    if tested.code > 1:"),
    Breakage("proxy.tuned", f"{SCRIPTS}/steps/proxy.py", "        text = beside(text, others)", "        pass"),
    Breakage("proxy.tuned", f"{SCRIPTS}/steps/proxy.py", "sites.on_disk() if found.problem else found", "found"),
    Breakage("source.bounds", f"{SOURCE}/tree.py", "        if size > bounds.TEXT_BYTES:", "        if size < 0:"),
    Breakage("source.bounds", f"{SOURCE}/syntax.py", "    _refuse_deep(file, found)\n", ""),
    Breakage(
        "source.bounds",
        f"{SOURCE}/archive.py",
        "            raise _too_big(thing, entries) from None\n",
        "            pass\n",
    ),
    Breakage("media.own", f"{TEMPLATES}/site.conf.j2", '("from=" ~ uploads ~ "/")', '("from=" ~ media)'),
    Breakage("media.own", f"{SCRIPTS}/steps/account.py", "served.stat().st_uid if led else ", ""),
    Breakage("media.internal", f"{TEMPLATES}/site.conf.j2", "        internal;\n", ""),
    Breakage("media.internal", f"{TEMPLATES}/site.conf.j2", "        error_page 404 = @{{ prefix }}_project;\n", ""),
    Breakage(
        "config.python-path", f"{SOURCE}/roots.py", "if _is_needed(own, root, config.settings_module)", "if False"
    ),
    Breakage("config.python-path", f"{SOURCE}/inspect.py", "(*python_path, *(", "(*(), *("),
    Breakage("config.python-path", f"{SOURCE}/inspect.py", "added_roots=added_roots", "added_roots=()"),
    Breakage(
        "config.python-path", "components/environment.py", ", **injected_broker, **python_path}", ", **injected_broker}"
    ),
    Breakage("tls.covers", f"{SCRIPTS}/serving/certificates.py", "} & names]", "} & {*hostnames}]"),
    Breakage("proxy.patterns", f"{WIRE}/names.py", "codesensei-probe{hostname[1:]}", "{hostname}"),
    Breakage("proxy.patterns", f"{SCRIPTS}/base/rivals.py", "if _is_below(one, name):", "if False:"),
    Breakage("proxy.patterns", f"{SCRIPTS}/serving/health.py", " and end.status != 400", ""),
    Breakage("tls.external", f"{TEMPLATES}/site.conf.j2", "_served = 0)", "_served = 2)"),
    Breakage(
        "tls.external", f"{RENDER}/site.py", '("https", "443") if external_tls', '("$scheme", "80") if external_tls'
    ),
    Breakage("tls.external", f"{SCRIPTS}/serving/edge.py", ", plain=question.health.external_tls", ""),
    Breakage("proxy.tuned", f"{SCRIPTS}/base/nginx.py", "found = _AT.search(said)", "found = None"),
    Breakage(
        "tls.never-down",
        f"{SCRIPTS}/serving/apply.py",
        "default_tls.point(step, manifest.default_tls) or proxy_changed",
        "proxy_changed",
    ),
    Breakage(
        "database.password",
        f"{SCRIPTS}/serving/apply.py",
        "        passwords.apply(step.slug, role.role, role.digest)\n",
        "        pass\n",
    ),
    Breakage(
        "database.password", f"{SCRIPTS}/steps/switch.py", "serves = not change.of_password() and not", "serves = not"
    ),
    Breakage(
        "database.password",
        f"{SCRIPTS}/steps/switch.py",
        "        passwords.prune(step.project, manifest.database.digest)\n",
        "        pass\n",
    ),
    Breakage("hooks.after-switch", f"{SCRIPTS}/steps/switch.py", " if step.changes else [])]", ")]"),
    Breakage("hooks.after-switch", f"{SCRIPTS}/steps/switch.py", '        warnings.append(f"', '        step.say(f"'),
    Breakage(
        "config.drift",
        f"{SCRIPTS}/steps/switch.py",
        "    for link in (step.project.current, step",
        "    for link in (step.project.root, step",
    ),
    Breakage("register", f"{SCRIPTS}/steps/switch.py", '"hostnames": manifest.health.hosts}', "}"),
    Breakage("prune.keep", f"{SCRIPTS}/steps/switch.py", "    prune.prune(step, manifest.keep_releases)\n", ""),
    Breakage(
        "outputs.served",
        f"{SCRIPTS}/steps/switch.py",
        "Switched(release=name, revision=revision",
        "Switched(release=name, revision=name",
    ),
    Breakage(
        "paths.shared.home",
        f"{SCRIPTS}/serving/apply.py",
        "        jobs.make_app_home(change.release, process)\n",
        "        pass\n",
    ),
    Breakage(
        "state.size",
        f"{REMOTE}/toolkit.py",
        "source=pulumi.FileAsset(str(toolkit.write(folder_of(pulumi.get_stack())).absolute()))",
        "source=pulumi.StringAsset(toolkit.bundle)",
    ),
    Breakage(
        "state.size",
        f"{REMOTE}/toolkit.py",
        "        logging=PROGRESS,\n",
        "        logging=PROGRESS, stdin=toolkit.bundle,\n",
    ),
    Breakage(
        "source.new-server",
        f"{REMOTE}/toolkit.py",
        "{server.user}@{server.host}:{server.port} {machine}",
        "{server.host}",
    ),
    Breakage("source.new-server", f"{REMOTE}/toolkit.py", "            access.look.copy,\n", "            0,\n"),
    Breakage(
        "config.drift", f"{REMOTE}/toolkit.py", "            access.look.repair(CLAIM.name),\n", "            0,\n"
    ),
    Breakage("source.new-server", f"{REMOTE}/state.py", "copy = max(copy, int(", "copy = min(99, int("),
    Breakage("redeploy.unchanged", f"{SCRIPTS}/steps/switch.py", "    if change.is_needed():", "    if change:"),
    # What is put back
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        '        ("other units", put_back(_end_others, was)),\n',
        "",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "        files.write_file(path, saved.text,",
        "        (path, saved.text,",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "        files.remove_path(path)\n    elif",
        "        pass\n    elif",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "        files.make_link(path, saved)\n",
        "        pass\n",
    ),
    Breakage("switch.all-or-nothing", f"{SCRIPTS}/serving/live.py", ", **was.links}", "}"),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "live or put_back(remove_json, project.live)",
        "live or bool",
    ),
    Breakage("switch.all-or-nothing", f"{SCRIPTS}/serving/live.py", '    systemctl("daemon-reload")\n', ""),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        '("restart", renewed), ("start", ended)',
        '("start", ended),',
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        '("restart", renewed), ("start", ended)',
        '("restart", renewed),',
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "            units.restart_socket(name)\n",
        "            pass\n",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        '        ("visitors", put_back(_lead_back, project, was.live)),\n',
        "",
    ),
    Breakage("switch.all-or-nothing", f"{SCRIPTS}/serving/live.py", '        ("proxy", _reload_proxy),\n', ""),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "    if left:\n        cause",
        "    if left is None:\n        cause",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/live.py",
        "        units.wait_until(lambda: question",
        "        bool(lambda: question",
    ),
    Breakage(
        "database.password",
        f"{SCRIPTS}/serving/live.py",
        '        ("password", put_back(_put_back_password, was.role)),\n',
        "",
    ),
    Breakage("root.trust", f"{SCRIPTS}/serving/live.py", ' and ".." not in path', ""),
    Breakage(
        "destroy.own-only",
        f"{SCRIPTS}/serving/live.py",
        ".startswith(tuple(map(str, own)))",
        '.startswith(("/etc/", "/run/"))',
    ),
    # What a switch has to change
    Breakage(
        "switch.candidate",
        f"{SCRIPTS}/serving/change.py",
        "self.now.release != self.release.name",
        "self.now.release is None",
    ),
    Breakage(
        "config.drift", f"{SCRIPTS}/serving/change.py", "            or any(map(_differs, self.manifest.files))\n", ""
    ),
    Breakage(
        "config.drift",
        f"{SCRIPTS}/serving/change.py",
        "            or any(files.link_target(link) is None for link in links)\n",
        "",
    ),
    Breakage(
        "config.drift", f"{SCRIPTS}/serving/change.py", "(was.get(file.path), _text(file))", "(was.get(file.path),)"
    ),
    Breakage(
        "config.drift",
        f"{SCRIPTS}/serving/change.py",
        '(state.active, state.file) == ("active", "enabled")',
        'state.active == "active"',
    ),
    Breakage(
        "config.drift",
        f"{SCRIPTS}/serving/change.py",
        "            or not all(map(_is_in_order, self._states().values()))\n",
        "",
    ),
    Breakage(
        "config.drift",
        f"{SCRIPTS}/serving/change.py",
        "            or default_tls.wanted(self.step, self.manifest.default_tls) is not None\n",
        "",
    ),
    Breakage("database.password", f"{SCRIPTS}/serving/change.py", "            or self.of_password()\n", ""),
    Breakage(
        "database.password",
        f"{SCRIPTS}/serving/change.py",
        "        if self.of_code() or self.of_password():",
        "        if self.of_code():",
    ),
    Breakage("switch.all-or-nothing", f"{SCRIPTS}/serving/change.py", "file.renews or Path", "Path"),
    Breakage(
        "workers.same",
        f"{SCRIPTS}/serving/change.py",
        'self.manifest.named("web", "worker")',
        'self.manifest.named("web")',
    ),
    # Workers
    Breakage(
        "workers.dying",
        f"{SCRIPTS}/serving/workers.py",
        "            if not _lives(state) or state",
        "            if state",
    ),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", " or state.restarts != renewal.restarts[name]", ""),
    Breakage(
        "workers.dying",
        f"{SCRIPTS}/serving/workers.py",
        '{name: "0" if name in old else state.restarts for name, state in before.items()}',
        "{name: units.show(name).restarts for name in names}",
    ),
    Breakage(
        "workers.drain",
        f"{SCRIPTS}/steps/switch.py",
        "            renewal = workers.begin(change, stale)\n",
        "            renewal = None\n",
    ),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", ' and state.sub != "auto-restart"', ""),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", "waiting & single - ready", "waiting - ready"),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", 'r"INFO.* Connected to ', 'r"INFO.* Connected with '),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", r"\w+(?:\+\w+)?://\S+$|", "|"),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", "AFTER_READY = 1.0", "AFTER_READY = 0.0"),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", "AFTER_READY = 1.0", "AFTER_READY = 9.0"),
    Breakage(
        "workers.dying",
        f"{SCRIPTS}/serving/workers.py",
        "    return max(GRACE, AFTER_LOADING + 2 * (time.monotonic() - started - answer.asked))",
        "    return GRACE",
    ),
    Breakage(
        "workers.drain",
        f"{SCRIPTS}/serving/workers.py",
        '        systemctl("restart", "--no-block", "--job-mode=ignore-dependencies", *old)',
        '        systemctl("start", "--no-block", *old)',
    ),
    Breakage("workers.drain", f"{SCRIPTS}/serving/workers.py", '.main_pid not in (old[name], "0") or', ".main_pid or"),
    Breakage(
        "workers.proof",
        f"{SCRIPTS}/serving/workers.py",
        "    if answer.problems:",
        "    if not answer.problems:",
    ),
    Breakage("workers.proof", f"{SCRIPTS}/serving/workers.py", "    if not done.answer:", "    if not done:"),
    Breakage(
        "workers.broker", f"{SCRIPTS}/serving/ask_workers.py", "            if ask and asks:", "            if False:"
    ),
    Breakage("workers.broker", f"{SCRIPTS}/serving/ask_workers.py", "    signal.alarm(seconds)\n", ""),
    Breakage("workers.broker", f"{SCRIPTS}/serving/ask_workers.py", 'LOGIN.sub("", connection.as_uri())', '""'),
    Breakage(
        "workers.broker", f"{SCRIPTS}/serving/ask_workers.py", "env={**os.environ, **variables}", "env=os.environ"
    ),
    Breakage("workers.broker", f"{SCRIPTS}/serving/ask_workers.py", '"-b", "--broker"', '"-B", "--broker"'),
    Breakage("workers.broker", f"{SCRIPTS}/serving/workers.py", "        if _retries(", "        if not _retries("),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", "return bool(ends)", "return False"),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", "    if not endings:\n", "    if True:\n"),
    Breakage("workers.dying", f"{SCRIPTS}/serving/workers.py", " - answer.asked))", "))"),
    Breakage(
        "workers.singleton",
        f"{SCRIPTS}/serving/workers.py",
        "    _wait_for_end(step, running, lambda name, state: state.has_ended)\n",
        "",
    ),
    Breakage(
        "switch.manifest",
        f"{SCRIPTS}/serving/workers.py",
        '            systemctl("disable", "--now", name)',
        "            pass",
    ),
    Breakage("switch.manifest", f"{SCRIPTS}/serving/workers.py", "files.remove_path(paths.unit(name))", "False"),
    Breakage("secrets.filter", f"{SCRIPTS}/serving/workers.py", "log = clean(problem.log)", "log = problem.log"),
    # What visitors are served
    Breakage(
        "switch.read-back",
        f"{SCRIPTS}/serving/edge.py",
        '    if not f"{directory}/".startswith',
        '    if f"{directory}/" is None and not "".startswith',
    ),
    Breakage(
        "switch.read-back",
        f"{SCRIPTS}/serving/edge.py",
        "    if visits.is_nginx_own(visit.end):",
        "    if not visit.end:",
    ),
    Breakage(
        "switch.read-back",
        f"{SCRIPTS}/serving/edge.py",
        "            if not question.accepts(visit):",
        "            if not question:",
    ),
    Breakage(
        "switch.edge", f"{SCRIPTS}/serving/edge.py", ".count(word.encode()) >= len(visit.answers)", ".count(b'') > 0"
    ),
    Breakage("switch.edge", f"{SCRIPTS}/serving/edge.py", "host.own_addresses() or [LOOPBACK]", "[LOOPBACK]"),
    Breakage("switch.edge", f"{SCRIPTS}/serving/edge.py", '    if health.scheme == "https":', "    if not visit:"),
    Breakage(
        "switch.every-hostname",
        f"{SCRIPTS}/serving/edge.py",
        "for name in manifest.health.hosts):",
        "for name in manifest.health.hosts[:1]):",
    ),
    Breakage(
        "switch.every-hostname",
        f"{SCRIPTS}/steps/switch.py",
        "            edge.read_back(step, release, time.time(), behind_proxy=True)\n",
        "            pass\n",
    ),
    Breakage("switch.redirects", f"{SCRIPTS}/base/probe.py", "    cookies.add_cookie_header(request)\n", ""),
    Breakage("switch.redirects", f"{SCRIPTS}/base/probe.py", "len(answers) > FOLLOWED", "len(answers) > 10**6"),
    Breakage(
        "switch.redirects",
        f"{SCRIPTS}/serving/health.py",
        "        first, end = visit.answers[0], visit.end",
        "        first = end = visit.answers[0]",
    ),
    Breakage(
        "switch.cause",
        f"{SCRIPTS}/serving/health.py",
        "_ask_why(step, release, visit.end) or log",
        "_ask_why(step, release, visit.end) and log",
    ),
    Breakage("switch.same-settings", f"{SCRIPTS}/serving/said.py", "        if one != other:", "        if not one:"),
    Breakage("switch.same-settings", f"{SCRIPTS}/serving/said.py", '("", release.settings_module)', '("", module)'),
    Breakage("switch.same-settings", f"{PROGRAMS}/uvicorn_candidate.py", '    candidate["say"]()\n', ""),
    Breakage("switch.same-settings", f"{PROGRAMS}/daphne_candidate.py", '    candidate["say"]()\n', ""),
    Breakage("switch.same-settings", f"{PROGRAMS}/gunicorn_candidate.py", '    _candidate["say"]()\n', ""),
    Breakage(
        "switch.same-settings",
        f"{SCRIPTS}/release/ask_django.py",
        "    if os.environ.get(name) != value:",
        "    if not value:",
    ),
    Breakage(
        "django.debug",
        f"{SCRIPTS}/release/checks.py",
        "    if not facts.debug or not manifest.production or",
        "    if not manifest.production or",
    ),
    Breakage("django.debug", f"{SCRIPTS}/serving/said.py", "    if facts.debug and", "    if not facts and"),
    Breakage("django.debug", f"{SCRIPTS}/release/policy.py", "    if facts.debug:", "    if not facts:"),
    # Policy
    Breakage("policy.found", f"{SCRIPTS}/release/policy.py", "    if data.production and told:", "    if not data:"),
    Breakage(
        "policy.found", f"{SCRIPTS}/release/ask_checks.py", "        if check in everywhere:", "        if not check:"
    ),
    Breakage("policy.found", f"{SCRIPTS}/release/ask_checks.py", "message.id == NEVER_SILENT or ", ""),
    Breakage("policy.found", f"{SCRIPTS}/release/policy.py", "    most_lines = 3 * MOST\n", ""),
    Breakage("policy.waive", f"{SCRIPTS}/release/policy.py", "        if name not in data.waived\n", ""),
    Breakage("policy.waive", f"{CONFIG}/waive.py", "if not any(map(str.isalnum, value)):", "if not value:"),
    Breakage(
        "policy.unused",
        f"{SCRIPTS}/release/policy.py",
        "data.waived if name not in found and",
        "data.waived if not name and",
    ),
    Breakage(
        "policy.unused", f"{CONFIG}/policy.py", "if name not in found and _is_of_file", "if not name and _is_of_file"
    ),
    Breakage(
        "policy.listed", f"{STORY}/policy.py", '(shortened(f"{name} is waived: {waived[name]}")', "(shortened(name)"
    ),
    Breakage(
        "policy.listed",
        "components/story.py",
        "if any(part.entries for part in sections) or story",
        "if stack.config.waive or story",
    ),
    Breakage("policy.preview", "components/stack.py", "if finding.thing not in stack.config.waive:", "if finding:"),
    Breakage("policy.preview", f"{SOURCE}/policy.py", "if setting.certain}", "if setting}"),
    Breakage("policy.plain-secret", f"{CONFIG}/policy.py", "if config.production and (name", "if False and (name"),
    Breakage("policy.backup", f"{SCRIPTS}/backups/status.py", "<= FRESH_BACKUP:", "<= FRESH_BACKUP - 7200:"),
    Breakage("policy.backup", f"{SCRIPTS}/steps/build.py", "if not step.data.backups or", "if"),
    Breakage(
        "policy.edge", f"{SCRIPTS}/release/policy.py", " and not policy.is_moot(name, plain_http=data.plain_http)", ""
    ),
    Breakage(
        "policy.edge", f"{WIRE}/policy.py", "_OF_HTTPS if plain_http else _OF_NGINX", "_OF_HTTPS if plain_http else ()"
    ),
    Breakage(
        "policy.earlier",
        f"{SCRIPTS}/release/policy.py",
        "    if facts.checks is None and data.production:",
        "    if False:",
    ),
    Breakage("register.sites", f"{SCRIPTS}/base/rivals.py", "    removable = not others and", "    removable ="),
    Breakage("register.sites", f"{SCRIPTS}/steps/switch.py", "    rivals.refuse(found, adopt=manifest.adopt)\n", ""),
    Breakage(
        "register.sites",
        f"{SCRIPTS}/serving/apply.py",
        "    return files.remove_path(path)\n\n\ndef reload",
        "    return True\n\n\ndef reload",
    ),
    Breakage(
        "register.sites",
        f"{SCRIPTS}/base/sites.py",
        'if directive.words[0] == "include" and',
        'if directive.words[0] == "included" and',
    ),
    Breakage(
        "media.readable",
        f"{SCRIPTS}/serving/media.py",
        "    served = answer.status == 200 and word in answer.body",
        "    served = answer.status != 500",
    ),
    Breakage("media.readable", f"{SCRIPTS}/serving/media.py", "        if not written.ok:", "        if not written:"),
    Breakage("media.readable", f"{SCRIPTS}/steps/account.py", "        if mode & 0o005:", "        if mode & 0o002:"),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/hand_over.py",
        "    _make_like(project.new_door, os.lstat(project.door))\n    os.rename(project.new_door, project.door)\n",
        "",
    ),
    Breakage(
        "build.signal",
        f"{SCRIPTS}/release/jobs.py",
        '        "ExecStopPost": ENDED_ITSELF,\n',
        "",
    ),
    Breakage(
        "build.signal",
        f"{SCRIPTS}/release/jobs.py",
        "how_it_ended(-self.signal if self.signal else self.code)",
        "how_it_ended(self.code)",
    ),
    Breakage(
        "config.drift.folders",
        f"{SCRIPTS}/steps/account.py",
        "            step.manage_owner(path)\n",
        "            pass\n",
    ),
    Breakage("config.drift.folders", f"{SCRIPTS}/base/proofs.py", ", *_disowned(proof)]", "]"),
    Breakage("config.drift.folders", f"{SCRIPTS}/base/proofs.py", "found.st_uid != owner and not led", "not led"),
    Breakage("config.drift.folders", f"{SCRIPTS}/base/proofs.py", " and found.st_uid == 0\n", "\n"),
    Breakage("look.packages", f"{SCRIPTS}/steps/look.py", "    yield from packages.lacking(proof.packages)\n", ""),
    Breakage(
        "look.packages",
        f"{SCRIPTS}/steps/packages.py",
        "if not there & {*names.split()}",
        "if not {*names.split()} <= there",
    ),
    Breakage("look.packages", f"{SCRIPTS}/steps/packages.py", "    _need(step, wanted)\n", ""),
    Breakage("user.again", f"{SCRIPTS}/base/proofs.py", "for name in proof.users if", "for name in () if"),
    Breakage(
        "user.again",
        f"{SCRIPTS}/steps/account.py",
        '            options += ["--uid", str(former.user)]\n',
        "            pass\n",
    ),
    Breakage("user.again", f"{SCRIPTS}/steps/account.py", "        step.need_user(name)\n", "        pass\n"),
    Breakage(
        "look.database", f"{SCRIPTS}/steps/database.py", "        _refuse_lost(port, name, role)\n", "        pass\n"
    ),
    Breakage("look.database", f"{SCRIPTS}/serving/findings.py", 'found["open"] is None', 'found["open"] is False'),
    Breakage(
        "look.database",
        f"{SCRIPTS}/serving/findings.py",
        'found["verifier"] != was.verifier',
        'found["verifier"] is None',
    ),
    Breakage("look.release-gone", f"{SCRIPTS}/steps/look.py", " if any(_gone(project)) else ()", " if False else ()"),
    Breakage("look.release-gone", f"{SCRIPTS}/steps/look.py", "        BUILD.name: lambda: _gone(project),\n", ""),
    Breakage(
        "look.release-gone",
        f"{SCRIPTS}/steps/look.py",
        "        elif units.is_left_behind(state):",
        "        elif False:",
    ),
    Breakage("look.release-gone", f"{SCRIPTS}/serving/change.py", "            or bool(self._left_behind())\n", ""),
    Breakage(
        "look.release-gone",
        f"{SCRIPTS}/serving/change.py",
        "stale = self._of_files() | self._left_behind()",
        "stale = self._of_files()",
    ),
    Breakage("look.release-gone", f"{SCRIPTS}/release/edited.py", 'venv / ".complete").exists()', "venv).exists()"),
    Breakage(
        "look.edited",
        f"{SCRIPTS}/serving/findings.py",
        "        yield from _of_edits(live.project, live.release)\n",
        "",
    ),
    Breakage("look.edited", f"{SCRIPTS}/release/edited.py", "[] if len(files) > seen / 2 else ", ""),
    Breakage("look.edited", f"{SCRIPTS}/release/edited.py", ".st_mtime > sealed", ".st_ctime > sealed"),
    Breakage("look.edited", f"{SCRIPTS}/release/edited.py", "sorted(files or folders)", "sorted(files)"),
    Breakage("backups.kept", f"{SCRIPTS}/backups/repository.py", "max(days, 1)", "max(days, 0)"),
    Breakage("build.signal", f"{SCRIPTS}/release/jobs.py", "0 if end.well else code", "code"),
    Breakage("build.signal", f"{SCRIPTS}/release/jobs.py", '{"Result": "exit-code", ', "{**found, "),
    Breakage("web.door", f"{SCRIPTS}/serving/hand_over.py", "stat.S_ISSOCK(found.st_mode) and ", ""),
    Breakage(
        "web.door", f"{SCRIPTS}/serving/hand_over.py", " if os.path.lexists(project.door) else project.socket", ""
    ),
    Breakage("web.door", "codesensei/render/site.py", "socket=str(project.door)", "socket=str(project.socket)"),
    Breakage("web.door", "codesensei/render/units.py", ' && test ! -L "$1"', ""),
    Breakage("web.door", "codesensei/render/units.py", "'ln -fPT", "'ln -fLT"),
    Breakage("web.door", "codesensei/wire/manifest.py", 'not file.path.endswith(".socket")', "file.path"),
    Breakage(
        "story.switch",
        f"{STORY}/live.py",
        "means_another(before.get(file.path), file)",
        "before.get(file.path) != file.content",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/hand_over.py",
        "        os.rename(project.new_door, _public(project))\n",
        "",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/hand_over.py",
        "    if not _listens(project.kept_socket):",
        "    if not is_away(project):",
    ),
    Breakage(
        "switch.candidate-ends",
        f"{SCRIPTS}/serving/hand_over.py",
        "        os.link(project.kept_socket, project.new_door, follow_symlinks=False)\n",
        "        os.rename(project.kept_socket, project.new_door)\n",
    ),
    Breakage(
        "switch.candidate-ends",
        f"{SCRIPTS}/serving/hand_over.py",
        "    if not is_away(project) or not _listens",
        "    if not _listens",
    ),
    Breakage(
        "switch.candidate",
        f"{SCRIPTS}/serving/candidate.py",
        "    if not question.accepts(visit):",
        "    if not question:",
    ),
    Breakage(
        "switch.candidate", f"{SCRIPTS}/serving/candidate.py", "step.data.health.hosts:", "step.data.health.hosts[:1]:"
    ),
    Breakage(
        "switch.candidate",
        f"{SCRIPTS}/serving/candidate.py",
        "        if units.show(candidate_unit(project.slug)).has_ended:",
        "        if units.show(candidate_unit(project.slug)) is None:",
    ),
    Breakage(
        "config.health-check",
        f"{SCRIPTS}/serving/candidate.py",
        "began + step.data.health.timeout)",
        "began + 100)",
    ),
    Breakage(
        "tls.redirect",
        f"{SCRIPTS}/serving/health.py",
        "return not end.error and not visit.problem and sound",
        "return not end.error and sound",
    ),
    Breakage(
        "causes.disallowed-host",
        f"{SCRIPTS}/serving/health.py",
        "        if visit.end.status == 400 and",
        "        if visit.end.status == 404 and",
    ),
    Breakage("words.candidate", f"{SCRIPTS}/serving/candidate.py", "str(fitting))", "str(wanted))"),
    Breakage(
        "database.credentials-current",
        f"{SCRIPTS}/serving/candidate.py",
        ":= jobs.write_credentials(release):",
        ':= "":',
    ),
    Breakage(
        "database.credentials-current",
        f"{SCRIPTS}/serving/candidate.py",
        "project.candidate_programs, credentials, project",
        "project.candidate_programs, project",
    ),
    Breakage(
        "switch.all-or-nothing",
        f"{SCRIPTS}/serving/candidate.py",
        "    if any(map(os.path.lexists, _traces(step.project))):",
        "    if not _traces(step.project):",
    ),
    Breakage("switch.all-or-nothing", f"{SCRIPTS}/serving/candidate.py", "    if stopped:\n", "    if name:\n"),
    # Look and manage
    Breakage("config.drift", f"{SCRIPTS}/steps/look.py", ", *_amiss(project, step), *others)", ", *others)"),
    Breakage("outputs.kept", f"{REMOTE}/access.py", "root.register_outputs(dict(state.outputs))", "pass"),
    Breakage("warnings.once", f"{REMOTE}/told.py", "or text not in told:", "or text:"),
    Breakage("look.services", f"{SCRIPTS}/steps/look.py", "        PROXY.name: findings.stopped_proxy,\n", ""),
    Breakage(
        "look.services",
        f"{SCRIPTS}/steps/look.py",
        "BROKER.name: lambda: brokers.stopped(project)",
        "BROKER.name: list",
    ),
    Breakage("look.services", f"{SCRIPTS}/serving/findings.py", "        return False\n", "        return True\n"),
    Breakage("look.findings", f"{SCRIPTS}/serving/findings.py", "restarts >= OFTEN or young", "young"),
    Breakage("look.findings", f"{SCRIPTS}/serving/findings.py", 'r"^oom_kill (', 'r"^oom ('),
    Breakage("look.findings", f"{SCRIPTS}/serving/findings.py", "and program.is_file())", "or program.is_file())"),
    Breakage("look.findings", f"{SCRIPTS}/serving/findings.py", "<> pg_database_coll", "= pg_database_coll"),
    Breakage("look.findings", f"{SCRIPTS}/steps/look.py", "yield from findings.of_project(live)", "yield from ()"),
    Breakage("look.findings", f"{REMOTE}/look.py", "for finding in answer.findings", "for finding in ()"),
    Breakage(
        "config.drift",
        f"{SCRIPTS}/steps/look.py",
        '        elif state.file != "enabled":',
        "        elif state.file is None:",
    ),
    Breakage(
        "config.drift",
        f"{SCRIPTS}/steps/look.py",
        '"active", "activating", "reloading"',
        '"active", "activating", "failed"',
    ),
    Breakage("paths.manage", f"{SCRIPTS}/steps/manage.py", "    os.setgid(files.group_id(user))\n", ""),
    Breakage("paths.manage", f"{SCRIPTS}/steps/manage.py", "    os.umask(0o022)\n", ""),
    Breakage("paths.manage.terminal", f"{SCRIPTS}/steps/manage.py", '"--pty", ', ""),
    Breakage("paths.manage.terminal", f"{SCRIPTS}/steps/manage.py", " and os.isatty(1)", ""),
    Breakage("paths.manage", f"{SCRIPTS}/steps/manage.py", "PASSED.fullmatch(name)", "name"),
    Breakage(
        "paths.manage",
        f"{SCRIPTS}/steps/manage.py",
        "        **envfile.parse(project.env_file(now.release).read_bytes().decode()),\n",
        "",
    ),
    Breakage(
        "paths.manage", f"{SCRIPTS}/steps/manage.py", "os.chdir(project.current / now", "os.chdir(project.root / now"
    ),
    # Packages
    Breakage(
        "deps.pip",
        f"{SCRIPTS}/release/builder.py",
        "    if done.ok:\n        return done\n",
        "    if done:\n        return done\n",
    ),
    Breakage(
        "deps.pip",
        f"{SCRIPTS}/release/builder.py",
        "self.release.path / self.step.data.install_from",
        "self.release.path",
    ),
    Breakage(
        "deps.pip", f"{SCRIPTS}/release/install.py", "    if total > CACHE_BYTES:", "    if total > CACHE_BYTES * 9:"
    ),
    Breakage(
        "deps.root", f"{SCRIPTS}/release/install.py", '    if (venv / ".complete").exists():', "    if venv.exists():"
    ),
    Breakage(
        "deps.root", f"{SCRIPTS}/release/install.py", "    files.remove_path(venv)\n    files.make", "    files.make"
    ),
    Breakage("deps.root", f"{SCRIPTS}/release/install.py", "    jobs.end_build_user(step)\n", ""),
    Breakage(
        "deps.root", f"{SCRIPTS}/release/install.py", "    seal(venv, step.project.build_user, release.user)\n", ""
    ),
    Breakage("deps.reuse", f"{SCRIPTS}/release/install.py", "data.venv_id[:12]", '"packages"'),
    Breakage(
        "deps.reuse",
        f"{SCRIPTS}/release/install.py",
        "    content = release.name if data.in_place else",
        "    content =",
    ),
    Breakage("deps.reuse", f"{SCRIPTS}/release/install.py", 'f"{content}-py{version}"', "content"),
    Breakage(
        "deps.server-missing",
        f"{SCRIPTS}/release/install.py",
        '[*OWN, *pip, "--constraint", str(listed)]',
        "[*OWN, *pip]",
    ),
    Breakage(
        "deps.server-missing",
        f"{SCRIPTS}/release/install.py",
        '    if not (builder.venv / "bin" / server.name).exists():',
        "    if server.name is None:",
    ),
    Breakage(
        "deps.uv",
        f"{SCRIPTS}/release/with_uv.py",
        '"--allow-existing", "--python", wanted',
        '"--allow-existing", "--python", python',
    ),
    Breakage(
        "deps.auto", f"{SCRIPTS}/release/install.py", "        if not why_not:", "        if why_not is not None:"
    ),
    Breakage(
        "deps.auto",
        f"{SCRIPTS}/release/install.py",
        "        _empty(builder.venv, builder.step, builder.release)\n",
        "",
    ),
    Breakage("deps.auto", f"{SCRIPTS}/release/with_uv.py", "if ignored := _ignored(done):", "if ignored := [*()]:"),
    Breakage("deps.uv", f"{SCRIPTS}/release/with_uv.py", "[*for_pip_alone(builder), *_ignored(done)]:", "[*()]:"),
    Breakage("deps.auto", f"{SCRIPTS}/release/with_uv.py", "if alone := for_pip_alone(builder):", "if alone := [*()]:"),
    Breakage("deps.auto", f"{SCRIPTS}/release/with_uv.py", "if data.hashed and data", "if data"),
    Breakage(
        "deps.auto",
        f"{SCRIPTS}/release/with_uv.py",
        'return "" if done.ok else f"uv does',
        'return "" if done else f"uv does',
    ),
    Breakage("deps.auto", f"{SCRIPTS}/release/with_uv.py", '["pip", "setuptools"] if older else', ""),
    Breakage("deps.auto", f"{SOURCE}/requirements.py", 'self.hashed or "--hash" in line', "self.hashed"),
    Breakage("deps.auto", f"{SCRIPTS}/release/uv.sh", 'SSL_CERT_FILE="$PIP_CERT"', 'SSL_CERT_FILE="$PIP"'),
    Breakage("config.python", f"{SCRIPTS}/steps/packages.py", "if data.uv or shutil", "if shutil"),
    Breakage("config.python", "components/provisioning.py", '== "auto" and project.python != ""', '== "uv"'),
    Breakage("config.python", f"{SCRIPTS}/release/install.py", "    if not wanted:", "    if wanted:"),
    Breakage(
        "order.environment-first",
        f"{SCRIPTS}/release/jobs.py",
        '"EnvironmentFile": str(release.env_file)',
        '"EnvironmentFile": "/dev/null"',
    ),
    Breakage("root.never", f"{SCRIPTS}/release/jobs.py", '        "User": user,', '        "User": "root",'),
    Breakage(
        "switch.all-or-nothing", f"{SCRIPTS}/release/jobs.py", '        systemctl("stop", unit, check=False)\n', ""
    ),
    # Sentence by sentence, what no breakage above is of
    Breakage(
        "words.release.immutable",
        f"{SCRIPTS}/release/prepare.py",
        "    if known.is_prepared:\n",
        '    if known.state == "prepared":\n',
    ),
    Breakage(
        "words.release.immutable",
        f"{SCRIPTS}/steps/build.py",
        "    if links_to(release):\n",
        "    if links_to(release) is None:\n",
    ),
    Breakage(
        "words.release.outside",
        f"{SOURCE}/code.py",
        'by_alias=True, exclude={"after_switch"}',
        "by_alias=True",
    ),
    Breakage(
        "words.process",
        "components/processes.py",
        'self.homes = ("web", *sorted(config.workers))',
        'self.homes = ("web",)',
    ),
    Breakage(
        "words.switch",
        f"{SCRIPTS}/serving/apply.py",
        '        files.make_link(project.current, f"releases/{name}")\n',
        "        pass\n",
    ),
    Breakage("paths.root", f"{SCRIPTS}/steps/claim.py", "(server.projects, 0o755)", "(server.projects, 0o775)"),
    Breakage("paths.project", f"{SCRIPTS}/steps/account.py", "{project.root: 0o751", "{project.root: 0o755"),
    Breakage(
        "paths.releases.built",
        f"{SCRIPTS}/release/seal.py",
        "        os.fchown(handle, 0, gid)\n        os.fchmod(handle, 0o755 if shown else 0o751",
        "        os.fchmod(handle, 0o755 if shown else 0o751",
    ),
    Breakage(
        "paths.releases.revision",
        f"{SCRIPTS}/release/prepare.py",
        '    revision = f"{known.revision}\\n"\n',
        '    revision = f"{release.name}\\n"\n',
    ),
    Breakage(
        "paths.env-file", f"{SCRIPTS}/steps/environment.py", '0o640, "root", data.user)', '0o644, "root", data.user)'
    ),
    Breakage("paths.shared", f"{SCRIPTS}/steps/account.py", "[project.shared] = 0o1771", "[project.shared] = 0o771"),
    Breakage(
        "paths.shared.links",
        f"{SCRIPTS}/steps/account.py",
        "        step.converge(files.make_link(path, target), ",
        "        step.converge(False, ",
    ),
    Breakage(
        "paths.shared.data", f"{SCRIPTS}/steps/account.py", '0o750 if ours or serving == "none" else 0o755', "0o755"
    ),
    Breakage(
        "paths.shared.data",
        f"{SCRIPTS}/steps/account.py",
        '0o750 if ours or serving == "none" else 0o755',
        '0o770 if ours or serving == "none" else 0o755',
    ),
    Breakage(
        "web.socket.reload",
        f"{TEMPLATES}/web.socket.j2",
        "ExecStartPost={{ make_door }}\n",
        "ExecStartPost=/bin/true\nExecStartPost={{ make_door }}\n",
    ),
    Breakage("paths.socket", f"{TEMPLATES}/web.socket.j2", "SocketMode=0660\n", "SocketMode=0666\n"),
    Breakage("paths.units", f"{WIRE}/names.py", 'return f"{slug}-{key}.service"', 'return f"{slug}.{key}.service"'),
    Breakage("root.env-file", f"{SCRIPTS}/steps/manage.py", "    os.setuid(files.user_id(user))\n", ""),
    Breakage(
        "shared.move-with-current",
        f"{SCRIPTS}/steps/account.py",
        '(venv, "../current/.codesensei/venv")',
        '(venv, "../previous/.codesensei/venv")',
    ),
    Breakage(
        "root.locks",
        f"{SCRIPTS}/main.py",
        "make_directory(paths.SERVER.locks, 0o700)",
        "make_directory(paths.SERVER.locks, 0o755)",
    ),
    Breakage(
        "user.default",
        f"{CONFIG}/project.py",
        'option("deploy", "User that',
        'option("app", "User that',
    ),
    Breakage(
        "register.refused",
        f"{SCRIPTS}/checks/names.py",
        "    if not adopt:\n        owner = f",
        "    if adopt:\n        owner = f",
    ),
    Breakage(
        "register.database-fixed",
        f"{SCRIPTS}/checks/database.py",
        "    if not adopt:\n        ownership.refuse_moved(step, port, name, role)\n",
        "",
    ),
    Breakage("os.supported", f"{SCRIPTS}/base/host.py", '("ubuntu", "22.04"), ', ""),
    Breakage("os.cloud-init", f"{SCRIPTS}/bootstrap.sh", "cloud-init status --wait >", "cloud-init status >"),
    Breakage(
        "preflight.reachable",
        f"{REMOTE}/look.py",
        "if self.client.returncode == 255:",
        "if self.client.returncode == 254:",
    ),
    Breakage(
        "source.archive",
        f"{SOURCE}/archive.py",
        '    bare = repository_of_ours(folder / "archive.git")\n',
        "    bare = objects.parent\n",
    ),
    Breakage(
        "source.checked", f"{SCRIPTS}/release/unpack.py", "    if found != source.sha256:\n", "    if not found:\n"
    ),
    Breakage(
        "source.checked",
        f"{SCRIPTS}/release/unpack.py",
        "os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK",
        "os.O_RDONLY | os.O_NONBLOCK",
    ),
    Breakage("source.swept", f"{SCRIPTS}/release/unpack.py", "lambda name: name == kept", "lambda name: True"),
    Breakage("source.swept", f"{SCRIPTS}/release/unpack.py", "    sweep(step, but=source)\n", ""),
    Breakage("source.swept", f"{SCRIPTS}/steps/build.py", "        sweep(step)\n", ""),
    Breakage("source.marker", f"{SCRIPTS}/steps/build.py", ' and (release.venv / ".complete").exists()', ""),
    Breakage(
        "source.marker", f"{SCRIPTS}/steps/build.py", "known.is_built and release.path.is_dir()", "known.is_built"
    ),
    Breakage("source.new-server", f"{REMOTE}/look.py", "state.copy + forgotten,", "state.copy,"),
    Breakage("deps.lock-files", f"{SOURCE}/requirements.py", "(tool := locks.tool_of(file)) and", "(tool := None) and"),
    Breakage("deps.lock-files", f"{SOURCE}/locks.py", "    elif stale := sorted(", "    elif stale := not sorted("),
    Breakage("deps.lock-files", f"{SOURCE}/locks.py", "            if row not in own:\n", "            if True:\n"),
    Breakage(
        "deps.lock-files", f"{SOURCE}/locks.py", 'hashed=tool not in ("pylock", "pyproject") and', "hashed=tool and"
    ),
    Breakage(
        "deps.lock-files", f"{SOURCE}/locks.py", "wanted.asked - wanted.sometimes - found", "wanted.asked - found"
    ),
    Breakage(
        "deps.lock-files",
        f"{SOURCE}/locks.py",
        '    if any("requires-dist" in table for table in known):',
        "    if False:",
    ),
    Breakage("deps.local", f"{SOURCE}/locks.py", "per_release=bool(why)", "per_release=False"),
    Breakage(
        "deps.extras", f"{SOURCE}/code.py", "*project.extras] if project.extras else []", "] if project.extras else []"
    ),
    Breakage("deps.extras", f"{SOURCE}/locks.py", "for name in extras if name in wanted.groups", "for name in ()"),
    Breakage("deps.extras", f"{SOURCE}/locks.py", '{"main", *lock.groups} &', "set(groups) &"),
    Breakage("deps.extras", f"{SOURCE}/locks.py", "chosen & set(_texts", "set(_texts"),
    Breakage("deps.extras", f"{SCRIPTS}/release/exports.py", '"--no-dev", ', ""),
    Breakage("deps.extras", f"{SCRIPTS}/release/exports.py", '[] if lock.groups else ["--prod"]', "[]"),
    Breakage("deps.lock-files", f"{SCRIPTS}/release/exports.py", '[] if hashed else ["--no-hashes"]', "[]"),
    Breakage("deps.lock-files", f"{SCRIPTS}/release/exports.py", 'if lock.tool == "pdm" else []', "if False else []"),
    Breakage("deps.lock-files", f"{SCRIPTS}/release/install.py", "    if builder.is_exported:\n", "    if False:\n"),
    Breakage(
        "deps.lock-files", f"{SCRIPTS}/release/export.sh", "sed -e '\\|^-i https://pypi\\.org/simple/*$|d'", "cat"
    ),
    Breakage(
        "hooks.order",
        f"{SCRIPTS}/release/prepare.py",
        '    _hooks(step, release, "afterMigrate", hooks.after_migrate)\n',
        "",
    ),
    Breakage(
        "hooks.order",
        f"{SCRIPTS}/release/prepare.py",
        '"beforeCollectstatic", hooks.before_collectstatic, as_build_user=True',
        '"beforeCollectstatic", hooks.before_collectstatic',
    ),
    Breakage(
        "hooks.failing",
        f"{SCRIPTS}/release/prepare.py",
        'require(jobs.run_job(step, release, job), release, title, "fix the hook',
        '(jobs.run_job(step, release, job), release, title, "fix the hook',
    ),
    Breakage(
        "hooks.changed",
        f"{SOURCE}/code.py",
        "project.rebuild, interface, *other_server, *extras]",
        "project.rebuild, str(hooks), *other_server, *extras]",
    ),
    Breakage("migrate.skipped", f"{SCRIPTS}/release/migrate.py", "low_weight=False)).ok\n", "low_weight=False))\n"),
    Breakage("migrate.skipped", f"{SCRIPTS}/release/migrate.py", "    if found is None:\n", "    if not found:\n"),
    Breakage("migrate.skipped", f"{SCRIPTS}/release/ask_databases.py", "return bool(ended.code)", "return False"),
    Breakage(
        "migrate.skipped", f"{SCRIPTS}/release/ask_databases.py", "        return None\n", "        return False\n"
    ),
    Breakage("migrate.skipped", f"{SCRIPTS}/release/migrate.py", '"migrate", "--noinput", *', '"migrate", *'),
    Breakage(
        "migrate.skipped",
        f"{SCRIPTS}/release/ask_databases.py",
        '(whole or not own_command("migrate"))',
        "whole or True",
    ),
    Breakage(
        "migrate.skipped",
        f"{SCRIPTS}/release/ask_django.py",
        "            return None\n    try:",
        "            pass\n    try:",
    ),
    Breakage(
        "migrate.skipped",
        f"{SCRIPTS}/release/ask_django.py",
        'endswith(("sqlite3", "spatialite"))',
        'endswith("sqlite3")',
    ),
    Breakage("migrate.skipped", f"{SCRIPTS}/release/prepare.py", "(None if came_before else asked)", "asked"),
    Breakage("migrate.all-databases", f"{SCRIPTS}/release/migrate.py", '["--database", alias]', "[]"),
    Breakage("migrate.all-databases", f"{SCRIPTS}/release/migrate.py", " if not database.why_not]", "]"),
    Breakage(
        "migrate.all-databases", f"{SCRIPTS}/release/migrate.py", "if database.why_not == FOREIGN:", "if not database:"
    ),
    Breakage(
        "migrate.unfinished", f"{SCRIPTS}/release/migrate.py", "write_json(note, sorted({*unfinished, alias}))", ""
    ),
    Breakage(
        "migrate.unfinished", f"{SCRIPTS}/release/migrate.py", "sorted(unfinished - {alias})", "sorted(unfinished)"
    ),
    Breakage("migrate.models-ahead", f"{SCRIPTS}/release/migrate.py", "if app.own and app.changes:", "if app.own:"),
    Breakage("migrate.models-ahead", f"{SCRIPTS}/steps/switch.py", "[*release.record.warnings, *(", "[*("),
    Breakage("migrate.invalid-index", f"{SCRIPTS}/release/migrate.py", "there and there[1] in plain", "there is plain"),
    Breakage("migrate.invalid-index", f"{SCRIPTS}/release/run_migrate.py", "if name not in earlier", "if name"),
    Breakage(
        "migrate.lock-timeout.poolers",
        f"{SCRIPTS}/release/run_migrate.py",
        "cursor.fetchone()[0] == connection.connection.info.backend_pid",
        "cursor.fetchone()",
    ),
    Breakage(
        "migrate.lock-timeout.poolers",
        f"{SCRIPTS}/release/run_migrate.py",
        "SET LOCAL lock_timeout",
        "SET lock_timeout",
    ),
    Breakage(
        "migrate.lock-holder", f"{SCRIPTS}/release/run_migrate.py", "for held in watch.failed]", "for held in ()]"
    ),
    Breakage("migrate.lock-holder", f"{SCRIPTS}/release/watch_locks.py", "if holders - self.told:", "if holders:"),
    Breakage(
        "migrate.lock-holder", f"{SCRIPTS}/release/watch_locks.py", "min(PATIENCE, seconds / 2)", "max(20, seconds)"
    ),
    Breakage("migrate.lock-holder", f"{SCRIPTS}/release/jobs.py", "begun += head", "begun = ''"),
    Breakage(
        "migrate.lock-holder",
        f"{SCRIPTS}/release/migrate.py",
        " for holder in said.held if holder.process]",
        " for holder in ()]",
    ),
    Breakage("migrate.lock-tries", f"{SCRIPTS}/release/lock_tries.py", "(5, 15, 45)", "(5, 5, 5)"),
    Breakage("migrate.lock-tries", f"{SCRIPTS}/release/migrate.py", "    if tried.number > 1:\n", "    if False:\n"),
    Breakage(
        "migrate.lock-tries", f"{SCRIPTS}/release/migrate.py", " or not limits.lock or not is_safe", " or not is_safe"
    ),
    Breakage("migrate.lock-tries", f"{SCRIPTS}/release/migrate.py", "seconds=ends - time.monotonic())", "lines=LINES)"),
    Breakage("migrate.lock-tries", f"{SCRIPTS}/release/migrate.py", " or pause >= ends - time.monotonic():", ":"),
    Breakage("migrate.lock-tries", f"{SCRIPTS}/release/migrate.py", "len(tried.applied) + ", ""),
    Breakage("migrate.lock-tries", f"{SCRIPTS}/release/migrate.py", "[*tried.applied, *ENDED", "[*ENDED"),
    Breakage(
        "migrate.lock-tries.safe",
        f"{SCRIPTS}/release/migrate.py",
        "said.locked and not said.locked[0].why_not\n",
        "True\n",
    ),
    Breakage(
        "migrate.lock-tries.safe",
        f"{SCRIPTS}/release/run_migrate.py",
        'if migration.atomic else ["no transaction"]',
        'if migration else [""]',
    ),
    Breakage("migrate.lock-tries.safe", f"{SCRIPTS}/release/run_migrate.py", "(?!\\s+TO)", ""),
    Breakage("migrate.lock-tries.safe", f"{SCRIPTS}/release/run_migrate.py", "kept.update(noted[0])", "pass"),
    Breakage("migrate.lock-tries.safe", f"{SCRIPTS}/release/run_migrate.py", 'ended.append("unrecorded")', "pass"),
    Breakage("migrate.lock-tries.safe", f"{SCRIPTS}/release/run_migrate.py", "            locked.clear()\n", ""),
    Breakage(
        "migrate.lock-tries.safe", f"{SCRIPTS}/release/watch_locks.py", "error.__cause__ or error.__context__", "None"
    ),
    Breakage("migrate.weight", f"{SCRIPTS}/release/jobs.py", "    if job.low_weight:\n", "    if job:\n"),
    Breakage("collectstatic", f"{SCRIPTS}/release/prepare.py", '"collectstatic", "--noinput")', '"collectstatic")'),
    Breakage("build.compiled", f"{SCRIPTS}/steps/build.py", "    compile_modules(step, release)\n", ""),
    Breakage("build.compiled", f"{SCRIPTS}/release/prepare.py", "        is_compiled = False\n", ""),
    Breakage(
        "build.compiled", f"{SCRIPTS}/release/prepare.py", "is_compiled = data.hooks == Hooks()", "is_compiled = True"
    ),
    Breakage("build.compiled", f"{SCRIPTS}/release/prepare.py", "    if not is_compiled:\n", "    if True:\n"),
    Breakage("build.weight", f"{SCRIPTS}/release/jobs.py", '"IOWeight": "20", ', ""),
    Breakage("errors.four", f"{SCRIPTS}/base/step.py", " on {socket.gethostname()}: ", ": "),
    Breakage("errors.four", f"{SCRIPTS}/base/step.py", "        if self.fix:\n", "        if not self.cause:\n"),
    Breakage(
        "errors.length", f"{SCRIPTS}/base/step.py", "ours[: self.most_lines - len(after)] + after", "ours + after"
    ),
    Breakage("errors.length", f"{SCRIPTS}/base/step.py", "OURS_WIDTH = 200\n", "OURS_WIDTH = 300\n"),
    Breakage("errors.terminal", f"{SCRIPTS}/base/step.py", "printable_lines(shortened(text))", "shortened(text)"),
    Breakage("errors.terminal", f"{SCRIPTS}/base/step.py", "return printable_lines(", "return str("),
    Breakage("root.logs", f"{SCRIPTS}/steps/switch.py", 'files.close_to_others(step.project.site_log, "adm")', "False"),
    Breakage("root.logs", f"{SCRIPTS}/base/files.py", "os.fchmod(handle, 0o640)", "pass"),
    Breakage("errors.four", f"{SCRIPTS}/postgres/postgresql.py", "NO_SPACE in words", "False"),
    Breakage("errors.terminal", f"{WIRE}/said.py", "printable_lines(shortened(text))", "shortened(text)"),
    Breakage("errors.line", f"{WIRE}/said.py", "LINE_BYTES = 60_000\n", "LINE_BYTES = 70_000\n"),
    Breakage("errors.line", f"{WIRE}/said.py", "[_left_out(left)] if left else []", ""),
    Breakage("errors.line", f"{SCRIPTS}/base/step.py", "shortened(text)", "text"),
    Breakage(
        "errors.logs", f"{SCRIPTS}/serving/workers.py", "    log = log_of(release, name, began)\n", '    log = ""\n'
    ),
    Breakage(
        "errors.logs",
        f"{SCRIPTS}/serving/candidate.py",
        "log, where = log_of(release, name, started), f",
        'log, where = "", f',
    ),
    Breakage(
        "errors.logs",
        f"{SCRIPTS}/release/install.py",
        'done = replace(done, tail="\\n".join([*why, done.tail]))',
        "done = replace(done, tail=done.tail)",
    ),
    Breakage(
        "causes.connection-refused",
        f"{SCRIPTS}/release/causes.py",
        "failed: (Connection refused|[Cc]onnection timed out",
        "failed: ([Cc]onnection timed out",
    ),
    Breakage(
        "causes.non-nullable",
        f"{SCRIPTS}/release/causes.py",
        "impossible to (?:add a non-nullable field '([^']+)'|",
        "impossible to (?:",
    ),
    Breakage(
        "causes.secret-key",
        f"{SCRIPTS}/release/causes.py",
        "|UndefinedValueError).*?\\bSECRET_KEY\\b",
        "|UndefinedValueError).*?\\bSECRET\\b",
    ),
    Breakage(
        "causes.static",
        f"{SCRIPTS}/release/causes.py",
        "having set the required STATIC_URL|",
        "having set the STATIC_URL|",
    ),
    Breakage(
        "causes.static",
        f"{SCRIPTS}/release/causes.py",
        "without having set the STATIC_ROOT",
        "without having set STATIC_ROOT",
    ),
    Breakage(
        "causes.module",
        f"{SCRIPTS}/release/causes.py",
        "(?:ModuleNotFoundError|ImportError): No module named '?([\\w.]+)",
        "ImportError: No module named '?([\\w.]+)",
    ),
    Breakage(
        "causes.settings-module",
        f"{SCRIPTS}/release/causes.py",
        "|ImportError: Could not import settings '([^']+)'",
        "",
    ),
    Breakage(
        "causes.asgi-not-ready",
        f"{SCRIPTS}/release/causes.py",
        "    AppRegistryNotReady: (.+)\n",
        "    RegistryNotReady: (.+)!\n",
    ),
    Breakage(
        "causes.python-too-old",
        f"{SCRIPTS}/release/causes.py",
        "requires a different Python: ",
        "requires another Python: ",
    ),
    Breakage("causes.memory", f"{SCRIPTS}/release/causes.py", "|out of memory\\?|", "|"),
    Breakage(
        "web.directory",
        f"{RENDER}/units.py",
        '"working_directory": str(code / context.directory)',
        '"working_directory": str(code)',
    ),
    Breakage(
        "asgi.server",
        f"{CONFIG}/stack.py",
        'if "auto" not in (name, interface) and',
        "if name is None and",
    ),
    Breakage(
        "asgi.server",
        f"{SOURCE}/inspect.py",
        'served = SERVERS[config.server].interfaces if config.server != "auto" else ()',
        "served = ()",
    ),
    Breakage("asgi.websockets", f"{TEMPLATES}/site.conf.j2", "        proxy_set_header Upgrade $http_upgrade;\n", ""),
    Breakage(
        "database.auto.local",
        f"{CONFIG}/plans.py",
        "    if not url.local:\n        _need_nothing",
        '    if kind != "local":\n        _need_nothing',
    ),
    Breakage(
        "database.encoding",
        f"{SCRIPTS}/postgres/postgresql.py",
        "TEMPLATE template0 ENCODING 'UTF8'{locale}",
        "TEMPLATE template0{locale}",
    ),
    Breakage("database.encoding", f"{SCRIPTS}/postgres/postgresql.py", "TEMPLATE template0 ENCODING", "ENCODING"),
    Breakage(
        "database.auto.generated",
        "components/generated.py",
        "            self.database_password = self._password(",
        "            self._password(",
    ),
    Breakage("database.auto.generated", f"{CONFIG}/plans.py", 'database.env or {URL_VARIABLE: "url"}', "database.env"),
    Breakage(
        "database.kinds",
        f"{CONFIG}/plans.py",
        '    if config.database.kind == "none":\n',
        "    if config.database.kind is None:\n",
    ),
    Breakage(
        "database.env",
        "components/environment.py",
        '"user": plan.role}',
        '"user": plan.name.upper()}',
    ),
    Breakage("database.extensions", f"{WIRE}/names.py", '    "vector": "pgvector",\n', ""),
    Breakage(
        "database.extensions",
        f"{SCRIPTS}/steps/packages.py",
        "*versions or [postgresql_major()])",
        "postgresql_major())",
    ),
    Breakage(
        "database.scram",
        f"{SCRIPTS}/steps/database.py",
        "    return scram.verifier(password)\n",
        "    return password\n",
    ),
    Breakage("broker.loopback", f"{SCRIPTS}/steps/broker.py", "    if open_to:\n", "    if not open_to:\n"),
    Breakage("broker.loopback", f"{TEMPLATES}/broker.conf.j2", "bind 127.0.0.1\n", "bind *\n"),
    Breakage("broker.keeps", f"{TEMPLATES}/broker.conf.j2", "appendonly yes\n", ""),
    Breakage(
        "broker.keeps", f"{TEMPLATES}/broker.conf.j2", "maxmemory-policy noeviction\n", "maxmemory-policy allkeys-lru\n"
    ),
    Breakage("broker.env", f"{WIRE}/broker.py", "str(_OWN_NETWORK[number])", "str(_OWN_NETWORK[16])"),
    Breakage(
        "broker.refuses-others",
        f"{SCRIPTS}/steps/instance.py",
        '0o640, "root", data.user)',
        '0o644, "root", data.user)',
    ),
    Breakage("broker.refuses-others", f"{SCRIPTS}/steps/instance.py", "}requirepass {data", "}masterauth {data"),
    Breakage("neighbors.files", f"{SCRIPTS}/steps/environment.py", "0o640", "0o644"),
    Breakage("docs.security", "docs/SECURITY.md", "| 7 | ", "| 8 | "),
    Breakage("docs.security", "docs/SECURITY.md", "test_code_is_not_served", "test_code_is_served"),
    Breakage("broker.own", f"{TEMPLATES}/instance.service.j2", "NoNewPrivileges=yes\n", ""),
    Breakage("broker.own", f"{SCRIPTS}/steps/instance.py", "if pending.exists():", "if False:"),
    Breakage(
        "broker.own",
        f"{SCRIPTS}/serving/brokers.py",
        "    elif own.exists:\n        remove(step, own)",
        "    elif False:\n        pass",
    ),
    Breakage("broker.password", f"{SCRIPTS}/steps/instance.py", 'f">{new}")', '"resetpass", f">{new}")'),
    Breakage("broker.password", f"{SCRIPTS}/serving/brokers.py", '"resetpass", f">', 'f">'),
    Breakage(
        "broker.carried", f"{SCRIPTS}/serving/brokers.py", "not in used or int(number) >= FIRST_GIVEN]", "not in used]"
    ),
    Breakage("broker.carried", f"{SCRIPTS}/serving/brokers.py", ", but=project.slug)]", ", but=number)]"),
    Breakage("broker.carried", f"{SCRIPTS}/serving/brokers.py", ' == b"string" and (', " and ("),
    Breakage("broker.shared-told", "components/others.py", " and int(one) < FIRST_GIVEN}", "}"),
    Breakage(
        "broker.shared-ends",
        f"{SCRIPTS}/serving/brokers.py",
        "elif units.is_active(broker.unit) and not _is_used():",
        "elif False:",
    ),
    Breakage("broker.shared-ends", f"{SCRIPTS}/serving/brokers.py", "return databases > 0 or ", "return "),
    Breakage("broker.destroyed", f"{SCRIPTS}/removal/own_broker.py", "if drop or not keys:", "if drop:"),
    Breakage("broker.destroyed", f"{SCRIPTS}/removal/own_broker.py", "keys = -1", "keys = 0"),
    Breakage(
        "broker.number-refused",
        f"{SCRIPTS}/steps/preflight.py",
        '        "brokers": [str(number) for number in data.broker_numbers],\n',
        "",
    ),
    Breakage(
        "env.generated",
        "components/generated.py",
        "random.RandomPassword(name, length=64, special=False)",
        "random.RandomPassword(name, length=64, special=False, keepers={'now': name})",
    ),
    Breakage("env.import", f"{CONFIG}/import_env.py", "and looks_secret(name, meaning(value)))", "and not name)"),
    Breakage("env.import", f"{CONFIG}/import_env.py", "        return 1 if refused else 0\n", "        return 0\n"),
    Breakage("env.import-alike", f"{CONFIG}/dotenv.py", "if name in names:", "if not names:"),
    Breakage(
        "env.import-alike", f"{CONFIG}/dotenv.py", "if lines.setdefault(name, number) != number:", "if not number:"
    ),
    Breakage("env.import-alike", f"{CONFIG}/dotenv.py", 'codecs.BOM_UTF16_LE: "utf-16", ', ""),
    Breakage(
        "static.served",
        f"{TEMPLATES}/site.conf.j2",
        "try_files /{{ release }}/.codesensei/static/",
        "try_files /{{ release }}/static/",
    ),
    Breakage(
        "proxy.web",
        f"{TEMPLATES}/site.conf.j2",
        "    location / {\n{% if events %}",
        "    location = / {\n{% if events %}",
    ),
    Breakage(
        "proxy.hostnames",
        "components/generated.py",
        "return names or [stack.config.server.host]",
        "return names or [stack.slug]",
    ),
    Breakage(
        "proxy.hostnames",
        "components/generated.py",
        "        if apps is not None:\n",
        "        if apps is not None and not names:\n",
    ),
    Breakage("proxy.url", "components/switch.py", 'f"[{host}]" if ":" in host else ', ""),
    Breakage(
        "tls.kinds", f"{CONFIG}/edge.py", '    if value is False or value == "false":\n', '    if value == "false":\n'
    ),
    Breakage(
        "tls.kinds",
        f"{CONFIG}/edge.py",
        '{"kind": "acme" if "acme" in value else "files", **value}',
        '{"kind": "files", **value}',
    ),
    Breakage(
        "secrets.never", f"{REMOTE}/step.py", "        stdin=hidden if secret else stdin,\n", "        stdin=stdin,\n"
    ),
    Breakage(
        "secrets.never",
        f"{REMOTE}/step.py",
        'additional_secret_outputs=["stdout", "stderr"] if secret else None',
        "additional_secret_outputs=None",
    ),
    Breakage(
        "secrets.never",
        f"{CONFIG}/load.py",
        "        shows = any(value in str(problem) for value in values)\n",
        "        shows = False\n",
    ),
    Breakage(
        "destroy.goes",
        f"{SCRIPTS}/removal/data.py",
        "project.releases, project.venvs, project.environments",
        "project.venvs, project.environments",
    ),
    Breakage(
        "destroy.says",
        f"{SCRIPTS}/steps/destroy.py",
        '        step.say("generated names and secrets end with this stack\'s state")\n',
        "",
    ),
    Breakage("config.camel-case", f"{CONFIG}/types.py", "        alias_generator=to_camel,\n", ""),
    Breakage("config.refused", f"{CONFIG}/types.py", 'extra="forbid"', 'extra="ignore"'),
    Breakage(
        "config.refused",
        f"{CONFIG}/check.py",
        "    lowered = {key.lower(): key for key in known}\n",
        "    lowered: dict[str, str] = {}\n",
    ),
    Breakage(
        "config.seconds",
        f"{CONFIG}/types.py",
        're.fullmatch(r"-?\\d{1,9}", value)',
        're.fullmatch(r"-?\\d{1,9}s?", value)',
    ),
    Breakage("config.defaults", f"{CONFIG}/project.py", "web: Seconds = option(40", "web: Seconds = option(30"),
    Breakage("config.server.user", f"{REMOTE}/look.py", 'if "sudo:" in complained:', 'if "su:" in complained:'),
    Breakage(
        "config.server.host-key", f"{REMOTE}/openssh.py", '"StrictHostKeyChecking yes"', '"StrictHostKeyChecking no"'
    ),
    Breakage(
        "config.server.host-key",
        f"{CONFIG}/server.py",
        '    host_key: HostKey = Field(description="The server',
        '    host_key: HostKey = Field(default="ssh-ed25519 A", description="The server',
    ),
    Breakage(
        "config.ssh-key", f"{REMOTE}/agent.py", "    _lead(link, str(Path(operators).absolute()))\n", "    pass\n"
    ),
    Breakage(
        "plugins.stand-ins",
        f"{REMOTE}/standins.py",
        "    if found and os.environ",
        "    if len(found) > 1 and os.environ",
    ),
    Breakage("plugins.stand-ins", f"{REMOTE}/standins.py", "resource-*/{MARK}", "resource-random-*/{MARK}"),
    Breakage("config.source.git", f"{CONFIG}/project.py", '{"https", "ssh", "file"}', '{"https", "ssh"}'),
    Breakage("config.source.git", f"{SOURCE}/git.py", "    if scheme in SCHEMES or", "    if scheme or"),
    Breakage(
        "config.source.path",
        f"{SOURCE}/git.py",
        '        if is_bare == "true" and',
        '        if is_bare == "false" and',
    ),
    Breakage("config.source.revision", f"{SOURCE}/git.py", "    if name.startswith(_TAGS):\n        return None\n", ""),
    Breakage("config.source.revision", f"{SOURCE}/git.py", "    if len(commits) > 1:\n", "    if len(commits) > 9:\n"),
    Breakage(
        "config.directory",
        f"{SOURCE}/inspect.py",
        '    manage = join(directory, "manage.py")\n',
        '    manage = "manage.py"\n',
    ),
    Breakage(
        "config.applications",
        f"{SOURCE}/inspect.py",
        "    wsgi = config.wsgi_application or declared_wsgi\n",
        "    wsgi = declared_wsgi or config.wsgi_application\n",
    ),
    Breakage("config.system-packages", f"{SCRIPTS}/steps/packages.py", " libpq-dev logrotate", " logrotate"),
    Breakage(
        "config.system-packages",
        f"{SCRIPTS}/steps/packages.py",
        "*BASE, *(_valid(name) for name in data.packages)]",
        "*BASE]",
    ),
    Breakage("config.static", f"{SCRIPTS}/release/prepare.py", 'return step.data.static == "serve" and ', "return "),
    Breakage("config.collectstatic", f"{SCRIPTS}/release/prepare.py", 'data.collectstatic == "beforeMigrate"', "False"),
    Breakage("shared-paths", f"{SCRIPTS}/release/share_link.sh", 'ln -s -- "$2" "$1"', 'mkdir -- "$1"'),
    Breakage(
        "shared-paths",
        f"{SCRIPTS}/steps/account.py",
        '_directory(step, folder, 0o751, "root", step.data.user)',
        "_directory(step, folder, 0o751, step.data.user, step.data.user)",
    ),
    Breakage("shared-paths.contents", f"{SCRIPTS}/release/share_copy.sh", ' && [ -z "$(ls -A -- "$2")" ]', ""),
    Breakage(
        "shared-paths.contents",
        f"{SCRIPTS}/release/share.py",
        "if not (release.project.current / path).is_symlink():",
        "if True:",
    ),
    Breakage(
        "shared-paths.refused", f"{SOURCE}/shared.py", "        if project.tree.is_file(path):", "        if False:"
    ),
    Breakage("preview.media", f"{SOURCE}/shared.py", "or not names.certain or", "or"),
    Breakage("preview.media", f"{SOURCE}/inspect.py", "    refuse_lost_uploads(project, config, modules)\n", ""),
    Breakage("preview.leftovers", f"{SOURCE}/leftovers.py", "    if _ELSEWHERE.match(target):", "    if False:"),
    Breakage("config.rehearse", "components/release.py", "rehearse=stack.config.database.rehearse,", ""),
    Breakage("config.rehearse", f"{SCRIPTS}/release/prepare.py", "Rehearsal(data.rehearse, original)", "Rehearsal()"),
    Breakage(
        "config.rehearse",
        f"{SCRIPTS}/steps/build.py",
        ", partial(_before_destructive, step), copies.original(step))",
        ", partial(_before_destructive, step))",
    ),
    Breakage("migrations.rehearsal", f"{WIRE}/rehearsal.py", 'one.verdict != "safe"', 'one.verdict == "unknown"'),
    Breakage("migrations.rehearsal", f"{WIRE}/rehearsal.py", "and not one.inert ", ""),
    Breakage("migrations.rehearsal", f"{WIRE}/rehearsal.py", "    return any(tell(", "    return False and any(tell("),
    Breakage("migrations.rehearsal", f"{SCRIPTS}/release/rehearsal.py", "    elif ran.failure:\n", "    elif 0:\n"),
    Breakage(
        "migrations.rehearsal",
        f"{SCRIPTS}/release/rehearsal.py",
        "if ran.is_over or (",
        "if (",
    ),
    Breakage("migrations.rehearsal", f"{SCRIPTS}/release/rehearsal.py", 'facts.port or "5432"', 'facts.port or "5433"'),
    Breakage("migrations.rehearsal", f"{SCRIPTS}/release/rehearsal.py", " and is_postgresql and ", " and "),
    Breakage(
        "migrations.rehearsal",
        f"{SCRIPTS}/release/migrate.py",
        "        dump()\n    for alias in pending:\n",
        "        dump()\n    for alias in reversed(pending):\n",
    ),
    Breakage("migrations.rehearsal", f"{SCRIPTS}/release/run_rehearsal.py", "since.get(key, before)", "before"),
    Breakage("migrations.rehearsal", f"{SCRIPTS}/release/run_rehearsal.py", "mode == ALL", "mode != ALL"),
    Breakage(
        "migrations.rehearsal.copy", f"{SCRIPTS}/backups/copies.py", "self.role, extensions)", "self.name, extensions)"
    ),
    Breakage(
        "migrations.rehearsal.copy",
        f"{SCRIPTS}/backups/copies.py",
        "            yield name\n        finally:\n            sweep",
        "            yield name\n        except KeyError:\n            raise\n        else:\n            sweep",
    ),
    Breakage("migrations.rehearsal.copy", f"{SCRIPTS}/backups/copies.py", "            files.remove_path(dump)\n", ""),
    Breakage("migrations.rehearsal.copy", f"{SCRIPTS}/steps/build.py", "    copies.sweep(step)\n", ""),
    Breakage("migrations.rehearsal.copy", f"{SCRIPTS}/steps/recover.py", "            copies.sweep(step)\n", ""),
    Breakage("migrations.rehearsal.copy", f"{SCRIPTS}/steps/destroy.py", "    copies.sweep(step)\n", ""),
    Breakage("migrations.rehearsal.kept-away", f"{SCRIPTS}/release/jobs.py", '        "PrivateNetwork": "yes",\n', ""),
    Breakage("migrations.rehearsal.kept-away", f"{SCRIPTS}/release/jobs.py", " if name != sandbox.WRITABLE}", "}"),
    Breakage("migrations.rehearsal.kept-away", f"{SCRIPTS}/release/jobs.py", 'f"/run:ro {release', 'f"{release'),
    Breakage(
        "migrations.rehearsal.kept-away",
        f"{SCRIPTS}/release/relay.py",
        "length > LONGEST or asked.get",
        "length > LONGEST or 0 and asked.get",
    ),
    Breakage(
        "migrations.rehearsal.kept-away",
        f"{SCRIPTS}/release/relay.py",
        "        if code == CANCEL:\n",
        "        if False:\n",
    ),
    Breakage(
        "migrations.rehearsal.kept-away",
        f"{SCRIPTS}/release/rehearsal.py",
        "if is_peer else str(original.port)",
        "if facts.host else str(original.port)",
    ),
    Breakage(
        "migrations.rehearsal.kept-away",
        f"{SCRIPTS}/release/migrate.py",
        "    said = _said(release, done)\n    failure =",
        "    said = _said(release, done)\n    defaults.note(step, alias, said.kept, said.dropped)\n    failure =",
    ),
    Breakage(
        "migrations.rehearsal.kept-away",
        f"{SCRIPTS}/release/run_rehearsal.py",
        "    if place(values) == real[0]:\n",
        "    if connection.alias == alias:\n",
    ),
    Breakage(
        "migrations.rehearsal.undecided", f"{SCRIPTS}/release/rehearsal.py", "is None and said.joined)", "is None)"
    ),
    Breakage(
        "migrations.rehearsal.undecided",
        f"{SCRIPTS}/release/run_rehearsal.py",
        "    if beyond := BEYOND.search(str(sql)):",
        "    if beyond := BEYOND.search(str(sql)[:0]):",
    ),
    Breakage(
        "migrations.rehearsal.undecided",
        f"{SCRIPTS}/release/run_rehearsal.py",
        '("NAME", "HOST", "PORT", "USER")',
        '("NAME", "HOST", "PORT")',
    ),
    Breakage(
        "migrations.rehearsal.undecided", f"{SCRIPTS}/release/run_rehearsal.py", " or state.startswith(STATES)", ""
    ),
    Breakage(
        "migrations.rehearsal.undecided",
        f"{SCRIPTS}/release/run_rehearsal.py",
        " or threading.current_thread() is not main:",
        ":",
    ),
    Breakage(
        "migrations.rehearsal.undecided",
        f"{SCRIPTS}/release/run_rehearsal.py",
        "error.__cause__ or error.__context__",
        "error.__cause__",
    ),
    Breakage(
        "migrations.rehearsal.undecided",
        f"{SCRIPTS}/release/rehearsal.py",
        "    if not said.joined:\n",
        "    if False:\n",
    ),
    Breakage(
        "migrations.rehearsal.undecided", f"{SCRIPTS}/release/rehearsal.py", "    if said.away:\n", "    if False:\n"
    ),
    Breakage(
        "migrations.rehearsal.undecided",
        f"{SCRIPTS}/release/rehearsal.py",
        "    if said.tried:\n        return",
        "    if 0:\n        return",
    ),
    Breakage(
        "migrations.rehearsal.bounds",
        f"{SCRIPTS}/release/rehearsal.py",
        "bytes_of_it > AUTO_SIZE",
        "bytes_of_it > AUTO_SIZE << 9",
    ),
    Breakage(
        "migrations.rehearsal.bounds",
        f"{SCRIPTS}/release/rehearsal.py",
        "LONGEST_SECONDS if always else AUTO_SECONDS",
        "LONGEST_SECONDS",
    ),
    Breakage(
        "migrations.rehearsal.bounds",
        f"{SCRIPTS}/release/rehearsal.py",
        '    if ran.done.result == "timeout" and',
        "    if 0 and",
    ),
    Breakage(
        "migrations.rehearsal.bounds",
        f"{SCRIPTS}/backups/copies.py",
        "for place in (data, self.step.project.memory):",
        "for place in (data,):",
    ),
    Breakage("migrations.rehearsal.bounds", f"{SCRIPTS}/backups/copies.py", " + RESERVE\n", "\n"),
    Breakage(
        "migrations.rehearsal.bounds",
        f"{SCRIPTS}/backups/copies.py",
        'if row["extname"] not in HARMLESS',
        'if row["extname"] == "x"',
    ),
    Breakage(
        "migrations.rehearsal.always", f"{SCRIPTS}/release/rehearsal.py", "not (is_risky or always)", "not is_risky"
    ),
    Breakage("migrations.rehearsal.always", f"{SCRIPTS}/release/rehearsal.py", 'rehearsal.wanted == "never" or ', ""),
    Breakage(
        "migrations.rehearsal.always", f"{SCRIPTS}/release/rehearsal.py", "        if always:\n            raise\n", ""
    ),
    Breakage(
        "migrations.rehearsal.always",
        f"{SCRIPTS}/release/rehearsal.py",
        "    if not is_risky and not original.has_migrations():",
        "    if False:",
    ),
    Breakage(
        "migrations.rehearsal.always",
        f"{CONFIG}/plans.py",
        'config.database.rehearse == "always"',
        'config.database.rehearse == ""',
    ),
    Breakage(
        "migrations.rehearsal.preview", f"{STORY}/migrations.py", "*([] if refused else _rehearsed(", "*(_rehearsed("
    ),
    Breakage("migrations.rehearsal.preview", f"{STORY}/migrations.py", ') else "size"', ') else "certain"'),
    Breakage("migrations.rehearsal.preview", f"{STORY}/migrations.py", "    if plan and (rehearse", "    if (rehearse"),
    Breakage(
        "migrations.rehearsal.preview",
        "components/story.py",
        'rehearse=build.rehearse if stack.database.kind in ("generated", "local") else "never",',
        "rehearse=build.rehearse,",
    ),
    Breakage(
        "config.lock-timeout",
        f"{SCRIPTS}/release/migrate.py",
        "numbers = (str(limits.lock),",
        'numbers = ("60",',
    ),
    Breakage(
        "outputs.url",
        "components/stack.py",
        "switch.release, switch.revision)",
        "switch.release, switch.release)",
    ),
    Breakage("migrations.destructive", f"{WIRE}/migrations.py", "        if not is_new:\n", "        if is_new:\n"),
    Breakage("migrations.destructive", f"{WIRE}/columns.py", "if before.null and not after.null:", "if False:"),
    Breakage("migrations.destructive", f"{WIRE}/columns.py", "yield size >= was_size and", "yield"),
    Breakage("migrations.writes", f"{WIRE}/columns.py", "elif not column.null and not", "elif not"),
    Breakage("migrations.defaults", f"{WIRE}/columns.py", "or column.primary_key or column.unique:", "or 0:"),
    Breakage("migrations.defaults", f"{SCRIPTS}/release/run_migrate.py", " not in made:", ":"),
    Breakage(
        "migrations.defaults",
        f"{SCRIPTS}/release/run_migrate.py",
        "if here not in kept | added:",
        "if here not in kept:",
    ),
    Breakage(
        "migrations.defaults",
        f"{SCRIPTS}/release/run_migrate.py",
        ' DROP DEFAULT")\n                forget',
        '")\n                forget',
    ),
    Breakage("migrations.defaults", f"{SCRIPTS}/release/guard.py", "if names <= {*known}:", "if True:"),
    Breakage("migrations.defaults", f"{SCRIPTS}/release/run_migrate.py", " and (table, column) not in own:", ":"),
    Breakage("migrations.defaults", f"{SCRIPTS}/release/run_migrate.py", " and not is_own(old_field):", ":"),
    Breakage(
        "migrations.defaults", f"{SCRIPTS}/release/guard.py", "        _keep(step, alias, found.migrations)\n", ""
    ),
    Breakage("migrations.defaults", f"{SCRIPTS}/release/guard.py", "keep_defaults and plan.keeps", "keep_defaults"),
    Breakage(
        "migrations.defaults",
        f"{SCRIPTS}/release/migrate.py",
        "    defaults.note(step, alias, said.kept, said.dropped)\n",
        "",
    ),
    Breakage(
        "migrations.defaults",
        f"{SCRIPTS}/release/ask_plan.py",
        "filled(operation.field)",
        "filled(new.fields[operation.name])",
    ),
    Breakage("migrations.defaults", "codesensei/story/migrations.py", "lambda label: label in kept", "lambda _: keeps"),
    Breakage(
        "migrations.writes", f"{WIRE}/columns.py", 'elif column.unique and column.default == "constant"', "elif 0"
    ),
    Breakage("migrations.asked", f"{SCRIPTS}/release/guard.py", "in aliases}", "in aliases[:1]}"),
    Breakage("migrations.asked", f"{SCRIPTS}/release/guard.py", 'f"  instead: {one.fix}"', '""'),
    Breakage(
        "migrations.asked",
        f"{SCRIPTS}/release/migrate.py",
        "verdict = guard.refuse(step, release, judged, acknowledged, keep_defaults=keep_defaults)\n",
        "verdict = guard.Found()\n",
    ),
    Breakage("migrations.asked", f"{SCRIPTS}/release/ask_plan.py", 'options.get("managed", True)', "True"),
    Breakage(
        "migrations.unknown",
        f"{SCRIPTS}/release/ask_plan.py",
        "    if not type(operation).__module__",
        "    if operation is type(operation).__module__",
    ),
    Breakage("migrations.fresh", f"{WIRE}/migrations.py", "        made.models.add(model)\n", "        pass\n"),
    Breakage("migrations.fresh", f"{SCRIPTS}/release/guard.py", " and plan.applied", ""),
    Breakage("migrations.unknown", f"{SCRIPTS}/release/guard.py", 'verdict != "safe"', 'verdict == "destructive"'),
    Breakage("migrations.unknown", f"{WIRE}/migrations.py", '"unknown", "only reading', '"safe", "only reading'),
    Breakage(
        "migrations.held", f"{WIRE}/table_locks.py", "if migration.atomic and operation.name in", "if operation.name in"
    ),
    Breakage("migrations.locks", f"{WIRE}/table_locks.py", "waits = _ALL if table in alone else", "waits ="),
    Breakage("migrations.locks", f"{WIRE}/table_locks.py", "_ALL if atomic else _WRITES", "_ALL"),
    Breakage(
        "migrations.locks", f"{WIRE}/table_locks.py", "tables.setdefault(model, operation.table)", "operation.table"
    ),
    Breakage("migrations.locks", f"{WIRE}/table_locks.py", "    if before.null and not after.null:", "    if False:"),
    Breakage("migrations.locks", f"{SCRIPTS}/release/guard.py", "if plan.keeps else ()", "if 0 else ()"),
    Breakage(
        "migrations.locks",
        f"{SCRIPTS}/release/ask_plan.py",
        'return "index" if any(getattr(constraint, part, None) for part in parts) else "unique"',
        'return "unique"',
    ),
    Breakage("migrations.locks.small", f"{WIRE}/table_locks.py", " and table.size < SMALL:", ":"),
    Breakage(
        "migrations.locks.preview",
        f"{SCRIPTS}/postgres/tables.py",
        " SET ROLE {identifier(applied.role)};",
        "",
    ),
    Breakage(
        "migrations.locks.preview", "codesensei/remote/access.py", "state, asked, wanted)", "state, wanted=wanted)"
    ),
    Breakage("migrations.locks.preview", "components/story.py", "        tables=look.tables,\n", ""),
    Breakage("story.applied", "components/story.py", "        applied=look.migrations,\n", ""),
    Breakage("story.applied", f"{STORY}/migrations.py", "coming = [*judge(plan, ", "coming = [*judge(found.new, "),
    Breakage("story.applied", f"{STORY}/migrations.py", "        *_applied(done),\n", ""),
    Breakage("story.applied", f"{SCRIPTS}/steps/ask.py", "and len(facts.databases) == 1 else", "else"),
    Breakage(
        "database.guarded", f"{SCRIPTS}/postgres/migrations.py", "SELECT app, name FROM", "SELECT app || name FROM"
    ),
    Breakage("database.guarded", f"{SCRIPTS}/postgres/postgresql.py", "{QUIET}{GUARDED}{text}", "{QUIET}{text}"),
    Breakage("database.guarded", f"{SCRIPTS}/postgres/postgresql.py", "kinds='view, foreign-table'", "kinds='view'"),
    Breakage(
        "database.guarded", f"{SCRIPTS}/postgres/postgresql.py", "search_path = pg_catalog", "search_path = public"
    ),
    Breakage("database.guarded", f"{SCRIPTS}/backups/postgres.py", "{postgresql.GUARDED}BEGIN", "BEGIN"),
    Breakage("database.extensions", f"{SCRIPTS}/steps/database.py", "{postgresql.MAKING}", ""),
    Breakage(
        "database.extensions", f"{SCRIPTS}/backups/postgres.py", "[postgresql.MAKING] if extensions else []", "[]"
    ),
    Breakage(
        "migrations.timeout",
        f"{SCRIPTS}/release/run_migrate.py",
        "        with self.lock:\n            self.ended.set()\n",
        "",
    ),
    Breakage(
        "migrations.timeout",
        f"{SCRIPTS}/release/run_migrate.py",
        'if editor.connection.vendor == "postgresql":',
        "if True:",
    ),
    Breakage(
        "migrations.timeout",
        f"{SCRIPTS}/release/migrate.py",
        "for migration in (*said.over, *said.partly):",
        "for migration in ():",
    ),
    Breakage(
        "migrations.timeout.code",
        f"{SCRIPTS}/release/run_migrate.py",
        'getattr(raw, "cancel_safe", raw.cancel)()',
        "raw.closed",
    ),
    Breakage(
        "migrations.timeout.code",
        f"{SCRIPTS}/release/run_migrate.py",
        "            if self.is_over:\n                raise TooLong\n",
        "",
    ),
    Breakage(
        "migrations.timeout.code",
        f"{SCRIPTS}/release/run_migrate.py",
        "signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)",
        "pass",
    ),
    Breakage(
        "migrations.timeout.code",
        f"{SCRIPTS}/release/run_migrate.py",
        "if bound.is_over and kind is None:",
        "if False:",
    ),
    Breakage(
        "migrations.timeout.parts",
        f"{SCRIPTS}/release/run_migrate.py",
        'None if " CONCURRENTLY " in str(sql) else ',
        "",
    ),
    Breakage(
        "migrations.timeout.parts",
        f"{SCRIPTS}/release/run_migrate.py",
        "if not self.atomic and self.idles():",
        "if False:",
    ),
    Breakage(
        "migrations.timeout.parts",
        f"{SCRIPTS}/release/run_migrate.py",
        "if not self.atomic and not self.asks and self.idles():",
        "if False:",
    ),
    Breakage(
        "config.migration-timeout",
        "components/release.py",
        "config.database.migration_timeout",
        "config.database.dump_keep",
    ),
    Breakage("config.migration-timeout", f"{SCRIPTS}/release/migrate.py", "str(limits.migration))", '"7")'),
    Breakage("migrations.run-python", f"{SCRIPTS}/release/guard.py", 'name == "RunPython"', 'name == ""'),
    Breakage("migrations.rollback", f"{SCRIPTS}/release/guard.py", "and name not in plan.known", ""),
    Breakage("migrations.rollback", f"{SCRIPTS}/release/guard.py", "if name in plan.applied", "if name"),
    Breakage(
        "migrations.rollback",
        f"{SCRIPTS}/release/prepare.py",
        "    guard.refuse_older(step, release, data.acknowledge_migrations)\n",
        "",
    ),
    Breakage("migrations.acknowledged", f"{SCRIPTS}/release/guard.py", "not in acknowledged]:", "not in []]:"),
    Breakage("migrations.acknowledged", f"{SCRIPTS}/release/guard.py", ", *unknown),\n", ",),\n"),
    Breakage(
        "migrations.before-switch",
        "components/stack.py",
        "opts=_after(release, processes, edge),",
        "opts=_after(processes, edge),",
    ),
    Breakage(
        "database.cluster",
        f"{SCRIPTS}/postgres/postgresql.py",
        "if not found and (",
        "if found and (",
    ),
    Breakage(
        "database.collation", f"{SCRIPTS}/release/migrate.py", "        if database.collation:", "        if False:"
    ),
    Breakage("database.auto.external", f"{CONFIG}/plans.py", "port = url.port or url.usual_port", "port = url.port"),
    Breakage(
        "database.auto.external", f"{SCRIPTS}/checks/database.py", "    if place.port:\n", "    if not place.port:\n"
    ),
    Breakage(
        "database.auto.sqlite",
        f"{CONFIG}/plans.py",
        'return PlanWithPassword(DatabasePlan("sqlite", url.name',
        'return PlanWithPassword(DatabasePlan("local", url.name',
    ),
    Breakage("broker.plain-url", f"{WIRE}/broker.py", '"127.0.0.1", 6379', '"127.0.0.1", 6380'),
    # Hardening
    Breakage("config.server.hardening", f"{CONFIG}/server.py", '"false": "off"', '"false": "on"'),
    Breakage("hardening.blank", f"{SCRIPTS}/hardening/blank.py", " if other.port not in ssh]", " if False]"),
    Breakage("hardening.blank", f"{SCRIPTS}/hardening/blank.py", "if other.port not in _CLIENTS\n", "if False\n"),
    Breakage("hardening.blank", f"{SCRIPTS}/hardening/blank.py", "    if known is None:\n", "    if True:\n"),
    Breakage("hardening.blank", f"{SCRIPTS}/hardening/blank.py", " and words[0] not in _EMPTY and (", " and ("),
    Breakage(
        "hardening.firewall",
        f"{SCRIPTS}/hardening/firewall.py",
        "    if not listening.of_this_connection():\n",
        "    if False:\n",
    ),
    Breakage(
        "hardening.firewall", f"{SCRIPTS}/hardening/firewall.py", "(tunnel := listening.tunnel())", "(tunnel := '')"
    ),
    Breakage("hardening.firewall", f"{SCRIPTS}/hardening/listening.py", " | of_this_connection()", ""),
    Breakage("hardening.ssh", f"{SCRIPTS}/hardening/ssh.py", '"authenticationmethods", "any"', '"none", "any"'),
    Breakage("hardening.ssh", f"{SCRIPTS}/hardening/ssh.py", "if line.needs_password:", "if False:"),
    Breakage("hardening.ssh", f"{SCRIPTS}/hardening/ssh.py", "if not reloaded or not units", "if False and not units"),
    Breakage("hardening.ssh", f"{SCRIPTS}/hardening/ssh.py", "if all(before.get(word)", "if any(before.get(word)"),
    Breakage("hardening.match", f"{SCRIPTS}/hardening/ssh.py", " if line.takes_passwords}", " if False}"),
    Breakage("hardening.updates", f"{SCRIPTS}/hardening/updates.py", 'Reboot "false"', 'Reboot "true"'),
    Breakage("hardening.by-hand", f"{SCRIPTS}/hardening/firewall.py", "(other := blank.firewall())", "(other := '')"),
    Breakage("hardening.off", f"{SCRIPTS}/hardening/harden.py", 'if hardening == "off" or (', "if ("),
    Breakage(
        "hardening.off",
        f"{SCRIPTS}/hardening/harden.py",
        "        _say_what_is_closed(step)\n    if",
        "        pass\n    if",
    ),
    Breakage("hardening.shown", "components/provisioning.py", "look.blank or not look.repairs", "False"),
    Breakage("hardening.drift", f"{SCRIPTS}/hardening/firewall.py", "    if not in_force():\n", "    if False:\n"),
    Breakage("hardening.drift", f"{SCRIPTS}/hardening/firewall.py", "active and in_force()", "active"),
    Breakage("hardening.versions", f"{SCRIPTS}/hardening/ssh.py", "shared.newest(path, TEXT, VERSION)", "TEXT"),
    Breakage("hardening.stays", f"{SCRIPTS}/hardening/harden.py", "        blank.forget()\n", ""),
    Breakage("hardening.stays", f"{SCRIPTS}/hardening/harden.py", "if kept := blank.ours():", "if kept := []:"),
]

# Noticed on a server: they do not stop a deploy, so one deploy of all of them at once shows each.
HOST = [
    (
        Breakage(
            "paths.shared", f"{SCRIPTS}/steps/account.py", "[project.shared] = 0o1771", "[project.shared] = 0o1775"
        ),
        "tests/host/test_ownership.py::test_the_table_of_owners_holds[13]",
    ),
    (
        Breakage("static.year", f"{TEMPLATES}/site.conf.j2", "max-age=31536000", "max-age=3600"),
        "tests/host/test_deploy.py::test_a_static_file_has_one_cache_header_of_a_year[13]",
    ),
    (
        Breakage("env.maps", "components/environment.py", "**secrets.env, **own}", "**own}"),
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
            'shown["postgresql"] = postgresql',
            'shown["postgresql"] = str(__import__("time").time())',
        ),
        "tests/host/test_deploy.py::test_a_second_up_changes_nothing_and_only_looks_for_drift[13-False-0]",
    ),
]
