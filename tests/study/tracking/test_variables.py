"""Variables and files of W&B's are honoured or set aside, and what is wrong with them is told before a study begins."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb

from study.plan import Trial
from study.reconcile import main as reconcile
from study.settings import Settings, settings_for
from study.tracking.variables import HONOURED, set_aside
from study.tracking.wandb_run import environment, mode, tracked
from wbc_model.errors import InputError

KEY = 40 * "0"
OF_ONE_RUN = ("SWEEP_ID", "RUN_ID", "RESUME", "NAME", "RUN_GROUP", "TAGS", "NOTES", "JOB_TYPE", "DIR", "SERVICE",
              "LAUNCH", "SWEEP_PARAM_PATH", "CONFIG_PATHS", "IGNORE_GLOBS", "DISABLE_GIT", "PROGRAM")  # fmt: skip


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A client of its own, which reads its variables once, without the user's files."""
    wandb.teardown()
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CONFIG_HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        del os.environ[name]
    wandb.teardown()


def test_what_is_meant_for_one_run_is_set_aside(monkeypatch: pytest.MonkeyPatch):
    for name in OF_ONE_RUN:
        monkeypatch.setenv(f"WANDB_{name}", "x")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1")
    set_aside()
    assert {name for name in os.environ if name.startswith("WANDB_")} == {"WANDB_BASE_URL", "WANDB_CONFIG_DIR"}


def test_workers_get_what_is_honoured_and_no_more(monkeypatch: pytest.MonkeyPatch, settings: Settings):
    for name in ("PROJECT", "ENTITY", "MODE", "SWEEP_ID", "HTTP_TIMEOUT"):
        monkeypatch.setenv(f"WANDB_{name}", "1")
    assert environment(settings).keys() == {"WANDB_HTTP_TIMEOUT", "WANDB_CONFIG_DIR"}
    assert environment(settings).keys() <= HONOURED


@pytest.mark.parametrize(("name", "value"), [
    ("API_KEY", "abc"), ("API_KEY", f"{KEY}\n"), ("API_KEY", f'"{KEY}'), ("API_KEY", f" {KEY}"),
    ("HTTP_TIMEOUT", "soon"), ("BASE_URL", "nowhere"),
])  # fmt: skip
def test_what_the_client_refuses_is_told_without_the_key(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"WANDB_{name}", value)
    with pytest.raises(InputError, match="W&B's settings .* are not valid") as raised:
        mode(offline=False)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("project", ["my/project", "a:b", "a\\b", "a#b", "what?", "50%", "", "x" * 129, "a\tb"])
@pytest.mark.parametrize("field", ["project", "entity"])
def test_names_that_wandb_refuses_are_told_at_once(field: str, project: str):
    names = {"project": "p", "entity": None} | {field: project}
    with pytest.raises(InputError, match=f"{field}=.*: W&B accepts 1 to 128 printable characters, but none of"):
        settings_for(rehearse=False, storage=None, data=None, weights=None, cache=Path("cache"), **names)


def test_a_project_in_the_environment_is_told_by_reconcile(monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path):
    monkeypatch.setenv("WANDB_PROJECT", "my/project")
    assert reconcile(["--storage", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: project=my/project: W&B accepts")


@pytest.mark.parametrize("kept", ["offline", "disabled"])
def test_a_mode_that_wandb_keeps_in_its_file_is_honoured(kept: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "settings").write_text(f"[default]\nmode = {kept}\n")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert mode(offline=False) == kept
    monkeypatch.setenv("WANDB_MODE", "online")
    assert mode(offline=False) == "online"


def test_a_client_that_is_disabled_as_older_ones_were_stays_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_DISABLED", "true")
    assert mode(offline=False) == "disabled"


def test_long_names_of_ours_are_cut_to_what_the_server_takes(trials: list[Trial], settings: Settings, monkeypatch):
    """Every limit of the client applies to an offline run as well."""
    trial = Trial(trials[0].config, 0, tuple(f"{'x' * 70}{n}" for n in range(2)), {})
    monkeypatch.setattr(Trial, "name", "y" * 300)
    with tracked(trial, settings) as run:
        assert (len(run.name), run.name[-7:]) == (128 - 20 + len(" seed=0"), " seed=0")
        assert max(map(len, run.tags)) == 64
