"""The shop's addresses. `/` is the list of books."""

from django.urls import path

from shop import api, ops, views

app_name = "shop"
urlpatterns = [
    path("", views.book_list, name="books"),
    path("books/<slug:slug>/", views.book, name="book"),
    path("books/<slug:slug>/reviews/", views.add_review, name="add-review"),
    path("books/<slug:slug>/cover/", views.cover, name="cover"),
    path("books/<slug:slug>/cover/upload/", views.upload_cover, name="upload-cover"),
    path("basket/", views.basket_page, name="basket"),
    path("basket/add/<slug:slug>/", views.add_to_basket, name="add-to-basket"),
    path("basket/remove/<slug:slug>/", views.remove_from_basket, name="remove-from-basket"),
    path("healthz", ops.healthz, name="healthz"),
    path("whoami/", ops.whoami, name="whoami"),
    path("export/books.csv", api.export_csv, name="export"),
    path("api/books/", api.book_list, name="api-books"),
    path("api/books/<str:isbn>/", api.book, name="api-book"),
]
