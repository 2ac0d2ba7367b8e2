"""Which settings would let visitors down, as the program says them that asks Django."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.release import ask_visitors
from codesensei.scripts.release.record import VisitorFacts
from codesensei.wire import codec

SESSIONS, CSRF = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
)
LOCMEM, REDIS = "django.core.cache.backends.locmem.LocMemCache", "django.core.cache.backends.redis.RedisCache"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def asked(*overridden: str, **changes: Any) -> VisitorFacts:
    """What is said of Django's own defaults with these changes."""
    usual = {
        "MIDDLEWARE": [SESSIONS, CSRF],
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",
        "CACHES": {"default": {"BACKEND": LOCMEM}},
        "FILE_UPLOAD_PERMISSIONS": 0o644,
        "EMAIL_BACKEND": SMTP,
        "EMAIL_HOST": "localhost",
        "EMAIL_PORT": 25,
        "INSTALLED_APPS": [],
        "is_overridden": lambda name: name in overridden,
    }
    return codec.decode(VisitorFacts, ask_visitors.visitors(SimpleNamespace(**usual | changes), serves=False), "test")


@pytest.mark.proves("switch.visitors")
def test_of_the_defaults_nothing_is_said() -> None:
    assert asked() == VisitorFacts()


def test_settings_that_cannot_be_read_stop_nothing() -> None:
    settings = SimpleNamespace(CHANNEL_LAYERS="none", MIDDLEWARE=[], INSTALLED_APPS=[])
    assert ask_visitors.visitors(settings, serves=True) is None


@pytest.mark.proves("switch.visitors")
def test_where_sessions_are() -> None:
    cache = "django.contrib.sessions.backends.cache"
    assert asked(SESSION_ENGINE=cache).sessions_in == "CACHES['default']"
    caches = {"default": {"BACKEND": REDIS}, "own": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert asked(SESSION_ENGINE=cache, CACHES=caches).sessions_in == ""
    assert asked(SESSION_ENGINE=cache, CACHES=caches, SESSION_CACHE_ALIAS="own").sessions_in == "CACHES['own']"
    # The database has them too, or nobody has any.
    assert asked(SESSION_ENGINE="django.contrib.sessions.backends.cached_db").sessions_in == ""
    assert asked(SESSION_ENGINE=cache, MIDDLEWARE=[CSRF]).sessions_in == ""


@pytest.mark.proves("switch.visitors")
def test_what_layers_and_cookies_are() -> None:
    layers = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}, "other": {"BACKEND": "x.RedisLayer"}}
    assert asked(CHANNEL_LAYERS=layers).layers_in_memory == ("CHANNEL_LAYERS['default']",)
    secure = {"SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True}
    assert asked(**secure).secure_cookies == ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
    assert asked(**secure, CSRF_USE_SESSIONS=True).secure_cookies == ("SESSION_COOKIE_SECURE",)
    assert asked(**secure, MIDDLEWARE=[]).secure_cookies == ()
    assert asked(SESSION_COOKIE_DOMAIN=".example.com").cookie_domains == {"SESSION_COOKIE_DOMAIN": ".example.com"}


@pytest.mark.proves("switch.visitors")
def test_a_storage_may_have_a_mode_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = SimpleNamespace(default_storage=SimpleNamespace(file_permissions_mode=0o640))
    monkeypatch.setattr(ask_visitors, "import_module", lambda name: storage)
    assert asked(FILE_UPLOAD_PERMISSIONS=None).upload_mode == "0640"


@pytest.mark.proves("switch.visitors")
def test_uploads_and_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    # No storage can be asked.
    monkeypatch.setattr(ask_visitors, "import_module", {}.__getitem__)
    assert asked(FILE_UPLOAD_PERMISSIONS=None).upload_mode == "none"
    assert asked(FILE_UPLOAD_PERMISSIONS=0o640).upload_mode == "0640"
    console = "django.core.mail.backends.console.EmailBackend"
    assert asked(EMAIL_BACKEND=console).mail_to == console
    # The default counts where somebody wants mail; what another package's backend does, only that knows.
    assert asked(ADMINS=[("Ada", "ada@example.com")]).mail_to == "localhost:25"
    assert asked("EMAIL_HOST", EMAIL_HOST="mx.example.com", EMAIL_PORT=587).mail_to == "mx.example.com:587"
    assert asked("EMAIL_HOST", EMAIL_BACKEND="anymail.backends.mailgun.EmailBackend").mail_to == ""


class FileField:
    def __init__(self, name: str, storage: object) -> None:
        self.name, self.storage = name, storage


class ImageField(FileField):
    pass


class FileSystemStorage:
    def __init__(self, location: str = "/srv/x/shared/media/a", base_url: str = "/media/") -> None:
        self.location, self.base_url = location, base_url


class Resolver404(Exception):
    pass


def route(text: str, *patterns: object) -> SimpleNamespace:
    return SimpleNamespace(pattern=text, **({"url_patterns": patterns} if patterns else {}))


def unserved(
    monkeypatch: pytest.MonkeyPatch,
    *fields: FileField,
    url: str = "/media/",
    routes: tuple[SimpleNamespace, ...] = (route("media-kit/"),),
    resolved: bool = False,
    module: str = "/srv/x/releases/a/shop/models.py",
) -> str:
    """The field that is named, of a model in a file of the project or of a package."""
    model = SimpleNamespace(__module__="shop.models", _meta=SimpleNamespace(fields=fields, label="shop.Product"))

    def resolve(path: str) -> None:
        assert path == f"{url}x"
        if not resolved:
            raise Resolver404

    urls = SimpleNamespace(
        Resolver404=Resolver404, resolve=resolve, get_resolver=lambda: SimpleNamespace(url_patterns=routes)
    )
    modules = {
        "django.apps": SimpleNamespace(apps=SimpleNamespace(get_models=lambda: [model])),
        "django.core.files.storage": SimpleNamespace(FileSystemStorage=FileSystemStorage),
        "django.db.models": SimpleNamespace(FileField=FileField, ImageField=ImageField),
        "django.urls": urls,
    }
    monkeypatch.setattr(ask_visitors, "import_module", modules.__getitem__)
    monkeypatch.setitem(sys.modules, "shop.models", SimpleNamespace(__file__=module))
    settings = SimpleNamespace(
        MIDDLEWARE=[], INSTALLED_APPS=[], MEDIA_ROOT="/srv/x/shared/media", MEDIA_URL=url, EMAIL_BACKEND=""
    )
    found = ask_visitors.visitors(settings, serves=True)
    assert found is not None
    early = ask_visitors.visitors(settings, serves=False)
    assert early is not None
    assert early["uploadsUnserved"] == ""
    return str(found["uploadsUnserved"])


PHOTO = FileField("photo", FileSystemStorage())


@pytest.mark.proves("media.unserved")
def test_uploads_that_nobody_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unserved(monkeypatch, PHOTO) == "shop.Product.photo"
    # A view of the project answers there, or somewhere below.
    assert unserved(monkeypatch, PHOTO, resolved=True) == ""
    assert unserved(monkeypatch, PHOTO, routes=(route("^media/(?P<path>.*)$"),)) == ""
    assert unserved(monkeypatch, PHOTO, routes=(route("", route("media/<uuid:key>/<name>")),)) == ""
    # They have no address on this site.
    assert unserved(monkeypatch, PHOTO, url="/") == ""
    assert unserved(monkeypatch, PHOTO, url="https://cdn.example.com/media/") == ""


@pytest.mark.proves("media.unserved")
def test_files_that_are_not_for_visitors(monkeypatch: pytest.MonkeyPatch) -> None:
    private = FileField("scan", FileSystemStorage("/srv/x/shared/private"))
    elsewhere = FileField("scan", FileSystemStorage(base_url="/other/"))
    assert unserved(monkeypatch, private, elsewhere, FileField("scan", object()), PHOTO) == "shop.Product.photo"
    assert unserved(monkeypatch, private, elsewhere, FileField("scan", object())) == ""
    assert unserved(monkeypatch) == ""
    package = "/srv/x/venvs/v/lib/python3.12/site-packages/post_office/models.py"
    assert unserved(monkeypatch, PHOTO, module=package) == ""
    assert unserved(monkeypatch, ImageField("file", FileSystemStorage()), module=package) == "shop.Product.file"


@pytest.mark.proves("static.kept-names")
@pytest.mark.parametrize(("storage", "renames"), [(SimpleNamespace(), False), (SimpleNamespace(hashed_name=1), True)])
def test_whether_static_files_get_names_of_their_content(
    monkeypatch: pytest.MonkeyPatch, storage: SimpleNamespace, renames: bool
) -> None:
    apps = ["django.contrib.staticfiles"]
    monkeypatch.setattr(ask_visitors, "import_module", lambda name: SimpleNamespace(staticfiles_storage=storage))
    assert asked(INSTALLED_APPS=apps).static_renamed is renames
    # Nobody can tell.
    monkeypatch.setattr(ask_visitors, "import_module", {}.__getitem__)
    assert asked(INSTALLED_APPS=apps).static_renamed
