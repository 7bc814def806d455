"""The leak check's findings as a page."""

from patina.core import page
from patina.likeness.leaks import LeakReport


def leak_page(report: LeakReport) -> str:
    """`report` as a self-contained HTML page."""
    first, *more = report.sentences()
    sections = [page.note(first) if report.found else page.paragraph(first), *(page.paragraph(sentence) for sentence in more)]
    for name, shared in report.sorts():
        if shared.count:
            listed = "" if shared.count == len(shared.pairs) else f", the first {len(shared.pairs)} listed"
            sections.append(page.heading(f"{name[0].upper()}{name[1:]}: {shared.count}{listed}"))
            rows = [(pair.left, pair.right, pair.what) for pair in shared.pairs]
            sections.append(page.table((report.left, report.right, "what they share"), rows))
    sections.append(page.heading("How they were compared"))
    sections += [page.paragraph(sentence, quiet=True) for sentence in report.compared]
    return page.page("Do the two sets stand apart?", sections)
