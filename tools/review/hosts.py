"""The interfaces of GitHub and GitLab, as far as one comment needs them; each is known by its own job's variables."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

SECONDS = 30
PAGE = 100


class ReviewError(Exception):
    """What is wrong, with its cause and fix; `str()` is the text for the user."""

    def __init__(self, thing: str, cause: str, fix: str) -> None:
        super().__init__(f"{thing}: {cause}\nfix: {fix}")


@dataclass(frozen=True)
class Comment:
    """A comment that this job's own account has made."""

    number: int
    text: str


class Host(Protocol):
    """A host of repositories, as the job of a pipeline sees it."""

    def request(self) -> str:
        """The number of the merge request that this job is for. ReviewError where it is for none."""

    def merged(self) -> list[str]:
        """The merge requests that have brought this job's commit into its branch."""

    def comments(self, request: str) -> Iterator[Comment]:
        """This account's comments on a merge request."""

    def write(self, request: str, text: str, old: Comment | None) -> None:
        """Make a comment, or give the old one this text."""


@dataclass(frozen=True)
class _Interface:
    """Requests to one address; `headers` have the token."""

    address: str
    headers: Mapping[str, str] = field(repr=False)

    def ask(self, path: str, method: str = "GET", data: Mapping[str, str] | None = None) -> Any:
        """The answer's JSON. ReviewError where it refuses, or cannot be reached."""
        headers = {**self.headers, "Content-Type": "application/json", "User-Agent": "codesensei"}
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"{self.address}{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read(500).decode(errors="replace")
            fix = "check that the token of this job may read and write comments of merge requests"
            raise ReviewError(f"{method} {self.address}{path}", f"it answered {error.code}: {said}", fix) from None
        except (OSError, ValueError) as error:
            fix = "check this job's network, then run it again"
            raise ReviewError(f"{method} {self.address}{path}", f"no answer: {error}", fix) from None

    def each(self, path: str) -> Iterator[Any]:
        """All entries of a list that comes in pages."""
        number, found = 1, self.ask(f"{path}?per_page={PAGE}&page=1")
        while found:
            yield from found
            number += 1
            found = self.ask(f"{path}?per_page={PAGE}&page={number}") if len(found) == PAGE else []


@dataclass(frozen=True)
class GitHub:
    """Its comments are those of the account that every workflow's own token has."""

    variables: Mapping[str, str] = field(repr=False)
    account: str = "github-actions[bot]"

    @property
    def _api(self) -> _Interface:
        token = _required(self.variables, "GITHUB_TOKEN", "env: {GITHUB_TOKEN: ${{ github.token }}}")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        address = f"{self.variables['GITHUB_API_URL']}/repos/{self.variables['GITHUB_REPOSITORY']}"
        return _Interface(address, headers)

    def request(self) -> str:
        """From `refs/pull/12/merge`."""
        parts = self.variables["GITHUB_REF"].split("/")
        if parts[:2] != ["refs", "pull"]:
            raise ReviewError("GITHUB_REF", "this job is for no pull request", "run it on: pull_request")
        return parts[2]

    def merged(self) -> list[str]:
        branch, commit = self.variables["GITHUB_REF_NAME"], self.variables["GITHUB_SHA"]
        found = self._api.each(f"/commits/{commit}/pulls")
        return [str(one["number"]) for one in found if one.get("merged_at") and one["base"]["ref"] == branch]

    def comments(self, request: str) -> Iterator[Comment]:
        for one in self._api.each(f"/issues/{request}/comments"):
            if one["user"]["login"] == self.account:
                yield Comment(one["id"], one["body"])

    def write(self, request: str, text: str, old: Comment | None) -> None:
        if old is None:
            self._api.ask(f"/issues/{request}/comments", "POST", {"body": text})
        else:
            self._api.ask(f"/issues/comments/{old.number}", "PATCH", {"body": text})


@dataclass(frozen=True)
class GitLab:
    """Its comments are those of the account whose token the project's variable GITLAB_TOKEN has."""

    variables: Mapping[str, str] = field(repr=False)

    @property
    def _api(self) -> _Interface:
        fix = "make a project access token with the scope api, and give it to the project as a masked variable"
        token = _required(self.variables, "GITLAB_TOKEN", fix)
        return _Interface(self.variables["CI_API_V4_URL"], {"PRIVATE-TOKEN": token})

    @property
    def _project(self) -> str:
        return f"/projects/{urllib.parse.quote(self.variables['CI_PROJECT_ID'], safe='')}"

    def request(self) -> str:
        if number := self.variables.get("CI_MERGE_REQUEST_IID"):
            return number
        fix = "run it by the rule $CI_PIPELINE_SOURCE == 'merge_request_event'"
        raise ReviewError("CI_MERGE_REQUEST_IID", "this job is for no merge request", fix)

    def merged(self) -> list[str]:
        branch, commit = self.variables["CI_COMMIT_BRANCH"], self.variables["CI_COMMIT_SHA"]
        found = self._api.each(f"{self._project}/repository/commits/{commit}/merge_requests")
        return [str(one["iid"]) for one in found if one["state"] == "merged" and one["target_branch"] == branch]

    def comments(self, request: str) -> Iterator[Comment]:
        account = self._api.ask("/user")["id"]
        for one in self._api.each(f"{self._project}/merge_requests/{request}/notes"):
            if one["author"]["id"] == account:
                yield Comment(one["id"], one["body"])

    def write(self, request: str, text: str, old: Comment | None) -> None:
        notes = f"{self._project}/merge_requests/{request}/notes"
        if old is None:
            self._api.ask(notes, "POST", {"body": text})
        else:
            self._api.ask(f"{notes}/{old.number}", "PUT", {"body": text})


def this_host() -> Host:
    """The host whose job this is. ReviewError where it is neither's."""
    variables = os.environ
    if variables.get("GITHUB_ACTIONS") == "true":
        return GitHub(variables)
    if variables.get("GITLAB_CI") == "true":
        return GitLab(variables)
    fix = "run it in a job, or take the review from the comment by hand: CODESENSEI_REVIEWED=… pulumi up"
    raise ReviewError("this machine", "it runs no job of GitHub Actions or GitLab CI", fix)


def _required(variables: Mapping[str, str], name: str, fix: str) -> str:
    if value := variables.get(name):
        return value
    raise ReviewError(name, "this job has no token", fix)
