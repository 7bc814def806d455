import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from PIL import Image

from patina.compare.stage import run
from patina.core.session import Session

from .conftest import ORIGIN, counts_of

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = {"meta", "img", "br", "line", "rect", "circle"}


class Page(HTMLParser):
    """Tags with their attributes, and whether every element is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.well_formed = [], [], True
        self.feed(text)
        self.well_formed = self.well_formed and not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.well_formed = self.well_formed and bool(self.open) and self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture
def report(bench, tmp_path):
    """Compares models of the given qualities and returns the report's path."""

    def go(pictures=12, qualities=(0.8, 0.6, 0.4), origin=ORIGIN, settings='{"replicates": 200}', **options):
        names = ("unet-mit_b0", "unet-convnext_atto", "unet-maxvit_pico")
        for name, quality in zip(names, qualities, strict=False):
            bench.add(name, counts_of(pictures, quality), examples=["p00"], **options)
        bench.split(pictures, origin=origin)
        places = (tmp_path / "comparison", tmp_path / "champion", tmp_path / "report.html")
        run(
            bench.evaluations,
            bench.models,
            bench.splits,
            bench.tiles,
            bench.test_images,
            *places,
            0,
            settings,
            Session(tmp_path, "compare", None),
        )
        return tmp_path / "report.html"

    return go


@pytest.mark.parametrize(("pictures", "qualities"), [(12, (0.8, 0.6, 0.4)), (12, (0.7,)), (2, (0.8, 0.5)), (1, (0.01,))])
def test_the_report_is_well_formed_and_needs_nothing_from_elsewhere(report, pictures, qualities):
    text = report(pictures, qualities).read_text()
    page = Page(text)
    assert page.well_formed
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "form"}
    addresses = [value for _, attributes in page.tags for name, value in attributes.items() if name in {"src", "href", "srcset"}]
    assert addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert "url(" not in text
    assert "None" not in text
    assert "nan" not in re.sub(r"base64,[^\"]+", "", text).lower().split()


def test_every_picture_and_drawing_says_what_it_shows(report):
    page = Page(report().read_text())
    alternatives = [attributes.get("alt") for tag, attributes in page.tags if tag == "img"]
    assert len(alternatives) == 5
    assert all(alternatives)
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag == "svg")


def test_text_from_the_data_is_escaped(report):
    evil = '<img src=x onerror="alert(1)">'
    text = report(origin={**ORIGIN, "source": evil, "licence": evil, "citation": evil}, materials=[evil] * 12).read_text()
    assert evil not in text
    assert text.count("&lt;img src=x") == 5  # source, licence, citation, the material's line and the example's title


def test_colour_is_never_the_only_cue(report):
    text = report().read_text()
    for name in ("Material loss", "Peel", "Cracks"):
        assert re.search(rf'<i style="background:#[0-9a-f]{{6}}"></i>{name}', text)
    assert re.search(r'<td class="score" style="[^"]+"><b>\d', text)


def test_the_interval_bars_lie_inside_their_scale(report):
    for tag, attributes in Page(report().read_text()).tags:
        if tag == "rect":
            assert float(attributes["x"]) >= 0
            assert float(attributes["x"]) + float(attributes["width"]) <= 300
        if tag == "circle":
            assert 0 <= float(attributes["cx"]) <= 300


@pytest.mark.parametrize(("limit", "shown"), [(3_500_000, 5), (100_000, 0)])
def test_examples_that_would_make_the_page_too_large_are_left_out(report, limit, shown):
    page = Page(report(settings=f'{{"report_bytes": {limit}}}', view=Image.effect_noise((400, 400), 90)).read_text())
    assert page.well_formed
    assert sum(tag == "img" for tag, _ in page.tags) == shown


def test_the_short_report_has_the_ranking_and_the_limits(report):
    text = (report().parent / "comparison" / "report.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.count("|") for line in table[:4]}) == 1
    assert "unet-mit_b0 maps the damage best of 3 models" in text
    assert "## Limits" in text
    assert "Not in the test pictures" in text


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium")
@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_shows_the_report_without_scrolling_sideways(report, tmp_path, width):
    page = report()
    picture = tmp_path / "page.png"
    arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    # The probe below is the test's, the report itself has no script.
    probe = tmp_path / "probe.html"
    script = "<script>document.title='overflow '+(document.documentElement.scrollWidth-document.documentElement.clientWidth)</script>"
    probe.write_text(page.read_text().replace("</body>", f"{script}</body>"))
    shown = subprocess.run(
        [CHROMIUM, *arguments, f"--window-size={width},900", "--dump-dom", probe.as_uri()], check=True, capture_output=True, timeout=120
    )
    assert b"<title>overflow 0</title>" in shown.stdout
    command = [CHROMIUM, *arguments, f"--window-size={width},900", f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    colors = Image.open(picture).convert("RGB").getcolors(1 << 24)
    assert len(colors) > 100
    assert max(count for count, _ in colors) < 0.97 * width * 900
