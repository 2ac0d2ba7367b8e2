"""The person of the project tests reads forms as a browser does."""

from __future__ import annotations

import pytest

from tests.host.projects.visitor import Page, Upload, Visitor, VisitorError, multipart, read_forms

FORM = """
<form action="/search/"><input name="q"></form>
<form method="post">
  <input type="hidden" name="csrfmiddlewaretoken" value="a&amp;b">
  <input name="title" value="Old"><input name="file" type="file"><input type="submit" name="_save" value="Save">
  <input type="checkbox" name="live" checked><input type="checkbox" name="hidden">
  <input type="radio" name="size" value="s"><input type="radio" name="size" value="m" checked>
  <select name="tags" multiple><option value="1" selected>One</option><option value="2">Two</option>
    <option value="3" selected>Three</option></select>
  <textarea name="text">
first
second</textarea>
</form>
"""


def page(body: str) -> Page:
    """A page with this text."""
    return Page("/x/", 200, {}, body.encode())


def test_a_form_has_what_is_filled_in_and_knows_all_its_fields() -> None:
    form = page(FORM).form("title")
    assert form.fields == {
        "csrfmiddlewaretoken": ["a&b"],
        "title": ["Old"],
        "live": ["on"],
        "size": ["m"],
        "tags": ["1", "3"],
        "text": ["first\nsecond"],
    }
    assert form.names == {*form.fields, "file", "_save", "hidden"}
    assert [form.action for form in read_forms(FORM)] == ["/search/", ""]


def test_a_field_that_is_not_in_the_form_is_refused() -> None:
    with pytest.raises(VisitorError, match="no form with a field 'password'"):
        page(FORM).form("password")
    with pytest.raises(VisitorError, match=r"has no fields \['titel'\]"):
        Visitor("127.0.0.1", "x.example").submit(page(FORM), "title", {"titel": "New"})


def test_another_status_or_text_is_refused() -> None:
    assert page("hello").expect(200, "hello").body == "hello"
    for status, text in ((404, ""), (200, "bye")):
        with pytest.raises(VisitorError, match="answers 200, not"):
            page("hello").expect(status, text)


def test_a_file_travels_as_it_is() -> None:
    kind, body = multipart([("title", "é")], {"file": Upload("a.bin", b"\r\n--\0", "image/png")})
    boundary = kind.partition("boundary=")[2].encode()
    fields = body.split(b"--" + boundary)
    assert fields[1] == b'\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xc3\xa9\r\n'
    head, _, content = fields[2].partition(b"\r\n\r\n")
    assert b'name="file"; filename="a.bin"\r\nContent-Type: image/png' in head
    assert content == b"\r\n--\0\r\n"
    assert fields[3] == b"--\r\n"
