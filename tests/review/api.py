"""GitHub's and GitLab's interfaces for comments, as their documentation has them, on a port of this machine."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "canary-of-the-job-token"
COMMIT, REQUEST, OTHERS = "c0ffee1", 12, 120


class Api:
    """One merge request with comments: as many as it takes to fill a page, the first of them by somebody else.

    `merged` are the requests that have brought COMMIT; `refused` is an answer to all that write.
    """

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = [{"id": 1000 + n, "who": "alice", "text": "hm"} for n in range(OTHERS)]
        self.merged: list[dict[str, Any]] = [{"number": REQUEST, "merged": True, "into": "main"}]
        self.refused = 0
        self.asked: list[str] = []

    @property
    def variables(self) -> dict[str, str]:
        """What a job has in its environment."""
        raise NotImplementedError

    def add(self, who: str, text: str) -> None:
        self.comments.append({"id": 5000 + len(self.comments), "who": who, "text": text})

    def by(self, who: str) -> list[str]:
        """The texts of an account's comments."""
        return [str(one["text"]) for one in self.comments if one["who"] == who]

    def answer(self, method: str, path: str, data: Any) -> tuple[int, Any]:
        """Status and JSON."""
        address = urlsplit(path)
        page = {key: int(value[0]) for key, value in parse_qs(address.query).items()}
        self.asked.append(f"{method} {address.path}")
        if method != "GET" and self.refused:
            return self.refused, {"message": "Resource not accessible by integration"}
        found = self._found(method, address.path, data)
        if found is None:
            return 404, {"message": "Not Found"}
        if isinstance(found, list):
            start = (page["page"] - 1) * page["per_page"]
            found = found[start : start + page["per_page"]]
        return 200, found

    def _found(self, method: str, path: str, data: Any) -> Any:
        raise NotImplementedError

    def _write(self, data: Any, number: str = "") -> dict[str, Any]:
        if not number:
            self.add("bot", data["body"])
            return {}
        [old] = [one for one in self.comments if one["id"] == int(number)]
        assert old["who"] == "bot", "nobody may change a comment of others"
        old["text"] = data["body"]
        return {}


class GitHubApi(Api):
    """https://docs.github.com/en/rest/issues/comments and /commits/commits."""

    base = "/repos/acme/shop-ops"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/shop-ops",
            "GITHUB_REF": f"refs/pull/{REQUEST}/merge",
            "GITHUB_REF_NAME": "main",
            "GITHUB_SHA": COMMIT,
            "GITHUB_TOKEN": TOKEN,
        }

    def _found(self, method: str, path: str, data: Any) -> Any:
        if (method, path) == ("GET", f"{self.base}/issues/{REQUEST}/comments"):
            names = {"bot": "github-actions[bot]"}
            return [
                {"id": one["id"], "body": one["text"], "user": {"login": names.get(one["who"], one["who"])}}
                for one in self.comments
            ]
        if (method, path) == ("GET", f"{self.base}/commits/{COMMIT}/pulls"):
            return [
                {
                    "number": one["number"],
                    "merged_at": "2026-03-01T10:00:00Z" if one["merged"] else None,
                    "base": {"ref": one["into"]},
                }
                for one in self.merged
            ]
        if (method, path) == ("POST", f"{self.base}/issues/{REQUEST}/comments"):
            return self._write(data)
        if method == "PATCH" and (found := re.fullmatch(rf"{self.base}/issues/comments/(\d+)", path)):
            return self._write(data, found[1])
        return None


class GitLabApi(Api):
    """https://docs.gitlab.com/api/notes/ and /commits/."""

    base = "/projects/7"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "GITLAB_CI": "true",
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": str(REQUEST),
            "CI_COMMIT_BRANCH": "main",
            "CI_COMMIT_SHA": COMMIT,
            "GITLAB_TOKEN": TOKEN,
        }

    def _found(self, method: str, path: str, data: Any) -> Any:
        notes = f"{self.base}/merge_requests/{REQUEST}/notes"
        if (method, path) == ("GET", "/user"):
            return {"id": 99}
        if (method, path) == ("GET", notes):
            return [
                {"id": one["id"], "body": one["text"], "author": {"id": 99 if one["who"] == "bot" else 1}}
                for one in self.comments
            ]
        if (method, path) == ("GET", f"{self.base}/repository/commits/{COMMIT}/merge_requests"):
            return [
                {
                    "iid": one["number"],
                    "state": "merged" if one["merged"] else "closed",
                    "target_branch": one["into"],
                }
                for one in self.merged
            ]
        if (method, path) == ("POST", notes):
            return self._write(data)
        if method == "PUT" and (found := re.fullmatch(rf"{notes}/(\d+)", path)):
            return self._write(data, found[1])
        return None


@contextmanager
def served(api: Api) -> Iterator[str]:
    """The address at which the interface answers; a request without the token is refused."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            data = json.loads(self.rfile.read(length)) if length else None
            tokens = {self.headers.get("Authorization"), self.headers.get("PRIVATE-TOKEN")}
            known = {f"Bearer {TOKEN}", TOKEN} & tokens
            status, found = api.answer(self.command, self.path, data) if known else (401, {"message": "who?"})
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = _answer

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
