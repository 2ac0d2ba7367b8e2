"""`pulumi preview --json | python -m codesensei.story`: the story as Markdown for a comment, or as JSON.

`python -m codesensei.story --review` reads such a comment, or such a preview, and prints the name of its review.

Everything of others stands in fenced blocks, where no host of repositories makes links, mentions or HTML of it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from codesensei.story.review import MARK as REVIEW_MARK
from codesensei.story.review import VARIABLE, Previewed
from codesensei.story.section import Section, read, text_of

_FIRST_LINE = re.compile(r"<!-- codesensei preview( of \S+)? -->")
_REVIEW_LINE = re.compile(r"<!-- review: (\S+) -->")
NOTHING = "Nothing changes."
# Longer comments are refused by hosts of repositories.
MOST_STEPS = 100
_SIGNS = {"create": "+", "update": "~", "delete": "-"}


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 1 for a preview that failed, or that cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m codesensei.story", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print sections and their entries as JSON")
    parser.add_argument("--stack", help="the stack that is previewed; default: as the preview has it")
    parser.add_argument(
        "--review", action="store_true", help="print the name of the review that `pulumi up` can be held to"
    )
    asked = parser.parse_args(arguments)
    text = sys.stdin.read()
    if asked.review and (named := of_comment(text)):
        print(named)
        return 0
    try:
        preview = json.loads(text)
        said = [(str(one["severity"]), str(one["message"]).strip()) for one in preview.get("diagnostics") or ()]
        steps = [(str(step["op"]), str(step["urn"])) for step in preview.get("steps") or ()]
    except (ValueError, KeyError, TypeError, AttributeError):
        print("standard input: it is no preview\nfix: pipe pulumi preview --json into this command", file=sys.stderr)
        return 1
    told = next(filter(None, (read(text) for _, text in said)), ())
    failed = any(severity == "error" for severity, _ in said)
    named = None if failed else next(filter(None, map(_named, said)), None)
    if asked.review:
        return _print_review(named)
    stack = asked.stack or next((urn.split(":")[2] for _, urn in steps), "")
    as_json = json.dumps(as_data(told), indent=2, ensure_ascii=False)
    print(as_json if asked.json else as_markdown(stack, told, said, steps, named))
    return int(failed)


def as_data(told: tuple[Section, ...]) -> list[dict[str, Any]]:
    """Sections in their order; an entry is one line of the preview."""
    return [{"section": part.name, "entries": list(part.entries)} for part in told]


def mark_of(stack: str) -> str:
    """The first line of a comment about a stack: by it whoever posts the next one finds the one to replace."""
    return f"<!-- codesensei preview{f' of {stack}' if stack else ''} -->"


def of_comment(text: str) -> Previewed | None:
    """The review that a comment names, in its own place: what others have written stands below it."""
    lines = [*text.splitlines(), "", ""]
    found = _REVIEW_LINE.fullmatch(lines[1]) if _FIRST_LINE.fullmatch(lines[0]) else None
    return Previewed.read(found[1]) if found else None


def as_markdown(
    stack: str,
    told: tuple[Section, ...],
    said: list[tuple[str, str]],
    steps: list[tuple[str, str]],
    named: Previewed | None,
) -> str:
    """The comment: the story, what went wrong or may, and a folded list of the engine's steps."""
    failed = any(severity == "error" for severity, _ in said)
    changed = [step for step in steps if step[0] != "same"]
    head = f"{mark_of(stack)}\n<!-- review: {named} -->" if named else mark_of(stack)
    parts = [head, "**The preview failed.**" if failed else "" if told or changed else NOTHING]
    parts.append(fenced(text_of(told)))
    for severity, title in (("error", "Errors"), ("warning", "Warnings")):
        found = [text for kind, text in said if kind == severity]
        parts += [f"**{title}**", fenced("\n".join(found))] if found else []
    if changed:
        shown = fenced("\n".join(_steps(changed)))
        parts.append(f"<details><summary>Steps of the engine: {len(changed)}</summary>\n\n{shown}\n\n</details>")
    if named:
        parts.append(f"`{VARIABLE}={named} pulumi up` deploys this and nothing else.")
    return "\n\n".join(filter(None, parts))


def _named(said: tuple[str, str]) -> Previewed | None:
    severity, text = said
    return (
        Previewed.read(text.removeprefix(REVIEW_MARK)) if severity == "info" and text.startswith(REVIEW_MARK) else None
    )


def _print_review(named: Previewed | None) -> int:
    if named is None:
        print("standard input: it names no review\nfix: preview with CODESENSEI_REVIEW=1", file=sys.stderr)
        return 1
    print(named)
    return 0


def fenced(text: str) -> str:
    """The text as a block whose end nothing in it can be; nothing for nothing."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}" if text else ""


def _steps(changed: list[tuple[str, str]]) -> Iterator[str]:
    for operation, urn in changed[:MOST_STEPS]:
        kind, _, name = urn.rpartition("::")
        yield f"{_SIGNS.get(operation, '±')} {re.split('[:$]', kind)[-1]} {name}"
    if len(changed) > MOST_STEPS:
        yield f"and {len(changed) - MOST_STEPS} more"


if __name__ == "__main__":
    sys.exit(main())
