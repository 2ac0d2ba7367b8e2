"""S3 storage as the stack file names it."""

from __future__ import annotations

import pytest

from codesensei.scripts.backups.storage import Storage, parse


@pytest.mark.proves("continuous.s3")
@pytest.mark.parametrize(
    ("to", "found", "region"),
    [
        ("s3:https://s3.example.com/shop", Storage("s3.example.com", 443, "shop", "/"), "us-east-1"),
        ("s3:https://s3.example.com:9000/shop/a/b", Storage("s3.example.com", 9000, "shop", "/a/b"), "us-east-1"),
        ("s3:https://s3.amazonaws.com/shop", Storage("s3.amazonaws.com", 443, "shop", "/"), "us-east-1"),
        (
            "s3:https://s3.eu-central-1.amazonaws.com/shop/x",
            Storage("s3.eu-central-1.amazonaws.com", 443, "shop", "/x"),
            "eu-central-1",
        ),
        (
            "s3:https://s3.us-west-004.backblazeb2.com/shop",
            Storage("s3.us-west-004.backblazeb2.com", 443, "shop", "/"),
            "us-west-004",
        ),
    ],
)
def test_parts(to: str, found: Storage, region: str) -> None:
    assert parse(to) == found
    assert found.region == region


def test_other_targets() -> None:
    assert parse("/backups/shop") is None
    assert parse("sftp://keeper@nas.example.com/shop") is None
