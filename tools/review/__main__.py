"""The preview of the stack PULUMI_STACK in a merge request: `python -m tools.review comment|find`.

`comment` reads what `make preview-comment` has printed, and writes it into one comment, in the place of an older one.
`find` prints the review of the merge request that has brought this job's commit, for CODESENSEI_REVIEWED.
"""

from __future__ import annotations

import argparse
import os
import sys

from codesensei.story import REVIEWED
from codesensei.story.__main__ import mark_of, of_comment
from tools.review.hosts import Comment, Host, ReviewError, this_host


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 1 for what cannot be written or found, with why on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tools.review", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["comment", "find"])
    what = parser.parse_args(arguments).what
    try:
        stack = os.environ.get("PULUMI_STACK")
        if not stack:
            raise ReviewError("PULUMI_STACK", "it is not set", "name the stack: export PULUMI_STACK=prod")
        if what == "comment":
            write_comment(stack, sys.stdin.read())
        else:
            print(find(stack))
    except ReviewError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def write_comment(stack: str, text: str) -> None:
    """Make the comment about a stack, or give the one that is there this text."""
    if not text.startswith(mark_of(stack)):
        raise ReviewError("standard input", f"it is no comment about the stack {stack}", "make preview-comment")
    host = this_host()
    request = host.request()
    host.write(request, text, _about(stack, host, request))


def find(stack: str) -> str:
    """The review that was merged, or the one that somebody has started this job with."""
    if given := os.environ.get(REVIEWED):
        return given
    host = this_host()
    by_hand = f"make preview-comment, then start this job by hand with {REVIEWED}=…"
    requests = host.merged()
    if len(requests) != 1:
        came = f"merge requests {', '.join(requests)}" if requests else "no merge request"
        raise ReviewError("this commit", f"it came by {came}, so no one preview of it was reviewed", by_hand)
    comment = _about(stack, host, requests[0])
    review = of_comment(comment.text) if comment else None
    if review is None:
        cause = f"no comment there shows a preview of the stack {stack} that has succeeded"
        raise ReviewError(f"merge request {requests[0]}", cause, by_hand)
    return str(review)


def _about(stack: str, host: Host, request: str) -> Comment | None:
    return next((one for one in host.comments(request) if one.text.startswith(mark_of(stack))), None)


if __name__ == "__main__":
    sys.exit(main())
