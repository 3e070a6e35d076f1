"""Two pages for whoever runs the server: is it well, and how does it see the request?"""

import os

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """`ok` when this process can reach the database. Otherwise the exception becomes a 500, and is logged."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def whoami(request: HttpRequest) -> JsonResponse:
    """How this request looks from inside: shows whether a proxy in front is set up as meant."""
    meta = request.META
    return JsonResponse(
        {
            "scheme": request.scheme,
            "is_secure": request.is_secure(),
            "host": request.get_host(),
            "remote_addr": meta.get("REMOTE_ADDR"),
            "x_forwarded_for": meta.get("HTTP_X_FORWARDED_FOR"),
            "x_forwarded_proto": meta.get("HTTP_X_FORWARDED_PROTO"),
            "x_real_ip": meta.get("HTTP_X_REAL_IP"),
            "server_software": meta.get("SERVER_SOFTWARE"),
            "server_protocol": meta.get("SERVER_PROTOCOL"),
            "multithread": meta.get("wsgi.multithread"),
            "multiprocess": meta.get("wsgi.multiprocess"),
            "pid": os.getpid(),
        }
    )
