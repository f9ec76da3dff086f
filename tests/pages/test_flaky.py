"""What `flaky_tests` says, for stories whose answer the eye sees."""

from __future__ import annotations

from kotaci.analysis.flakes import Flakiness
from kotaci.facts import History
from kotaci.model import Window
from kotaci.pages import flaky as shown
from kotaci.report.blocks import Block
from tests.analysis.flaky import Story
from tests.analysis.frames import REPO


def opened(story: Story) -> tuple[History, Flakiness]:
    flakiness = story.assessed()
    tables = story.tables()
    return History(REPO, Window(), flakiness.as_of, tables, tables["runs"], "main", True), flakiness


def answered(story: Story) -> str:
    return shown.flaky_answer(*opened(story)).markdown


def test_the_answer_names_number_price_and_first() -> None:
    assert answered(Story().history("PPAPPPPAPPPP")) == (
        "**1 test is proved flaky**. It made 2 of 2 red runs red: 10 m of machine time ran again, and it took "
        "30 m until green. Start with [`wobbles`](#cell-id=ranking): it failed 2 of the 12 times that it ran, "
        "17 % \\[4.7, 45\\]."
    )


def test_the_answer_where_only_retries_tell() -> None:
    told = answered(Story().history("PPRPPPPRPPPP"))
    assert told.startswith("**1 test is proved flaky**. It made no run red: the runner's retry hides it. Start with")


def test_the_answer_where_nothing_is_flaky() -> None:
    assert answered(Story()).startswith("**No runs in this window.**")
    assert answered(Story().history("PPPFFF")) == (
        "**No test is proved flaky.** None failed and passed on one commit in 6 runs."
    )
    no_names = Story().tell(1).tell(2)
    assert answered(no_names) == "**Cannot be told: no log in this window names a test.**"
    fixed = answered(Story().history("PPPPAPPPPA" * 2 + "P" * 40))
    assert fixed == "**No test is proved flaky.** None failed and passed on one commit since; 1 fixed."


def all_blocks(history: History, flakiness: Flakiness) -> list[Block]:
    return [
        shown.flaky_answer(history, flakiness),
        shown.flaky_tiles(flakiness),
        shown.ranking_table(flakiness),
        shown.grid_figure(flakiness),
        shown.cost_table(flakiness),
        shown.rerun_commands(flakiness, repo=REPO),
        shown.cluster_list(flakiness),
        shown.job_table(flakiness),
        shown.suspected_table(flakiness),
        shown.quarantine_lists(flakiness),
        shown.flaky_actions(flakiness),
    ]


def test_every_block_has_words_for_nothing() -> None:
    for story in (Story(), Story().history("PPPP")):
        assert all(block.markdown for block in all_blocks(*opened(story)))


def test_the_table_tells_rate_passes_and_proof() -> None:
    _, flakiness = opened(Story().history("PPAPPPPRPPPP"))
    row = shown.ranking_table(flakiness).markdown.splitlines()[2]
    assert "`wobbles` · widgets · test" in row
    assert "flaky · 4 of 26 passes needed" in row
    assert "17 % \\[4.7, 45\\] · 2 of 12" in row
    assert "2 commits, 1 branch · 1 run again, 1 retried" in row


def test_few_runs_get_no_rate() -> None:
    _, flakiness = opened(Story().history("PAP"))
    assert "too few runs (n = 3) · 1 of 3" in shown.ranking_table(flakiness).markdown


def test_the_grid_leads_to_the_failure() -> None:
    _, flakiness = opened(Story().history("PPAPPPPRPPFP"))
    block = shown.grid_figure(flakiness)
    assert "`▫▫◪▫▫▫▫◩▫▫■▫`" in block.markdown
    assert 'href="https://github.com/octo/widgets/actions/runs/3/job/1002"' in block.html


def test_peoples_hours_have_a_price_only_where_one_is_told() -> None:
    _, flakiness = opened(Story().history("PPAPPPPAPPPP"))
    assert "USD" not in shown.cost_table(flakiness).markdown
    # Two investigations of 9.5 minutes at 60 dollars an hour.
    assert "| 19 m | 19 | 2 of 2" in shown.cost_table(flakiness, person_hour=60).markdown


def test_commands_and_lists_are_to_be_copied() -> None:
    _, flakiness = opened(Story().history("PPAPPFP").tell(8, {"wobbles": "F"}, branch="feature/x"))
    assert f"# wobbles: 1 of 1 went green before\ngh run rerun 8 --failed --repo {REPO}" in (
        shown.rerun_commands(flakiness, repo=REPO).markdown
    )
    lists = shown.quarantine_lists(flakiness).markdown
    assert "until 16 Mar 2026" in lists
    assert "cargo nextest run -E 'not (binary(/^widgets$/) & test(=wobbles))'" in lists


def test_hostile_names_stay_text(hostile: list[str]) -> None:
    for name in hostile:
        story = Story().history("PPAPP", test=name.replace("\n", " ") or "x", branch=name)
        for block in all_blocks(*opened(story)):
            assert "<script" not in block.html
            assert "<img" not in block.html


def test_what_fails_together_is_told() -> None:
    story = Story()
    for run_id in range(1, 21):
        story.tell(run_id, dict.fromkeys(("one", "two"), "R" if run_id in {4, 12} else "P"))
    _, flakiness = opened(story)
    assert "| `one`, `two` | 2 of 2 | 0 |" in shown.cluster_list(flakiness).markdown


def of_an_archive(letters: str) -> tuple[History, Flakiness]:
    """Return a history that comes from an archive which keeps one attempt of each run."""
    story = Story().history(letters)
    story.runs = [{**row, "source": "tinuous"} for row in story.runs]
    return opened(story)


def test_an_archive_without_re_runs_proves_nothing_either_way() -> None:
    history, flakiness = of_an_archive("PPPFPP")
    assert shown.flaky_answer(history, flakiness).markdown == (
        "**Cannot be told from this archive: it keeps one attempt of each run.**"
    )
    figures = [line.split(" ")[1] for line in shown.flaky_tiles(flakiness).markdown.splitlines()]
    assert figures == ["**–**"] * 5
    assert "one attempt of each run" in shown.ranking_table(flakiness).markdown
    assert "one attempt of each run" in shown.job_table(flakiness).markdown


def test_an_archive_without_re_runs_still_tells_what_a_retry_proved() -> None:
    history, flakiness = of_an_archive("PPRPPPPRPPPP")
    assert shown.flaky_answer(history, flakiness).markdown.startswith("**1 test is proved flaky**")
    told = shown.flaky_tiles(flakiness).markdown
    assert "**1** flaky test – 1 hidden by retries" in told
    assert "**–** of machines, run again – no re-runs here" in told


def test_costs_are_those_of_the_whole_window() -> None:
    _, flakiness = opened(Story().history("PPAPPPPAPPPP" * 20))
    assert "| 40 | 3 h 20 |" in shown.cost_table(flakiness).markdown


def test_what_is_maybe_fixed_is_counted_apart_and_not_put_into_quarantine() -> None:
    story = Story()
    before = "PPPPAPPPPA" * 2
    letters = zip(before + "P" * 12 + "APP", before + "P" * 15, strict=True)
    for run_id, (flaky, maybe) in enumerate(letters, 1):
        bad = {"flaky": flaky, "maybe": maybe}
        story.tell(run_id, {test: letter.replace("A", "F") for test, letter in bad.items()})
        if "A" in bad.values():
            story.tell(run_id, dict.fromkeys(bad, "P"), attempt=2)
    history, flakiness = opened(story)
    assert "**1 test is proved flaky** (1 more maybe fixed)" in shown.flaky_answer(history, flakiness).markdown
    assert "- **1** flaky test – 1 more maybe fixed" in shown.flaky_tiles(flakiness).markdown
    lists = shown.quarantine_lists(flakiness).markdown
    assert "test(=maybe)" not in lists
    assert "Left out, since maybe fixed: `maybe`." in lists
