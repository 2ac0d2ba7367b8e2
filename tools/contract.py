"""The contract's sentences and the tests that prove them: `python3 -m tools.contract` writes docs/CONTRACT.md.

Sentences and their ids are in docs/contract.toml. A test says `@pytest.mark.proves("id", …)`: on a function, on a
class, in `pytest.param(…, marks=…)` for a row of a table, or as `pytestmark` for a file. Tests are read, not imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT = Path(__file__).resolve().parents[1]
SENTENCES = Path("docs/contract.toml")
DOCUMENT = Path("docs/CONTRACT.md")
TESTS = Path("tests")
MARK = "proves"
# Tables of the file that hold no sentences, but reasons by a sentence's id.
UNPROVED, UNBROKEN = "unproved", "unbroken"
HEADER = """# The contract, and what proves it

What a Django project gets from `pulumi up`, and what its team may rely on. Below each sentence are the tests that fail
when it is not true. Written by `make contract` from contract.toml and the tests; do not edit.
"""


class ContractError(Exception):
    """Sentences or marks that cannot be read; the text says which and where."""


@dataclass(frozen=True)
class Contract:
    """Sections, each with sentences by their id.

    `unproved` is why some have no test yet, `unbroken` why no breakage in tests/breakages.py is of some.
    """

    sections: dict[str, dict[str, str]]
    unproved: dict[str, str]
    unbroken: dict[str, str]

    @property
    def sentences(self) -> dict[str, str]:
        """All sentences by their id."""
        return {name: text for section in self.sections.values() for name, text in section.items()}


@dataclass(frozen=True, order=True)
class Proof:
    """A test, or a table of tests, that proves a sentence: the file, and the name in it."""

    file: str
    test: str

    @property
    def link(self) -> str:
        """A link from the document to the file."""
        name = self.test or Path(self.file).stem
        return f"[{name}](../{self.file})"


def read_contract(text: str) -> Contract:
    """The contract as docs/contract.toml holds it; ContractError where two sentences have one id."""
    sections = tomllib.loads(text)
    unproved, unbroken = sections.pop(UNPROVED, {}), sections.pop(UNBROKEN, {})
    seen: set[str] = set()
    for section in sections.values():
        for name in section:
            if name in seen:
                raise ContractError(f"{name}: two sentences have this id")
            seen.add(name)
    return Contract(sections, unproved, unbroken)


def find_proofs(root: Path) -> dict[str, set[Proof]]:
    """By id, what the tests below `root`/tests say that they prove."""
    found: dict[str, set[Proof]] = {}
    for path in sorted((root / TESTS).rglob("*.py")):
        file = path.relative_to(root).as_posix()
        for test, names in marks(path.read_text(), file):
            for name in names:
                found.setdefault(name, set()).add(Proof(file, test))
    return found


def marks(text: str, file: str) -> Iterator[tuple[str, list[str]]]:
    """Each mark in a file of tests: the test's name (the table's for rows, "" for the whole file), and the ids."""
    # Most files have no marks, and to parse them all takes seconds.
    if MARK not in text:
        return
    module = ast.parse(text)
    placed = set()
    for test, place in _places(module.body, ""):
        for call in _calls(place):
            placed.add(call)
            yield test, [_name(argument, file) for argument in call.args]
    for call in _calls(module):
        if call not in placed:
            raise ContractError(f"{file}:{call.lineno}: a mark stands on a test, in a table of tests or in pytestmark")


def _places(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for statement in body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in statement.decorator_list:
                yield f"{prefix}{statement.name}", decorator
        if isinstance(statement, ast.ClassDef):
            yield from _places(statement.body, f"{prefix}{statement.name}.")
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            name = ast.unparse(target)
            yield prefix.rstrip(".") if name == "pytestmark" else f"{prefix}{name}", statement


def _calls(place: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(place):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == MARK):
            continue
        if ast.unparse(node.func) == f"pytest.mark.{MARK}":
            yield node


def _name(argument: ast.expr, file: str) -> str:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    raise ContractError(f"{file}:{argument.lineno}: an id is written as a text, so that it can be read")


def document(contract: Contract, proofs: dict[str, set[Proof]]) -> str:
    """The text of docs/CONTRACT.md."""
    lines = [HEADER]
    for title, sentences in contract.sections.items():
        lines.append(f"## {title}\n")
        for name, sentence in sentences.items():
            links = [proof.link for proof in sorted(proofs.get(name, ()))]
            lines.append(f"- **{name}**: {sentence}")
            lines += [f"  - {link}" for link in links] or [f"  - no test yet: {contract.unproved.get(name, 'unknown')}"]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def written(root: Path) -> str:
    """What docs/CONTRACT.md of this checkout should hold."""
    return document(read_contract((root / SENTENCES).read_text()), find_proofs(root))


def main() -> int:
    """Write the document; returns the exit code."""
    try:
        (CHECKOUT / DOCUMENT).write_text(written(CHECKOUT))
    except ContractError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
