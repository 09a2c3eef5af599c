"""One word for one thing: words that only this project used in their sense occur in no page, docstring or message."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: What not to write, as a regular expression of whole words, and what to write instead.
WORDS = {
    "told|said|heard": "predicted, passed, stated; teacher_pred, student_pred",
    "committees?|seats?|stand-ins?": "out-of-fold label ensemble",
    "judge[sd]?|judging|judges": "evaluate; task, scorer",
    "trust(s|ed)?|believe[sd]?": "the weight of the teacher; memorisation check",
    "learn(t|ed) by heart": "memorised",
    "ahead": "accuracy gap; above, better",
    "lessons?|teach(es|ing)?|taught": "training set; fit",
    "hearings?|voices?": "candidates; reference ensemble",
    "(un)?steady": "selection rule; nets that disagree",
    "ladders?": "candidates",
    "several as one|several nets as one": "ensemble of nets",
    "(in|of) (the|its|another) form of a student": "variant",
    "(teacher|student|net|model|regressor|task|loss)(s|es)? of numbers|(?-i:Of numbers,)": "regression, regressor",
    "(teacher|student|net|model|task)s? of classes|(?-i:Of classes,)": "classification, classifier",
    "gaps": "missing values",
    "refus(e|es|ed|ing|al)": "raises, rejects",
    "teachers? share|teacher's share|shares of (the )?teachers?": "weight of the teacher",
    "origins": "cache keys",
    "jump(s|ed|ing)?": "change point, changes abruptly",
    "faces?": "mixin",
    "warmth|warmths": "temperature",
    "whoever|one's own": "a plain subject; your own",
    "there (are|is) but": "there are only",
    "do(es)? not wait for each other": "independent",
    "(the|those|rows) ones? held out are missed": "holding rows out costs accuracy",
    "never tells what (it|they) (is|are)": "never infer",
    "whole or it is not there": "atomic",
}
# not listed, since they are ordinary English as well: numbers, several, form, share, space, growth, drawn, prepare,
# shares; logit_scale is a key of distillation_report_, which users read

#: Where a word of the list is meant in its ordinary sense.
ALLOWED = [
    r"trusted sources",  # of pickles
    r"(ask|asks) which types to trust|trusted(=| =|\))",  # skops
    r"ahead of time|read ahead",
    r"steady rate|rate (is )?steady",  # of learning
    r"[Rr]eports you can trust",  # of a user
    r"days ahead",  # a column of an example
    r"teaching (example|purposes)",
]

PAGES = [
    path
    for path in [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    if not {"_build", "auto_examples", "generated"} & set(path.parts)
]
MODULES = [path for folder in ("skdistill", "examples") for path in sorted((ROOT / folder).rglob("*.py"))]


def prose(path):
    """Yield text and the number of its first line: of a page all but code in it, of a module comments and strings."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        if path.name == "CHANGELOG.md":
            # what has been released stays as it was
            text = text.partition("\n## [Unreleased]")[2].partition("\n## [")[0]
        yield re.sub(r"`[^`\n]*`|\]\([^)]*\)", " ", text), 1
        return
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in kinds:
            yield re.sub(r"``[^`\n]*``|`\w+`", " ", token.string), token.start[0]


def found(path):
    """Return a line for each hit in a file."""
    hits = []
    for text, first in prose(path):
        for allowed in ALLOWED:
            text = re.sub(allowed, " ", text)
        for words, instead in WORDS.items():
            pattern = words.replace(" ", r"\s+")
            for hit in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, re.IGNORECASE):
                number = first + text.count("\n", 0, hit.start())
                hits.append(f"{path.relative_to(ROOT)}:{number}: {hit[0]!r}, rather: {instead}")
    return hits


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_have_the_words_of_the_field(path):
    assert not found(path)


def test_docstrings_comments_and_messages_have_the_words_of_the_field():
    assert MODULES
    assert not [hit for path in MODULES for hit in found(path)]


def test_a_word_of_the_list_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(found.__globals__, "ROOT", tmp_path)
    page, module = tmp_path / "page.md", tmp_path / "module.py"
    page.write_text("A fit with `said` is what the teacher\nsaid. Teachers are not teach.\n")
    module.write_text('told = f"{1} is refused"  # the gaps\n')
    assert len(found(page)) == 2
    assert len(found(module)) == 2
