"""What newer versions of Django and of Python no longer have; nothing of it is imported here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from codesensei.source.loaded import Import
from codesensei.source.versions import Version, version
from codesensei.wire.quick import dataclass

# The version that no longer has it; the module, and the names in it where it is there itself; what takes its place.
_DJANGO = """
1.9  django.contrib.contenttypes.generic                      django.contrib.contenttypes.fields
1.9  django.core.cache get_cache                              caches
1.9  django.db.models get_model                               django.apps.apps.get_model
1.9  django.db.models.loading                                 django.apps
1.9  django.forms.util                                        django.forms.utils
1.9  django.utils.datastructures SortedDict MergeDict         collections.OrderedDict
1.9  django.utils.importlib                                   importlib
1.10 django.conf.urls patterns                                a list of path() and re_path()
1.10 django.core.context_processors                           django.template.context_processors
2.0  django.core.urlresolvers                                 django.urls
2.0  django.urls RegexURLPattern RegexURLResolver             URLPattern and URLResolver
2.0  django.utils.html_parser                                 html.parser
2.1  django.contrib.auth.views login logout password_change password_reset    LoginView and its like
2.1  django.utils.translation string_concat                   django.utils.text.format_lazy
3.0  django.contrib.staticfiles.templatetags.staticfiles      django.templatetags.static
3.0  django.contrib.admin.templatetags.admin_static           django.templatetags.static
3.0  django.db.backends.postgresql_psycopg2.base              django.db.backends.postgresql.base
3.0  django.shortcuts render_to_response                      render
3.0  django.utils.decorators available_attrs ContextDecorator  functools and contextlib
3.0  django.utils.encoding python_2_unicode_compatible        __str__ alone
3.0  django.utils.functional curry                            functools.partial
3.0  django.utils.http cookie_date                            http_date
3.0  django.utils.lru_cache                                   functools.lru_cache
3.0  django.utils.six                                         the package six
3.1  django.db.models.fields FieldDoesNotExist                django.core.exceptions
3.1  django.db.models.query EmptyResultSet                    django.core.exceptions
3.1  django.utils.timezone FixedOffset                        datetime.timezone
4.0  django.conf.urls url                                     django.urls.re_path
4.0  django.contrib.postgres.fields.jsonb KeyTransform KeyTextTransform    django.db.models.fields.json
4.0  django.contrib.postgres.forms JSONField                  django.forms
4.0  django.utils.encoding force_text smart_text              force_str and smart_str
4.0  django.utils.http is_safe_url                            url_has_allowed_host_and_scheme
4.0  django.utils.http urlquote urlquote_plus urlunquote urlunquote_plus    urllib.parse
4.0  django.utils.text unescape_entities                      html.unescape
4.0  django.utils.translation ugettext ugettext_lazy ugettext_noop    gettext, gettext_lazy and gettext_noop
4.0  django.utils.translation ungettext ungettext_lazy        ngettext and ngettext_lazy
5.0  django.utils.baseconv                                    own code
5.0  django.utils.datetime_safe                               datetime
5.0  django.utils.timezone utc                                datetime.timezone.utc
5.1  django.core.files.storage get_storage_class              storages
"""
_PYTHON = """
3.10 collections Callable Container Generator Hashable Iterable Iterator Sized    collections.abc
3.10 collections Mapping MutableMapping MutableSequence MutableSet Sequence Set    collections.abc
3.11 inspect getargspec formatargspec    inspect.getfullargspec
3.11 binhex    another format
3.12 asynchat    asyncio
3.12 asyncore    asyncio
3.12 distutils   setuptools or packaging
3.12 imp         importlib
3.12 smtpd       aiosmtpd
3.13 aifc        the package standard-aifc
3.13 audioop     the package audioop-lts
3.13 cgi         urllib.parse, or the package legacy-cgi
3.13 cgitb       traceback, or the package legacy-cgi
3.13 chunk       the package standard-chunk
3.13 crypt       passlib
3.13 imghdr      the package filetype
3.13 nntplib     the package standard-nntplib
3.13 pipes       subprocess and shlex
3.13 sndhdr      the package filetype
3.13 telnetlib   the package telnetlib3
3.13 uu          base64
3.13 xdrlib      the package standard-xdrlib
"""


@dataclass(frozen=True)
class Gone:
    """A module, or `names` of one, that is gone `since` a version."""

    since: Version
    module: str
    names: frozenset[str]
    instead: str

    def __str__(self) -> str:
        return f"{', '.join(sorted(self.names))} of {self.module}" if self.names else self.module

    def used_by(self, one: Import) -> frozenset[str] | None:
        """Which of the names an import takes; None where it needs nothing of this."""
        if self.names:
            return (self.names & set(one.names) or None) if one.module == self.module else None
        package, _, name = self.module.rpartition(".")
        taken = f"{one.module}.".startswith(f"{self.module}.") or (one.module == package and name in one.names)
        return frozenset() if taken else None


def _read(table: str) -> tuple[Gone, ...]:
    rows = (re.split(r"\s{2,}", re.sub(r"^(\S+)\s+", r"\1  ", line)) for line in table.strip().splitlines())
    return tuple(
        Gone(version(since), what.split()[0], frozenset(what.split()[1:]), instead) for since, what, instead in rows
    )


FROM_DJANGO, FROM_PYTHON = _read(_DJANGO), _read(_PYTHON)


def used(table: Iterable[Gone], imports: Iterable[Import]) -> Iterator[tuple[Gone, list[str]]]:
    """Each row that is imported, with no names but those that are, and the places."""
    every = list(imports)
    for gone in table:
        found = [(names, one.place) for one in every if (names := gone.used_by(one)) is not None]
        if found:
            places = sorted({place for _, place in found})
            yield replace(gone, names=frozenset[str]().union(*(names for names, _ in found))), places
