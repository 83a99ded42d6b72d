"""laws_for tells an object's kind, names the laws, and refuses what has none."""

import pickle
import subprocess
import sys

import jaxtyping
import pytest
import torch
from mutants import law_of

from inftydiff import (
    DDIM,
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    LinearOperator,
    NoisePrediction,
    Prediction,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.processes import CallableDenoiser
from inftydiff.processes.solvers import UniPC
from inftydiff.testing import GaussianDenoiser, LawViolation, laws_for

T = gaussian_mollifier(0.2)
WHITE = DiffusionProcess.white(CosineSchedule())
FIELD = WhiteNoise().draw(
    Box((2.0, 1.0)), batch=1, channels=1, generator=torch.Generator().manual_seed(0)
)
MEAN = Function(Grid((3, 2)), torch.zeros(1, 6, 1))


def names(subject: object, **options) -> set[str]:
    return {law.__name__ for law in laws_for(subject, **options)}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (Identity(), {"additivity", "adjoint", "random_fields"}),
        (WhiteNoise(), {"cell_variance", "low_modes_agree", "batch_prefix"}),
        (CosineSchedule(), {"signal_to_noise_falls", "shape_and_dtype"}),
        (DiffusionProcess.white(CosineSchedule()), {"chapman_kolmogorov"}),
        (NoisePrediction(), {"target_reads_back"}),
        (DDIM(), {"calls_as_it_says", "ends_at_the_signal"}),
        (UniPC(), {"calls_as_it_says", "ends_at_the_signal"}),
        (lambda x, t: x, {"answers_where_asked", "discretisation_convergence"}),
        (
            CallableDenoiser(WHITE, lambda x, t: Prediction(x, x)),
            {"answers_with_a_prediction", "explains_the_state"},
        ),
        (T(FIELD), {"covariance_restricts", "one_draw_is_one_function"}),
        (GaussianMeasure(None, T, WhiteNoise()), {"covariance_refines", "mean_is_one_function"}),
        (
            GaussianMeasure(None, T, WhiteNoise()).condition(MEAN, noise_std=0.1),
            {"covariance_refines", "mean_is_one_function"},
        ),
    ],
)
def test_the_kind_of_an_object_decides_its_laws(subject, expected: set[str]):
    assert expected <= names(subject)


def test_only_what_has_point_values_is_read_off_its_grid():
    off_the_grid = {"covariance_refines", "one_draw_is_one_function"}
    for subject in (
        FIELD,
        GaussianMeasure(None, Identity(), WhiteNoise()),
        GaussianMeasure(MEAN, T, WhiteNoise()),
    ):
        assert not off_the_grid & names(subject)


def names_of_a_denoiser(subject: object, **options) -> bool:
    return "explains_the_state" in names(subject, **options)


def test_a_callable_is_a_denoiser_if_it_has_a_process():
    process = DiffusionProcess.mollified(CosineSchedule(), T)
    exact = GaussianDenoiser(process, GaussianMeasure(None, T, WhiteNoise()))

    def broken(x, t):
        raise RuntimeError("not yet")

    assert names_of_a_denoiser(exact)
    assert names_of_a_denoiser(CallableDenoiser(process, broken))
    assert not names_of_a_denoiser(broken)
    assert not names_of_a_denoiser(lambda x, t: x)


def test_the_process_decides_by_which_amplitudes_a_state_is_explained():
    process = DiffusionProcess.mollified(CosineSchedule(), T)
    of_another = CallableDenoiser(process, lambda x_t, t: Prediction(x_t * 0.5, x_t * 0.5))
    with pytest.raises(LawViolation, match="α · signal"):
        law_of("explains_the_state", of_another)()


def test_what_answers_as_a_denoiser_and_has_no_process_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(TypeError, match=r"A denoiser has a process.*got function"):
        laws_for(lambda x, t: Prediction(x, x))


def test_seeds_are_not_below_zero():
    with pytest.raises(ValueError, match="must be a whole number"):
        laws_for(Identity(), seed=-1)


@pytest.mark.parametrize("subject", [None, 3, "heat", torch.zeros(3), Grid((3,)), [1]])
def test_what_has_no_laws_is_refused(subject):
    with pytest.raises(TypeError, match=rf"LinearOperator.*Solver.*got {type(subject).__name__}"):
        laws_for(subject)


@pytest.mark.parametrize("kind", [CosineSchedule, DDIM, WhiteNoise, Identity])
def test_a_class_is_refused(kind: type):
    with pytest.raises(TypeError, match=rf"got the class {kind.__name__}.*\({kind.__name__}\("):
        laws_for(kind)


def test_what_the_object_raises_is_passed_on_with_a_note():
    class Broken(LinearOperator):
        def __call__(self, f):
            raise ZeroDivisionError("no")

        @property
        def adjoint(self):
            return self

    law = next(law for law in laws_for(Broken()) if law.__name__ == "additivity")
    with pytest.raises(ZeroDivisionError, match="no") as caught:
        law()
    (note,) = caught.value.__notes__
    assert note.startswith("Raised while trying additivity of Broken on Grid((1, 1))")


class Heard(LinearOperator):
    """The identity, keeping what it is applied to."""

    def __init__(self) -> None:
        self.arguments: list[Function] = []

    def __call__(self, f):
        self.arguments.append(f)
        return f

    @property
    def adjoint(self):
        return self


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (2, 30, 3)),
        ({"on": Grid((7,)), "channels": 1}, (2, 7, 1)),
        ({"on": Scattered(torch.rand(4, 2)), "batch": 5}, (5, 4, 3)),
        ({"on": Subset(Grid((3, 3)), torch.tensor([[0, 1], [2, 3], [4, 8]]))}, (3, 2, 3)),
    ],
    ids=["default", "one dimension", "scattered", "one set of points a sample"],
)
def test_the_probes_have_the_sizes_asked_for(options: dict, shape: tuple[int, ...]):
    operator = Heard()
    law = next(law for law in laws_for(operator, **options) if law.__name__ == "additivity")
    law()
    assert max(tuple(f.values.shape) for f in operator.arguments) == shape
    assert tuple(operator.arguments[-1].values.shape) == shape
    assert operator.arguments[-1].on == options.get("on", Grid((6, 5)))
    assert {f.values.dtype for f in operator.arguments} == {torch.float64}


@pytest.mark.parametrize("dtype", [None, torch.float64])
def test_a_network_is_tried_in_the_default_dtype_unless_told(dtype):
    heard = set()

    def network(x: Function, t: torch.Tensor) -> Function:
        heard.add((x.values.dtype, t.dtype))
        return x

    for law in laws_for(network, dtype=dtype):
        law()
    expected = torch.get_default_dtype() if dtype is None else dtype
    assert heard == {(expected, expected)}


def test_a_network_is_tried_with_one_sample_and_never_on_a_coarser_grid():
    heard = []

    def network(x: Function, t: torch.Tensor) -> Function:
        grid = x.on if isinstance(x.on, Grid) else x.on.grid
        heard.append((grid.shape[0], x.batch))
        return x

    for law in laws_for(network):
        law()
    assert min(shape for shape, _ in heard) == 16
    assert {batch for _, batch in heard} == {(1,), (2,)}


def test_other_kinds_are_tried_on_grids(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    subset = Subset(Grid((3, 3)), torch.tensor([0, 4]))
    law = next(law for law in laws_for(WhiteNoise(), on=subset) if law.__name__ == "cell_variance")
    with pytest.raises(TypeError, match="tried on a Grid; got Subset"):
        law()


def test_a_violation_survives_pickling():
    violation = LawViolation("adjoint", "a = b", "1", "2", "Shift", "seed 0")
    copy = pickle.loads(pickle.dumps(violation))
    assert (str(copy), copy.law, copy.where) == (str(violation), "adjoint", "seed 0")


@pytest.mark.thorough
def test_the_laws_need_no_hypothesis():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from inftydiff import DDIM\nfrom inftydiff.testing import laws_for\n"
        "[law() for law in laws_for(DDIM())]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
