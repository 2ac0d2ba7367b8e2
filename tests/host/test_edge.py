"""The edge proxy on a real server: names, certificates, limits, and what the project is told of its visitors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from tests.host.authority import sign
from tests.host.debians import each_debian, on_debian
from tests.host.visitor import ask, certificate, context_of, protocol, sign_guestbook
from tools.sandbox.server import Server
from tools.trials.stack import CHECKOUT, Stack

pytestmark = [pytest.mark.host, pytest.mark.full]

NAME, SECOND = "guestbook.example", "book.example"
EXAMPLE = CHECKOUT / "examples" / "guestbook"
ECHO = """
import time

from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def echo(request):
    time.sleep(float(request.GET.get("wait", 0)))
    headers = {name.lower(): value for name, value in request.headers.items()}
    return JsonResponse({"headers": headers, "secure": request.is_secure(), "size": len(request.body)})
"""
FORWARDED = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}


def strict(stack: Stack, files: Mapping[str, str] | None = None, settings_end: str = "") -> str:
    """A commit whose settings insist on HTTPS, with a view that tells what the project sees, and with more files."""
    settings = (EXAMPLE / "config/settings/production.py").read_text()
    urls = (EXAMPLE / "config/urls.py").read_text()
    return stack.commit(
        {
            "config/echo.py": ECHO,
            "config/urls.py": urls.replace(
                "urlpatterns = [", "from config.echo import echo\n\nurlpatterns = [\n    path('echo/', echo),"
            ),
            "config/settings/production.py": f"{settings}\nSECURE_SSL_REDIRECT = True\nSECURE_HSTS_SECONDS = 60\n"
            "SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True\n"
            f"CSRF_TRUSTED_ORIGINS = ['https://*.example']\n{settings_end}",
            **(files or {}),
        }
    )


@pytest.mark.proves("tls.kinds")
@each_debian(12)
def test_a_project_that_insists_on_https(stack: Stack) -> None:
    host = stack.server.host
    stack.set("project.source.revision", strict(stack))
    refused = stack.up(succeed=False)
    assert "it redirects to https, and this stack is served over http" in refused.output
    assert stack.site.greets("Hello")

    stack.set("tls", "selfSigned")
    stack.set("domains", [NAME, SECOND])
    stack.set("appsDomain", "apps.example")
    stack.set("limits", {"bodySize": "1m", "readTimeout": 2})
    stack.up()
    names = stack.outputs()["hostnames"]
    assert names[:2] == [NAME, SECOND]
    assert re.fullmatch(r"[0-9a-f-]{36}\.apps\.example", names[2])
    for name in names:
        for address in (host, stack.server.host6):
            assert "Hello" in ask(address, name, https=True).body
    assert "max-age=60" in ask(host, NAME, https=True).headers["strict-transport-security"]
    leads = ask(host, NAME, "/a?b=%20")
    assert (leads.status, leads.headers["location"]) == (301, f"https://{NAME}/a?b=%20")
    assert protocol(host, NAME) == "h2"
    assert "warn" not in stack.server.console("nginx -t 2>&1").stdout
    assert SimpleCookie(ask(host, NAME, https=True).headers["set-cookie"])["csrftoken"]["secure"]
    assert sign_guestbook(host, NAME, "over https").status == 302
    assert "over https" in ask(host, NAME, https=True).body

    for other in ("unknown.example", host, f"x.{NAME}", ""):
        for https in (False, True):
            answer = ask(host, other, https=https, sni="unknown.example" if https else None)
            assert answer.status in (400, 404, 421), other
            assert "Hello" not in answer.body
    assert ask(host, None).status == 400

    seen = json.loads(ask(host, NAME, "/echo/", https=True, headers=FORWARDED).body)
    assert seen["secure"] is True
    assert (seen["headers"]["host"], seen["headers"]["x-forwarded-host"]) == (NAME, NAME)
    assert "6.6.6.6" not in seen["headers"]["x-forwarded-for"]
    post = {"https": True, "method": "POST", "path": "/echo/"}
    assert json.loads(ask(host, NAME, body=b"x" * 2**20, **post).body)["size"] == 2**20  # type: ignore[arg-type]
    assert ask(host, NAME, body=b"x" * (2**20 + 1), **post).status == 413  # type: ignore[arg-type]
    assert ask(host, NAME, "/echo/?wait=1", https=True).status == 200
    assert ask(host, NAME, "/echo/?wait=5", https=True).status == 504
    stack.up_without_changes()

    # Behind a proxy that is trusted, with a certificate of one's own.
    own, key = sign(NAME)
    stack.set("trustedProxies", [f"{stack.server.address.subnet}"])
    stack.set("tls", {"certificate": own})
    stack.set_secret("codesensei:tls.key", key)
    stack.up()
    assert stack.outputs()["hostnames"] == names
    assert "Hello" in ask(host, NAME, https=True, roots=own).body
    seen = json.loads(ask(host, NAME, "/echo/", https=True, headers={**FORWARDED, "X-Forwarded-Proto": "https"}).body)
    assert seen["headers"]["x-forwarded-for"].startswith("6.6.6.6, ")
    assert seen["headers"]["x-forwarded-host"] == "evil.example"
    stack.up_without_changes()


# What guides tell to switch on, and a site for whoever asks for another name.
TUNE = "apt-get install -y nginx >/dev/null && cd /etc/nginx && rm sites-enabled/default"
TUNE += " && sed -i 's/# server_names_hash_bucket_size 64;/server_names_hash_bucket_size 64;/' nginx.conf"
TUNE += " && echo 'variables_hash_max_size 2048;' > conf.d/tuned.conf"
TUNE += " && echo 'server { listen 80 default_server; listen [::]:80 default_server; return 418; }' > conf.d/any.conf"
TUNE += " && nginx -t && systemctl reload nginx"


@pytest.mark.proves("proxy.tuned", "tls.external", "proxy.patterns", "config.python-path")
@on_debian(13)
def test_names_of_tenants_behind_a_load_balancer_beside_a_tuned_nginx(
    debian: int, fresh: Callable[[int], Server], place: Path
) -> None:
    stack = Stack(fresh(debian), place / f"tuned-{debian}").create()
    host, subnet = stack.server.host, str(stack.server.address.subnet)
    # An app that is only found the way manage.py starts, by settings that read it, too.
    manage = (EXAMPLE / "manage.py").read_text().replace("import sys\n", "import sys\nfrom pathlib import Path\n")
    manage = manage.replace("from django", "sys.path.append(str(Path(__file__).parent / 'apps'))\nfrom django", 1)
    app = {"manage.py": manage, "apps/tenants/__init__.py": "", "apps/tenants/names.py": "NAMES = 1\n"}
    end = "import tenants.names\n\nINSTALLED_APPS.append('tenants')\n"
    stack.set("project.source.revision", strict(stack, app, end))
    stack.set("domains", [NAME, f"*.{NAME}"])
    stack.set("tls", "external")
    refused = stack.preview(succeed=False)
    assert "codesensei:tls: is external, but no load balancer or CDN is trusted" in refused.output
    stack.set("trustedProxies", [subnet])
    stack.set("env.DJANGO_ALLOWED_HOSTS", NAME)
    stack.server.console(TUNE)
    refused = stack.preview(succeed=False)
    assert f"from the variable DJANGO_ALLOWED_HOSTS, does not have *.{NAME}, so Django answers 400" in refused.output
    # What is in a secret one only the candidate knows.
    with stack.editing() as config:
        del config["codesensei:env"]["DJANGO_ALLOWED_HOSTS"]
    stack.set_secret("codesensei:secretEnv.DJANGO_ALLOWED_HOSTS", NAME)
    refused = stack.up(succeed=False)
    # The engine hides what is the value of a secret.
    assert "Django refuses the host codesensei-probe.[secret] (DisallowedHost)" in refused.output
    stack.set_secret("codesensei:secretEnv.DJANGO_ALLOWED_HOSTS", f".{NAME}")
    stack.up()
    assert stack.outputs()["url"] == f"https://{NAME}/"
    assert stack.server.console("nginx -T 2>/dev/null | grep -c server_names_hash_bucket_size").stdout == "1\n"
    assert ask(host, "unknown.example").status == 418
    for name in (NAME, f"a.{NAME}"):
        assert "Hello" in ask(host, name).body
    seen = json.loads(ask(host, f"a.{NAME}", "/echo/").body)
    assert (seen["secure"], seen["headers"]["x-forwarded-proto"]) == (True, "https")
    assert ask(host, NAME, headers={"X-Forwarded-Proto": "http"}).status == 301
    stack.up_without_changes()
    # Whoever is no load balancer is led to it, whatever they say.
    stack.set("trustedProxies", ["203.0.113.0/24"])
    stack.up()
    leads = ask(host, f"a.{NAME}", "/echo/?a=b", headers={"X-Forwarded-Proto": "https"})
    assert (leads.status, leads.headers["location"]) == (301, f"https://a.{NAME}/echo/?a=b")


@each_debian(13)
def test_a_stack_without_names_serves_its_address_with_its_own_certificate(stack: Stack) -> None:
    host = stack.server.host
    own, key = sign(host)
    stack.set("domains", [])
    stack.set("env.DJANGO_ALLOWED_HOSTS", host)
    stack.set("tls", {"certificate": own})
    stack.set_secret("codesensei:tls.key", key)
    stack.up()
    assert stack.outputs()["url"] == f"https://{host}/"
    assert certificate(host, None) == own
    assert context_of(own).check_hostname
    assert "Hello" in ask(host, host, https=True, roots=own, sni=host).body
    unknown = ask(host, "unknown.example", https=True, sni="")
    assert unknown.status == 421
    stack.up_without_changes()
    stack.set("domains", [NAME])
    stack.set("env.DJANGO_ALLOWED_HOSTS", ".example")
    stack.set("tls", "selfSigned")
    stack.up()
    assert certificate(host, None) not in (own, certificate(host, NAME))
    assert "Hello" in ask(host, NAME, https=True).body
