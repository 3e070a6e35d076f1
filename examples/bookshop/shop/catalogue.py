"""An invented catalogue: authors, books and reviews for `manage.py seed`, always the same.

Pure: knows neither Django nor the database. People and titles are made up; the numbers begin with 9799, a range that
has not been assigned, so that no ISBN here belongs to a real book.
"""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

BOOKS_PER_GENRE = 25
SEED = 27

# fmt: off
FIRST_NAMES = (
    "Agnès", "Bruno", "Cécile", "Dmitri", "Edda", "Farid", "Greta", "Hiro", "Ilse", "Jonas", "Katalin", "Leif",
    "Mirjam", "Nadia", "Oskar", "Paloma", "Quirin", "Rosa", "Søren", "Tomasz", "Ulla", "Viktor", "Wanda", "Ximena",
    "Yusuf", "Zofia",
)
LAST_NAMES = (
    "Aldermoor", "Brandywell", "Czerny", "Dunnock", "Elsgård", "Fenwright", "Gallowglass", "Hollin", "Ivarsen",
    "Jessamy", "Kestrel", "Lindqvør", "Merriwold", "Nightjar", "Oakhanger", "Pellerin", "Quillfeather", "Rookwood",
    "Sorrel", "Thistlewood", "Underhay", "Vašková", "Winterbourne", "Yarrow", "Zellweg", "Ashgrove",
)
READERS = (
    "Ada", "Ben", "Clara", "Dev", "Emil", "Fatima", "Gus", "Hanna", "Imre", "Jo", "Kemal", "Lou", "Maja", "Noor",
    "Otis", "Pia", "Rafe", "Saskia", "Theo", "Zoë",
)
PLACES = (
    "Vellmouth", "Harrowgate-on-Sea", "Ostermark", "Tarn", "Brackwater", "Lisle", "Corvane", "Mirehaven", "Szolna",
    "Port Amber", "Quayle", "Dunmarrow",
)
# fmt: on


@dataclass(frozen=True)
class Shelf:
    """How books of one genre are called and described. `{a}`, `{n}`, `{p}` stand for adjective, noun and place."""

    patterns: tuple[str, ...]
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    openings: tuple[str, ...]
    closings: tuple[str, ...]


@dataclass(frozen=True)
class ReviewDraft:
    reader: str
    stars: int
    text: str
    created: datetime


@dataclass(frozen=True)
class BookDraft:
    title: str
    isbn: str
    author: str
    genre: str
    price: Decimal
    published: date
    stock: int
    description: str
    reviews: tuple[ReviewDraft, ...]


def catalogue() -> list[BookDraft]:
    """All books, `BOOKS_PER_GENRE` of each genre, titles and ISBNs unique."""
    dice = random.Random(SEED)
    authors = [
        f"{first} {last}"
        for first, last in zip(FIRST_NAMES * 2, (*LAST_NAMES, *LAST_NAMES[7:], *LAST_NAMES[:7]), strict=True)
    ]
    books: list[BookDraft] = []
    titles: set[str] = set()
    for genre, shelf in SHELVES.items():
        # A few authors per genre, so that most have several books.
        regulars = dice.sample(authors, 9)
        while len(books) < BOOKS_PER_GENRE * (list(SHELVES).index(genre) + 1):
            words = choose_words(dice, shelf)
            title = capital(dice.choice(shelf.patterns).format(**words))
            if title in titles:
                continue
            titles.add(title)
            books.append(draft(dice, genre, title, words, dice.choice(regulars), len(books)))
    return books


def draft(dice: random.Random, genre: str, title: str, words: dict, author: str, number: int) -> BookDraft:
    shelf = SHELVES[genre]
    published = date(1988, 1, 1) + timedelta(days=dice.randrange(36 * 365))
    plain = {key: word if key == "p" else word.lower() for key, word in words.items()}
    opening = capital(dice.choice(shelf.openings).format(**plain))
    description = " ".join((opening, dice.choice(MIDDLES), dice.choice(shelf.closings)))
    return BookDraft(
        title=title,
        isbn=isbn13(f"9799{dice.randrange(10_000):04}{number:04}"),
        author=author,
        genre=genre,
        price=Decimal(dice.randrange(6, 38)) + dice.choice((Decimal("0.50"), Decimal("0.90"), Decimal("0.00"))),
        published=published,
        stock=dice.choice((0, 1, 2, 3, 4, 5, 6, 8, 9, 12, 15, 18, 24)),
        description=description,
        reviews=tuple(review(dice) for _ in range(dice.choice((0, 0, 1, 1, 2, 2, 3, 4)))),
    )


def review(dice: random.Random) -> ReviewDraft:
    stars = dice.choice((2, 3, 3, 4, 4, 4, 5, 5, 5))
    created = datetime(2023, 1, 9, 8, tzinfo=timezone.utc) + timedelta(minutes=dice.randrange(2 * 365 * 24 * 60))
    return ReviewDraft(dice.choice(READERS), stars, dice.choice(OPINIONS[stars]), created)


def choose_words(dice: random.Random, shelf: Shelf) -> dict[str, str]:
    """What a pattern's places are filled with this time."""
    return {"a": dice.choice(shelf.adjectives), "n": dice.choice(shelf.nouns), "p": dice.choice(PLACES)}


def capital(text: str) -> str:
    """`text` with a capital first letter; unlike str.capitalize, the rest stays as it is."""
    return text[0].upper() + text[1:]


def isbn13(twelve: str) -> str:
    """Twelve digits and their check digit: weights 1 and 3 in turn, the sum a multiple of ten (ISO 2108)."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return f"{twelve}{-total % 10}"


MIDDLES = (
    "Written over eleven winters and revised by lamplight, it rewards a slow reader.",
    "The author knows when to stop explaining, which is rarer than it sounds.",
    "Readers of the first edition asked for a map; this one has two.",
    "It is short, and not a page of it is in a hurry.",
    "With a new afterword, and the misprints of the earlier printing put right.",
    "The drawings between the chapters are the author's own.",
    "Set in a type cut for this edition, on paper that forgives a pencil.",
)

OPINIONS = {
    2: ("Lovely paper, but I lost the thread in the middle.", "Not for me. My sister adores it."),
    3: ("A slow start and a good last third.", "Solid. I would have cut one chapter.", "Better on the second reading."),
    4: (
        "Kept me up well past midnight.",
        "Warm, clever and a little sad. I lent it out at once.",
        "I bought it for the jacket and stayed for the sentences.",
        "Very good company on a long train.",
    ),
    5: (
        "I finished it and began again from page one.",
        "The best thing I have read this year.",
        "Everyone on my street is getting this for their birthday.",
        "Exactly the book that I did not know I was looking for.",
    ),
}

SHELVES = {
    "novel": Shelf(
        ("The {a} {n}", "Goodbye to the {n}", "The {n} at {p}", "The Last {n} of {p}", "What the {n} Knew"),
        ("Borrowed", "Salt-White", "Unfinished", "Patient", "Second", "Paper", "Crooked", "Quiet"),
        ("Lighthouse", "Orchard", "Clockmaker", "Ferry", "Winter", "Cartographer", "Piano", "Heron", "Beekeeper"),
        (
            "A stranger comes to {p} with one suitcase, and the town cannot agree on when.",
            "Three sisters inherit a house in {p} and the debts of everybody who ever slept there.",
            "The {a} year begins with a letter that was posted forty years too late.",
        ),
        ("A novel about staying.", "A story of debts, weather and kindness.", "For those who read the last page last."),
    ),
    "mystery": Shelf(
        ("Murder at the {a} {n}", "The {p} {n}", "Death of the {n}", "The {a} {n} Affair", "Who Rang the {n}?"),
        ("Brass", "Locked", "Midnight", "Emerald", "Silent", "Counterfeit", "Third"),
        ("Bell", "Librarian", "Tide Table", "Chess Club", "Organist", "Greenhouse", "Postman", "Inkwell"),
        (
            "The ferry from {p} arrives with one passenger too many, and one of them is not breathing.",
            "Inspector Hallam has retired twice. The {a} case makes it a third time.",
            "Nobody in {p} locks a door, until somebody does.",
        ),
        ("Fair to the reader throughout.", "The butler is innocent.", "An Inspector Hallam mystery."),
    ),
    "history": Shelf(
        ("A {a} History of {p}", "The {n} of {p}", "{n} and Empire", "A {a} Account of {n}", "How {n} Came to {p}"),
        ("Brief", "Crooked", "Maritime", "Domestic", "Forgotten", "Pocket"),
        ("Tariffs", "Bridges", "Bakers", "Printers", "Canals", "Lamplighters", "Guilds", "Almanacs"),
        (
            "For two centuries all that was printed passed through {p}, and most of it was wrong.",
            "What the tax rolls of {p} tell about love, fish and the price of candles.",
            "Kings come and go; {n} remain, and keep the receipts.",
        ),
        (
            "With forty plates and an index that can be read alone.",
            "History from the kitchen door.",
            "A small classic.",
        ),
    ),
    "science": Shelf(
        ("The {a} Life of {n}", "{n} for the Curious", "What {n} Know", "A Field Guide to {n}", "{a} {n}"),
        ("Secret", "Turbulent", "Ordinary", "Improbable", "Patient", "Restless"),
        ("Mosses", "Tides", "Errors", "Queues", "Clouds", "Magnets", "Owls", "Prime Numbers", "Soap Bubbles"),
        (
            "Begin with a cup of tea and a question, and by the second chapter you are measuring the moon.",
            "Everything you were told about {n} at school was kindly meant.",
            "The author spent nine years in a marsh near {p} and came back with one very good graph.",
        ),
        ("No formula without a story.", "With experiments for the kitchen table.", "For ages nine and up, far up."),
    ),
    "travel": Shelf(
        ("Slow {n} to {p}", "{p} on Foot", "The {a} Road to {p}", "{n} beyond {p}", "{a} {n} from {p}"),
        ("Long", "Muddy", "Northern", "Wrong", "Scenic", "Dry"),
        ("Trains", "Boats", "Ferries", "Mules", "Bicycles", "Night Buses", "Trams"),
        (
            "From {p} to the coast without a timetable, a telephone or dry socks.",
            "The shortest way is 90 kilometres. This book is about the other one.",
            "A year of trying to leave {p}, told in twelve timetables.",
        ),
        ("Bring a coat.", "Contains one very good recipe for soup.", "To be read in a window seat."),
    ),
    "poetry": Shelf(
        ("{n} and Other Poems", "{a} {n}", "Letters to {p}", "Songs for {a} {n}", "The {n} Sonnets"),
        ("Small", "Blue", "Evening", "Unsent", "Late", "Harbour"),
        ("Rain", "Snow", "Thresholds", "Gulls", "Inventory", "September", "Lullabies", "Kettle", "Ladders"),
        (
            "Sixty poems from a kitchen in {p}, most of them about the window.",
            "Poems that fit on a postcard and take a week to leave you.",
            "A first collection: rain, arithmetic, and an aunt called Ilse.",
        ),
        ("Read one a day.", "In the original and in translation.", "Best aloud."),
    ),
    "kitchen": Shelf(
        ("The {p} {n} Book", "{a} {n}", "{n} without Fear", "A Year of {n}", "The {a} {n} Kitchen"),
        ("Honest", "Slow", "Weeknight", "Smoky", "Frugal", "Sunday", "Seaside"),
        ("Bread", "Soup", "Pickle", "Dumpling", "Pie", "Bean", "Pancake", "Marmalade"),
        (
            "One pot, one knife, one window over the harbour of {p}, eighty recipes.",
            "Everything the author's grandmother knew and would not write down.",
            "What to do with the last cabbage of winter, and forty ways to do it.",
        ),
        ("Lies flat on the table.", "Most of it can be done by one tired person.", "Every recipe feeds four, or two."),
    ),
    "craft": Shelf(
        ("The Art of {n}", "{n} by Hand", "Notes on {n}", "{a} {n}", "The {a} Book of {n}"),
        ("Careful", "Modern", "Plain", "Complete", "Little", "Working"),
        ("Bookbinding", "Woodcuts", "Knots", "Letterpress", "Mending", "Clocks", "Kites", "Ropework", "Beehives"),
        (
            "Tools, mistakes and how to sharpen both, by a master from {p}.",
            "You will need a table, a good lamp and less patience than people say.",
            "Twelve projects, each a little harder than the one that you have just got right.",
        ),
        ("With templates in a pocket at the back.", "Every step photographed.", "Beginners first."),
    ),
}
