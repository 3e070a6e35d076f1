"""Pages of the guestbook."""

import hashlib
import os
import tempfile
import threading

from django.contrib.auth import authenticate, login
from django.db import connection, transaction
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from .models import Entry


def entries(request):
    if request.method == "POST":
        entry = Entry.objects.create(author=request.POST["author"], text=request.POST["text"])
        return JsonResponse({"id": entry.pk}, status=201)
    return JsonResponse({"entries": list(Entry.objects.order_by("pk").values_list("author", "text"))})


@transaction.atomic
def failing(request):
    """Writes, and then fails: nothing of it may stay."""
    Entry.objects.create(author="nobody", text="never")
    raise RuntimeError("on purpose")


def enter(request):
    user = authenticate(request, username=request.POST["name"], password=request.POST["password"])
    if user is None:
        return HttpResponse("no", status=403)
    login(request, user)
    return HttpResponse("welcome")


def me(request):
    return HttpResponse(request.user.get_username() or "nobody")


def upload(request):
    sent = request.FILES["file"]
    digest = hashlib.sha256()
    for piece in sent.chunks():
        digest.update(piece)
    return JsonResponse({"size": sent.size, "sha256": digest.hexdigest(), "kind": type(sent).__name__})


def body(request):
    digest, length = hashlib.sha256(), 0
    while piece := request.read(10_000):
        digest.update(piece)
        length += len(piece)
    return JsonResponse({"size": length, "sha256": digest.hexdigest()})


def stream(request):
    """One query for each item, while the answer is on its way."""
    return StreamingHttpResponse(f"{entry.author}\n" for entry in Entry.objects.order_by("pk").iterator(10))


def file(request):
    sent = tempfile.TemporaryFile()
    sent.write(bytes(range(256)) * 2000)
    sent.seek(0)
    return FileResponse(sent, as_attachment=True, filename="bytes.bin")


def thread(request):
    connection.ensure_connection()
    return JsonResponse({"thread": threading.get_ident(), "connection": id(connection.connection), "pid": os.getpid()})


async def later(request):
    return HttpResponse(f"{await Entry.objects.acount()} entries")


urlpatterns = [
    path("entries/", entries),
    path("failing/", failing),
    path("enter/", enter),
    path("me/", me),
    path("upload/", upload),
    path("body/", body),
    path("stream/", stream),
    path("file/", file),
    path("thread/", thread),
    path("later/", later),
]
