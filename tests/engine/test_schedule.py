import pytest

from lasernet.engine.schedule import lr_factor
from lasernet.engine.settings import Training
from lasernet.errors import OptionError


def factors(steps: int = 40, per_epoch: int = 4, **options: object) -> list[float]:
    settings = Training(**options)
    return [
        lr_factor(settings, step=step, steps=steps, steps_per_epoch=per_epoch, halvings=step // 16)
        for step in range(steps)
    ]


def test_cosine_falls_from_1_to_0_and_is_halfway_down_in_the_middle() -> None:
    found = factors(schedule="cosine")
    assert found[0] == 1
    assert found[20] == pytest.approx(0.5)
    assert 0 < found[-1] < 0.01
    assert found == sorted(found, reverse=True)


def test_warm_restarts_start_again_after_cycles_that_double() -> None:
    found = factors(steps=56, schedule="warm-restarts", restart_epochs=2)
    assert [step for step, factor in enumerate(found) if factor == 1] == [0, 8, 24]


def test_exponential_falls_by_its_factor_each_epoch() -> None:
    found = factors(schedule="exponential", decay=0.5)
    assert found[3] == 1
    assert found[4] == 0.5
    assert found[39] == 0.5**9


def test_plateau_halves() -> None:
    assert sorted(set(factors(schedule="plateau"))) == [0.25, 0.5, 1]


def test_none_stays() -> None:
    assert set(factors(schedule="none")) == {1}


def test_warm_up_rises_linearly_and_the_schedule_takes_over() -> None:
    found = factors(schedule="cosine", warmup_steps=10)
    assert found[:3] == [0.1, 0.2, pytest.approx(0.3)]
    assert found[10] == 1
    assert found[-1] < 0.01


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 0},
        {"epochs": -1},
        {"lr": 0.0},
        {"lr": float("inf")},
        {"lr": float("nan")},
        {"ema": 1.0},
        {"clip": -1.0},
        {"decay": 0.0},
        {"seed": -1},
        {"num_processes": 0},
        {"checkpoint_every": -1},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused_by_name(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=f"--{next(iter(options)).replace('_', '-')}"):
        Training(**options)
