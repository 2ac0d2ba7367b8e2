"""What was reviewed is what runs: a preview names what it was made from, and an update refuses anything else."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from codesensei import remote
from codesensei.config import Stack
from codesensei.source import Code
from codesensei.story import REVIEW_MARK, REVIEWED, Previewed
from codesensei.wire import codec, digests, steps
from codesensei.wire.text import printable

# A preview that is to name its review.
ASKED = "CODESENSEI_REVIEW"
PROGRAM = Path(__file__).resolve().parents[1]


def hold(stack: Stack, code: Code, access: remote.Access) -> None:
    """Raise RunError, before any resource is declared, where this is not what was reviewed; name the review if asked.

    Without a review in the environment nothing is held.
    """
    reviewed, asked = os.environ.get(REVIEWED), os.environ.get(ASKED)
    if asked not in {None, "", "0", "1"}:
        raise pulumi.RunError(f"{ASKED}: it is neither 1 nor 0\nfix: export {ASKED}=1")
    if reviewed is None and asked != "1":
        return
    if not stack.digest:
        cause = "a secret of this stack is not in its stack file, so no review can tell that it has changed"
        if reviewed is not None:
            raise pulumi.RunError(f"{REVIEWED}: {cause}\nfix: unset it, and deploy without")
        remote.warn(f"{ASKED}: {cause}; none is named")
        return
    now = Previewed.of(code.id, stack.digest, _live(access), _program())
    if reviewed is not None:
        _compare(now, reviewed, code, access)
    if asked == "1" and pulumi.runtime.is_dry_run():
        pulumi.info(f"{REVIEW_MARK}{now}")


def _compare(now: Previewed, word: str, code: Code, access: remote.Access) -> None:
    reviewed = Previewed.read(word)
    if reviewed is None:
        cause = f"it names no review: {printable(word[:40])!r}" if word else "it is empty, so nothing was reviewed"
        raise pulumi.RunError(f"{REVIEWED}: {cause}\nfix: take it from the comment that shows the preview")
    moved = [*now.moved(reviewed, code.checkout.short, f"Pulumi.{pulumi.get_stack()}.yaml", access.served)]
    if moved:
        said = "\n".join(f"    {sentence}" for sentence in moved)
        fix = "review a new preview, and deploy that"
        raise pulumi.RunError(f"{REVIEWED}: this is not what was reviewed, and nothing was run\n{said}\nfix: {fix}")


def _live(access: remote.Access) -> str:
    """What serves, as its switch has left it, and what somebody has changed since.

    What a failed deploy has staged is left out, so that the same deploy may be tried again.
    """
    look = access.look
    switch = access.state.steps.get(steps.SWITCH.name)
    drift = [str(codec.encode(found)) for found in look.drift]
    replaced = str(look.blank and access.state.whole)
    return digests.of_texts([access.served, switch.digest if switch else "", replaced, *drift])


def _program() -> str:
    """The program's own files: they decide what is done with all the others."""
    found = [PROGRAM / "__main__.py"]
    for room in ("codesensei", "components"):
        found += (path for path in sorted((PROGRAM / room).rglob("*")) if path.is_file() and _is_own(path))
    # Whatever bytes are in one of them.
    texts = ((str(path.relative_to(PROGRAM)), path.read_bytes().decode("latin-1")) for path in found)
    return digests.of_texts(text for both in texts for text in both)


def _is_own(path: Path) -> bool:
    """Not what Python, an editor or a file manager has left there."""
    return path.suffix != ".pyc" and not path.name.startswith(".")
