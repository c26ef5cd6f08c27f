"""What a number of the page answers when it is opened, and the keys between the numbers of a table."""

import re
from collections.abc import Iterator

import pytest

from analysis.load import Study
from analysis.output.frames import cell_lines
from analysis.output.markup import to_html
from analysis.output.setup_tables import setting
from analysis.report.answers import answers
from analysis.report.page import render
from analysis.runs.reading import Reading, Run
from analysis.stats.evidence import ComparedTable, gather
from analysis.stats.predictions import PredictionLookup
from analysis.tables.fill import fill
from search_spaces.paper import TABLES
from tests.analysis.report.browser import fits, violations
from tests.analysis.simulated import Simulation

MIXUP, ATTENTION, BY_TYPE, *_, TRANSFER_BY_TYPE = TABLES[:6]
SHOWN = (MIXUP, ATTENTION, BY_TYPE, TRANSFER_BY_TYPE)


@pytest.fixture(scope="module")
def study() -> tuple[list[ComparedTable], Reading]:
    """Tables 4-6 and 9 with three seeds, but Table 4's third row with one; its first row is worse than the others."""
    simulation = Simulation((40, 100, 60, 400, 300), seed=1)
    configs = list(dict.fromkeys(config for table in SHOWN for config in table.rows.values()))
    records = [
        simulation.trial(config, seed, worse=0.15 * (config == configs[0]))
        for config in configs
        for seed in range(1 if config == configs[2] else 3)
    ]
    filled = [fill(table, records, seeds=(0, 1, 2)) for table in SHOWN]
    lookup = PredictionLookup(lambda trial, _: simulation.predictions.get(trial), {})
    reading = Reading({r.trial.id: Run(r, {}.get, "here") for r in records}, {}, [], [])
    return [gather(one, lookup) for one in filled], reading


def test_an_answer_says_what_cells_csv_has(study):
    compared = study[0][0]
    lines = cell_lines(compared)
    told = answers(compared.filled, lines)
    line, answer = lines[0], told[0][0]
    assert answer["Verdict"] == "Worse than the best"
    assert answer["OA"] == f"{line['mean']:.2f} ± {line['sd']:.2f} % (sample SD)"
    assert answer["95 % interval over images and seeds"] == f"{line['low']:.2f} to {line['high']:.2f} %"
    assert answer["over seeds alone"].startswith(f"{line['over seeds low']:.2f} to")
    assert answer["over images alone"].startswith(f"{line['over images low']:.2f} to")
    difference = f"−{-line['difference']:.2f} points (95 % interval −{-line['difference low']:.2f} to "
    assert answer["Difference from it"].startswith(difference)
    corrected = f"−{-line['corrected low']:.2f} to −{-line['corrected high']:.2f}, by the corrected p: it excludes 0"
    assert answer["95 % interval, corrected"].startswith(corrected)
    assert answer["Best of the column"] == f"{line['best row']}, 3 seeds"
    assert answer["p, corrected"].startswith("below 0.0001, for all pairs")
    assert answer["Based on"] == "900 test images, 3 seeds"
    line, answer = lines[8], told[2][0]
    assert answer["p"] == f"{line['p']:.2g}"
    assert answer["p, corrected"].startswith(f"{line['p corrected']:.2g}, for all pairs")
    assert answer["Test"].startswith("images + seeds, 10 df: paired by image")


def test_an_answer_without_a_comparison_says_why(study, make_record):
    compared = study[0][0]
    told = [answer for row in answers(compared.filled, cell_lines(compared)) for answer in row]
    best = next(answer for answer in told if answer["Verdict"].startswith("Best"))
    assert not {"p", "Difference from it"} & set(best)
    single = answers(compared.filled, cell_lines(compared))[2][0]
    assert single["Based on"] == "900 test images, one seed"
    assert "p of the networks" in single
    assert "by the corrected p of the networks" in single["95 % interval, corrected"]
    assert "over seeds alone" not in single
    wrong = [[9, 1, 0, 0, 0], *([10 * (i == j) for j in range(5)] for i in range(1, 5))]
    best, worse, *_ = MIXUP.rows.values()
    records = [make_record(best), make_record(worse, counts=wrong)]
    unkept = gather(fill(MIXUP, records), PredictionLookup(lambda *_: None, {}))
    told = answers(unkept.filled, cell_lines(unkept))
    assert told[1][0]["Verdict"] == "Not tested: no predictions of seed 0"
    assert told[2][0] == {}


def test_an_answer_says_where_the_sd_over_seeds_is_assumed(study):
    simulation = Simulation((40, 100, 60, 400, 300), seed=1)
    single = gather(fill(MIXUP, simulation.table(MIXUP)), PredictionLookup(lambda t, _: simulation.predictions[t], {}))
    lines = cell_lines(single)
    told = [answer for row in answers(single.filled, lines) for answer in row]
    assumed = ", with the assumed seed SD"
    for line, answer in zip(lines, told, strict=True):
        both = f"{line['low']:.2f} to {line['high']:.2f} %{assumed}"
        assert answer["95 % interval over images and seeds"] == both
        assert answer["Seed SD"].startswith("assumed: no row")
        if not line["best"]:
            assert answer["p"] == f"{line['p']:.2g}{assumed}"
            assert f"{assumed}, for all pairs" in answer["p, corrected"]
            assert answer["Difference from it"].endswith(f"{assumed})")
            assert "assumed" not in answer["p of the networks"]
            assert answer["Test"] == "images + seeds: paired by image; the sum of two normal variables"
    estimated = [answer for row in answers(study[0][0].filled, cell_lines(study[0][0])) for answer in row]
    assert not any("assumed" in text for answer in estimated for text in answer.values())


@pytest.fixture(scope="module")
def tab(chromium, study, tmp_path_factory) -> Iterator:
    """The page in a browser, one for all tests."""
    compared, reading = study
    file = tmp_path_factory.mktemp("page") / "report.html"
    filled = [one.filled for one in compared]
    beside = {table.number: to_html(table) for table in setting(Study(filled, compared, reading, {}, {}, None))}
    html = render(filled, reading, cells=[cell_lines(one) for one in compared], left_out={}, beside=beside)
    file.write_text(html, encoding="utf-8")
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(file.as_uri())
    yield page
    page.close()


@pytest.mark.slow
def test_a_click_answers_the_number_before_its_runs(tab, study):
    line = cell_lines(study[0][0])[0]
    tab.locator("#table-4 button.open").first.click()
    dialog = tab.get_by_role("dialog", name="Table 4, α 0: OA")
    told = dialog.locator(".panes > section").first.inner_text()
    assert told.startswith("Worse than the best\nOA\n")
    assert f"−{-line['difference']:.2f} points (95 % interval" in told
    assert f"over images and seeds\n{line['low']:.2f} to {line['high']:.2f} %\n" in told
    assert "Runs" in dialog.locator(".panes > section").nth(1).inner_text()
    tab.keyboard.press("Escape")


@pytest.mark.slow
def test_the_arrow_keys_go_from_cell_to_cell_and_the_tab_key_to_the_next_table(tab):
    def at() -> str:
        return tab.evaluate("(b => `${tableOf(b)} ${b.closest('tr').dataset.name ?? ''} ${headingOf(b)}`)"
                            "(document.activeElement)")  # fmt: skip

    tab.locator("#table-4 button.open").first.focus()
    for key, where in (("Right", "α 0 AP"), ("Down", "α 0.2 AP"), ("Left", "α 0.2 OA"), ("Left", "α 0.2 OA")):
        tab.keyboard.press(f"Arrow{key}")
        assert at() == f"4 Table 4, {where}"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.hash") == "#notes"
    tab.keyboard.press("Tab")
    assert at() == "5 Table 5, No OA"
    tab.keyboard.press("ArrowUp")
    assert at() == "5  OA"
    tab.keyboard.press("Shift+Tab")
    tab.keyboard.press("Shift+Tab")
    assert at() == "4 Table 4, α 0.2 OA"
    assert tab.locator("#table-4 [tabindex='0']").count() == 1


@pytest.mark.slow
def test_the_arrow_keys_never_go_out_of_sight(tab):
    inside = """() => {
        const button = document.activeElement.getBoundingClientRect();
        const region = document.activeElement.closest(".scroll").getBoundingClientRect();
        const fixed = [...document.activeElement.closest("tr").querySelectorAll(".fixed")].at(-1);
        const start = fixed?.getBoundingClientRect().right ?? region.left;
        return button.left >= start - 1 && button.right <= region.right + 1;
    }"""
    tab.set_viewport_size({"width": 390, "height": 900})
    for number in ("4", "5", "6", "9"):
        tab.locator(f"#table-{number} tbody button.open").first.focus()
        across = tab.locator(f"#table-{number} tbody tr").first.locator("button.open").count() - 1
        there_and_back = [*across * ["ArrowRight"], *across * ["ArrowLeft"]]
        for key in (*there_and_back, "ArrowUp", *there_and_back):
            tab.keyboard.press(key)
            assert tab.evaluate(inside), (number, key, tab.evaluate("document.activeElement.innerText"))
    tab.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.slow
def test_seeds_are_counted(tab):
    assert tab.locator("#table-4 td.seeds").all_inner_texts() == ["3", "3", "1", "3", "3", "3"]


@pytest.mark.slow
def test_a_table_wider_than_the_page_keeps_its_labels_and_counts_the_columns_out_of_sight(tab):
    tab.set_viewport_size({"width": 390, "height": 900})
    cue, region = tab.locator("#table-5 .cue").first, tab.locator("#table-5 .scroll").first
    label = tab.locator("#table-5 tbody tr", has_text="CSAM").locator("th").nth(1)
    region.evaluate("region => region.scrollLeft = 0")
    tab.wait_for_function("document.querySelector('#table-5 .cue').textContent === '4 more columns →'")
    before = label.bounding_box()["x"]
    tab.locator("#table-5 button.open").first.focus()
    for _ in range(4):
        tab.keyboard.press("ArrowRight")
    tab.wait_for_function("document.querySelector('#table-5 .cue').textContent === '← scrolled to the end'")
    assert label.bounding_box()["x"] == before
    tab.set_viewport_size({"width": 1280, "height": 900})
    cue.wait_for(state="hidden")
    shown = "[...document.querySelectorAll('main .scroll')].every(one => one.scrollWidth === one.clientWidth)"
    assert tab.evaluate(shown)
    tab.wait_for_function("!document.querySelector('main .cue:not([hidden]), main .fixed')", timeout=5000)


@pytest.mark.slow
def test_a_plot_shows_the_differences_from_the_best(tab, study):
    line = cell_lines(study[0][0])[0]
    row = tab.get_by_role("region", name="Differences in Table 4").locator("tbody tr").first
    label = row.get_by_role("img").first.get_attribute("aria-label")
    assert label.startswith(f"−{-line['difference']:.2f} (corrected interval −")
    assert tab.get_by_role("region", name=re.compile("^Differences in Table")).count() == 4
    assert tab.inner_text("main").count("Square: the best") == tab.inner_text("#notes").count("Square: the best") == 1
    line, dot = (row.locator(f"svg {part}").first.bounding_box() for part in ("line:not(.zero)", "circle"))
    assert line["x"] < dot["x"] < line["x"] + line["width"]


@pytest.mark.slow
def test_neither_a_plot_nor_an_answer_bars_anyone(tab):
    number = tab.locator("#table-4 button.open").first
    for width in (1920, 1280, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        assert fits(tab), width
        number.click()
        assert fits(tab), width
        tab.keyboard.press("Escape")
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        assert violations(tab) == [], scheme
        number.click()
        assert violations(tab) == [], scheme
        tab.keyboard.press("Escape")
    tab.set_viewport_size({"width": 1280, "height": 900})
