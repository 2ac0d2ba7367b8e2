"""Stand-ins that are wrong in one way each, and the conformance test that has to notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A file of the stand-ins, a text that occurs in it once, what takes its place, and the test that must fail."""

    file: str
    old: str
    new: str
    test: str

    @property
    def name(self) -> str:
        """For the test report."""
        changed = self.new.strip() or f"without {self.old.strip()}"
        return f"{self.file}: {changed.splitlines()[0][:60]}"


MUTANTS = [
    # Which change does what
    Mutant(
        "command.py", 'news.get("update", news.get("create"))', 'news.get("create")', "test_lifecycle.py::test_change"
    ),
    Mutant(
        "command.py",
        'made = self._run(news.get("update"',
        'made = self._run(old.get("update"',
        "test_lifecycle.py::test_change",
    ),
    Mutant("command.py", 'self._run(old.get("delete"), old, old, call)', "pass", "test_lifecycle.py::test_change"),
    Mutant(
        "command.py",
        'told by the SDK."""\n        return path == "triggers"',
        'told by the SDK."""\n        return path.startswith("triggers")',
        "test_lifecycle.py::test_trigger_replacement_comes_from_the_sdk",
    ),
    Mutant(
        "command.py",
        'told by the SDK."""\n        return path == "triggers"',
        'told by the SDK."""\n        return False',
        "test_lifecycle.py::test_change",
    ),
    Mutant(
        "provider.py",
        "found = differences(decode(request.old_inputs), decode(request.news))",
        'found = differences(decode(request.old_inputs), decode(request.news))\n        found.pop("delete", None)',
        "test_lifecycle.py::test_change",
    ),
    Mutant(
        "provider.py",
        "differences(decode(request.old_inputs)",
        "differences(decode(request.olds)",
        "test_previews.py::test_same_inputs_are_same",
    ),
    Mutant(
        "wire.py",
        'here = f"{path}[{index}]"',
        'here = f"{path}.{index}"',
        "test_lifecycle.py::test_detailed_difference",
    ),
    Mutant(
        "command.py",
        "return {**news, **before, **made}",
        "return {**news, **made}",
        "test_lifecycle.py::test_output_kept_where_nothing_runs",
    ),
    Mutant("provider.py", "secrets.token_hex(4)", "secrets.token_hex(8)", "test_lifecycle.py::test_identifiers"),
    Mutant(
        "command.py",
        '_text(self._streams[False]).removesuffix("\\n")',
        '_text(self._streams[False]).rstrip("\\n")',
        "test_lifecycle.py::test_one_newline_is_trimmed",
    ),
    # Environment and log
    Mutant(
        "command.py",
        'if options.get("addPreviousOutputInEnv") is False',
        'if not options.get("addPreviousOutputInEnv")',
        "test_lifecycle.py::test_previous_output_is_offered",
    ),
    Mutant(
        "command.py",
        'if options.get("addPreviousOutputInEnv") is False:',
        "if False:",
        "test_lifecycle.py::test_previous_output_switched_off",
    ),
    Mutant(
        "command.py",
        '"ERROR" if name in environment else "WARNING"',
        '"ERROR" if name in environment else "DEBUG"',
        "test_lifecycle.py::test_refused_previous_output_warns",
    ),
    Mutant("command.py", "if is_stderr not in self._shown:", "if False:", "test_lifecycle.py::test_logging"),
    Mutant(
        "provider.py",
        'self._log("INFO", message, self.urn, ephemeral=True)',
        'self._log("INFO", message, self.urn)',
        "test_lifecycle.py::test_logging",
    ),
    Mutant("command.py", 'removesuffix("\\r")', 'removesuffix("\\f")', "test_lifecycle.py::test_logging"),
    # Inputs and secrets
    Mutant(
        "command.py",
        '"dialErrorLimit": 10.0',
        '"dialErrorLimit": 9.0',
        "test_lifecycle.py::test_connection_defaults_are_stored",
    ),
    Mutant(
        "command.py",
        '{**news, "connection": secret(filled)}',
        '{**news, "connection": filled}',
        "test_lifecycle.py::test_connection_is_secret",
    ),
    Mutant(
        "command.py",
        'return {**news, "stdout": UNKNOWN, "stderr": UNKNOWN}',
        'return {**news, "stdout": UNKNOWN, "stderr": UNKNOWN} if old is None else {**old, **news}',
        "test_previews.py::test_update_preview_is_unknown",
    ),
    Mutant(
        "command.py",
        'return {**news, "stdout": UNKNOWN, "stderr": UNKNOWN}',
        'return {**news, "stdout": "", "stderr": ""}',
        "test_previews.py::test_create_preview_is_unknown",
    ),
    Mutant(
        "provider.py",
        "        if request.preview:\n            encode(resource.preview(news, None)",
        "        if not request:\n            encode(resource.preview(news, None)",
        "test_previews.py::test_previews_run_nothing",
    ),
    Mutant(
        "command.py",
        "        return output.state()\n\n    @staticmethod",
        "        return {key: secret(value) for key, value in output.state().items()}\n\n    @staticmethod",
        "test_previews.py::test_secret_stdin_leaves_stdout_plain",
    ),
    Mutant(
        "command.py",
        'more.append(("asset", "either asset or archive must be set"))',
        "pass",
        "test_previews.py::test_unknown_source_fails",
    ),
    Mutant(
        "command.py",
        'failures = [("", f"connection:',
        'failures = [("connection", f"connection:',
        "test_failures.py::test_unknown_connection_field_shows_no_key",
    ),
    # Errors, dialling, logging in
    Mutant("command.py", "running {go_quote(command)}", "running {command!r}", "test_failures.py::test_exit_status"),
    Mutant("command.py", "{_text(self._both)}", "{_text(self._streams[True])}", "test_failures.py::test_exit_status"),
    Mutant("ssh.py", "{128 + SIGNALS.get(signal, 0)}", "{SIGNALS.get(signal, 0)}", "test_failures.py::test_signal"),
    Mutant(
        "command.py",
        "{_text(self._both)}",
        "{_text(self._both)[:100_000]}",
        "test_failures.py::test_long_output_in_an_error",
    ),
    Mutant(
        "command.py",
        "            if name in environment:\n                raise",
        "            if not name:\n                raise",
        "test_failures.py::test_refused_variable",
    ),
    Mutant(
        "ssh.py",
        "if -1 < limit < tries + 1:",
        "if -1 < limit < tries + 2:",
        "test_failures.py::test_refused_connection",
    ),
    Mutant(
        "ssh.py",
        "if -1 < limit < tries + 1:",
        "if limit < tries + 1:",
        "test_failures.py::test_server_comes_up_while_dialling",
    ),
    Mutant("ssh.py", "DELAY_FACTOR = 1.5", "DELAY_FACTOR = 1.0", "test_failures.py::test_delays_grow"),
    Mutant(
        "ssh.py",
        "connection.settimeout(timeout or None)",
        "connection.settimeout(3)",
        "test_failures.py::test_time_limit_of_a_dial",
    ),
    Mutant(
        "ssh.py",
        'trust = {"known_hosts": ([trusted], [], []), "server_host_key_algs": [trusted.get_algorithm()]}',
        'trust = {"known_hosts": ([trusted], [], []), "server_host_key_algs": ["ssh-ed25519"]}',
        "test_lifecycle.py::test_host_key_type_is_pinned",
    ),
    Mutant(
        "ssh.py", "    if trusted is not None:", "    if trusted == host:", "test_failures.py::test_host_key_mismatch"
    ),
    Mutant(
        "ssh.py",
        "        raise DialError(_handshake_text(error, login)) from error",
        '        raise OperationError(f"after 0 failed attempts: {_handshake_text(error, login)}") from error',
        "test_failures.py::test_failed_login_is_retried",
    ),
    Mutant(
        "ssh.py",
        'raise OperationError(f"dial unix {path}: connect: {_reason(error)}") from error',
        "return None",
        "test_logins.py::test_stale_agent_of_the_environment",
    ),
    Mutant("ssh.py", 'or os.environ.get("SSH_AUTH_SOCK")', "", "test_logins.py::test_agent_of_the_environment"),
    Mutant(
        "ssh.py",
        '"password,keyboard-interactive,publickey"',
        '"publickey,password,keyboard-interactive"',
        "test_logins.py::test_order_of_methods",
    ),
    Mutant(
        "ssh.py", "        if proxy is None:\n", "        if proxy is None or proxy:\n", "test_logins.py::test_proxy"
    ),
    Mutant(
        "ssh.py",
        'raise OperationError(f"proxy: {error}")',
        'raise OperationError(f"{error}")',
        "test_failures.py::test_proxy_error",
    ),
    Mutant(
        "provider.py",
        "        self._cancelled.set()\n",
        "        pass\n",
        "test_failures.py::test_server_comes_up_while_dialling",
    ),
    # Copies
    Mutant(
        "wire.py",
        'return {} if old == new else {path: "UPDATE"}',
        "return {}",
        "test_copies.py::test_changed_content_is_copied",
    ),
    Mutant(
        "command.py",
        '        """Copy again where the content or the destination is another."""\n',
        "        self._copy(news, call)\n",
        "test_copies.py::test_connection_change_copies_nothing",
    ),
    Mutant(
        "command.py",
        '(before["source"].get("hash"), before["remotePath"])',
        '(before["source"].get("hash"), now["remotePath"])',
        "test_copies.py::test_other_target_is_copied",
    ),
    Mutant(
        "command.py",
        '"""As with commands."""\n        return path == "triggers"',
        '"""As with commands."""\n        return path == "source"',
        "test_copies.py::test_changed_content_is_copied",
    ),
    Mutant(
        "copy.py",
        'target if source.endswith("/") else posixpath.join(target, local.name)',
        "posixpath.join(target, local.name)",
        "test_copies.py::test_directories",
    ),
    Mutant(
        "copy.py",
        "posixpath.join(target, local.name) if inside else target",
        "target",
        "test_copies.py::test_kinds_of_source",
    ),
    Mutant(
        "copy.py",
        "    if await sftp.isdir(target):\n        raise OperationError",
        "    if not target:\n        raise OperationError",
        "test_copies.py::test_text_into_a_folder_fails",
    ),
    # Local commands
    Mutant(
        "command.py",
        "environment = {**os.environ, **(options",
        "environment = {**(options",
        "test_local.py::test_environment_and_stdin",
    ),
    Mutant(
        "command.py",
        '(options.get("environment") or {}), **previous}',
        '(options.get("environment") or {})}',
        "test_local.py::test_previous_output",
    ),
    Mutant("command.py", 'cwd=options.get("dir")', 'cwd="/tmp"', "test_local.py::test_place_and_shell"),
    Mutant(
        "command.py",
        'output.failure(f"exit status {code}", command)',
        'output.failure(f"exit code {code}", command)',
        "test_failures.py::test_local_errors",
    ),
    Mutant(
        "command.py",
        "        process.kill()\n",
        "        pass\n",
        "test_interruption.py::test_interrupt_kills_local_commands",
    ),
    # Random values
    Mutant(
        "random.py",
        'not be changed, only made again."""\n        return True',
        'not be changed, only made again."""\n        return "keepers" in path',
        "test_random.py::test_any_changed_input_replaces",
    ),
    Mutant("random.py", '"!result !bcryptHash"', '"result !bcryptHash"', "test_random.py::test_secrecy"),
    Mutant("random.py", 'return "none", {', "return result, {", "test_random.py::test_ids"),
    Mutant(
        "random.py",
        "chosen += [secrets.choice(pool)",
        "chosen = [secrets.choice(pool)",
        "test_random.py::test_password_characters",
    ),
    Mutant("random.py", 'options.get("prefix", "") + form', "form", "test_random.py::test_forms_of_an_id"),
    Mutant(
        "random.py",
        "return {**self._defaults, **news, **marked}",
        "return {**news, **marked}",
        "test_random.py::test_defaults_are_outputs_only",
    ),
    # The language host
    Mutant(
        "language.py", '"dry_run": str(request.dryRun).lower()', '"dry_run": "false"', "test_language.py::test_dry_run"
    ),
    Mutant(
        "language.py",
        "json.dumps(list(request.configSecretKeys))",
        "json.dumps([])",
        "test_language.py::test_program_gets_its_surroundings",
    ),
    Mutant(
        "language.py",
        "        if code == EXIT_AFTER_MESSAGE:\n",
        "        if code == EXIT_AFTER_MESSAGE + 1:\n",
        "test_language.py::test_exit_code",
    ),
    Mutant(
        "launcher/program.py",
        "    except pulumi.RunError as error:",
        "    except KeyError as error:",
        "test_language.py::test_run_error",
    ),
    Mutant("launcher/program.py", "limit=index - len(frames)", "limit=None", "test_language.py::test_exception"),
    Mutant(
        "language.py",
        'LAUNCHER = Path(__file__).parent / "launcher" / "program.py"',
        'LAUNCHER = Path(__file__).parent / "program.py"',
        "test_language.py::test_standard_library_is_not_shadowed",
    ),
    Mutant(
        "language.py",
        "        for _ in self._install(request.info, context):\n            pass\n",
        "",
        "test_language.py::test_missing_virtual_environment",
    ),
    # What the engine is told
    Mutant(
        "language.py",
        "GetRequiredPackagesResponse(packages=required_packages(request.info))",
        "GetRequiredPackagesResponse()",
        "test_protocol.py::test_required_packages",
    ),
    Mutant(
        "command.py",
        'response.inputs["__pulumi-go-provider-version"] = FRAMEWORK',
        "pass",
        "test_protocol.py::test_command_configuration",
    ),
    Mutant(
        "command.py",
        "response.acceptSecrets = response.acceptOutputs = True",
        "response.acceptSecrets = True",
        "test_protocol.py::test_command_configuration",
    ),
    Mutant(
        "random.py",
        "return provider_pb2.DiffResponse()",
        "return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)",
        "test_protocol.py::test_random_configuration",
    ),
    Mutant(
        "random.py",
        "response.supports_autonaming_configuration = True",
        "response.acceptSecrets = True",
        "test_protocol.py::test_random_configuration",
    ),
    Mutant(
        "random.py",
        "detailed_differences = False",
        "detailed_differences = True",
        "test_protocol.py::test_random_difference",
    ),
    Mutant(
        "provider.py",
        "            response.diffs.append(path)\n",
        "            response.diffs.append(path)\n            response.detailedDiff[path].inputDiff = True\n",
        "test_protocol.py::test_difference_is_of_no_known_side",
    ),
    Mutant(
        "command.py",
        "secret(value) if key in CONNECTION_SECRETS else value",
        "value",
        "test_protocol.py::test_secrets_inside_the_connection",
    ),
    Mutant(
        "command.py",
        '{**dict.fromkeys(parts, ""), **source}',
        "source",
        "test_protocol.py::test_parts_of_a_source",
    ),
    Mutant(
        "command.py",
        'return {**news, "source": UNKNOWN}',
        "return news",
        "test_protocol.py::test_source_is_unknown_in_a_preview",
    ),
    # The end
    Mutant(
        "serve.py",
        "while os.getppid() == engine:",
        "while True:",
        "test_interruption.py::test_plugins_of_a_killed_engine",
    ),
    Mutant(
        "launcher/program.py",
        "time.sleep(INTERRUPT_SECONDS)",
        "pass",
        "test_interruption.py::test_failure_is_all_that_is_said",
    ),
    Mutant(
        "command.py",
        '        if b"\\n" not in data:\n            return\n',
        '        if len(self._line) > 65536:\n            __import__("time").sleep(1000)\n',
        "test_interruption.py::test_line_of_any_length",
    ),
]
