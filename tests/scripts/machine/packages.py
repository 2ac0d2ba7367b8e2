"""pip, uv and a package index: what becomes of a venv when a job asks them for something."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.scripts.machine.machine import Job, Machine, Ran


@dataclass
class Index:
    """What can be installed, and what was."""

    machine: Machine
    # Packages that the project's own requirements bring, as `pip freeze` tells them.
    requirements: tuple[str, ...] = ("Django==5.2",)
    # Words of commands that fail, and what they say.
    failing: dict[str, str] = field(default_factory=dict)
    constraints: list[str] = field(default_factory=list)

    def install(self) -> None:
        """Let the machine's jobs be answered here."""
        for words, output in self.failing.items():
            self.machine.jobs.append(Job(words, 1, output))
        requirements = "".join(f"{line}\n" for line in self.requirements)
        self.machine.jobs += [
            Job("-m venv", effect=self._venv),
            Job("uv venv", effect=self._venv),
            Job("freeze", output=f"# a comment\n{requirements}-e git+https://example.com/x.git#egg=x\n"),
            Job("--constraint", output="Successfully installed\n", effect=self._server),
            Job("--requirement", effect=self._brought),
            Job("install uv==", effect=self._uv),
        ]

    def _venv(self, ran: Ran) -> None:
        self._program(Path(ran.argv[-1]) / "bin/python")

    def _uv(self, ran: Ran) -> None:
        self._program(Path(ran.argv[0] if ran.argv[0] != "env" else self._python(ran)).with_name("uv"))

    def _brought(self, ran: Ran) -> None:
        for line in self.requirements:
            if line.startswith(("gunicorn", "daphne")):
                self._program(Path(self._python(ran)).with_name(line.partition("==")[0]))

    def _server(self, ran: Ran) -> None:
        self.constraints = self.machine.files.path(ran.argv[ran.argv.index("--constraint") + 1]).read_text().split()
        self._program(Path(self._python(ran)).with_name(ran.argv[-1].partition("=")[0].partition("<")[0]))

    def _python(self, ran: Ran) -> str:
        return next(word for word in reversed(ran.argv) if word.endswith("/bin/python"))

    def _program(self, path: Path) -> None:
        self.machine.write(str(path), "")

    @property
    def commands(self) -> list[list[str]]:
        """What was run, without the variables that are taken away."""
        return [[word for word in ran.argv if word != "env" and not word.startswith("-u")] for ran in self.machine.ran]
