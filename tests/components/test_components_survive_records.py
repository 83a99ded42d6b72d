"""A component becomes a record that JSON holds, and the record becomes an equal component."""

import dataclasses
import importlib
import json
import math
import pkgutil
import sys
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import inftydiff
from inftydiff import Box, Identity, LinearOperator, Point, gaussian_mollifier
from inftydiff._components import component, find, from_record, kind_of, kinds, registry, to_record
from inftydiff.models import MultiscaleConfig
from inftydiff.operators import HeatMultiplier, Multiplier, SpectralOperator
from inftydiff.operators._truncated import TruncatedGaussianMultiplier
from inftydiff.operators.covariance import (
    BesselMultiplier,
    MaternMultiplier,
    SquaredExponentialMultiplier,
)
from inftydiff.operators.inverse import InverseMultiplier
from inftydiff.operators.linear import Composition, Scaled, Sum
from inftydiff.operators.multiplier import (
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
    WienerMultiplier,
)
from inftydiff.operators.wiener import OptimalWienerMultiplier
from inftydiff.pipelines import InftyDiffConfig
from inftydiff.processes import Blurring, MollifiedProcess, WhiteProcess
from inftydiff.processes.schedules import ShiftedCosineSchedule, TabulatedSchedule

for room in (inftydiff.operators, inftydiff.processes, inftydiff.models, inftydiff.pipelines):
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        if "triton" not in module.name:
            importlib.import_module(module.name)

SHIPPED = {
    key: cls for key, cls in registry._classes.items() if cls.__module__.startswith("inftydiff.")
}
"""Every class that the package gives a kind, by its family and kind."""

HEAT = HeatMultiplier(1 / 3)

EXAMPLES: dict[type, object] = {
    Box: Box((0.1, 2.0), boundary=("periodic", "reflecting")),
    BesselMultiplier: BesselMultiplier(2.5, 0.1, 40.0),
    HeatMultiplier: HEAT,
    InverseMultiplier: InverseMultiplier(HEAT, 1e3),
    MaternMultiplier: MaternMultiplier(1.5, 0.1, dim=2, std=2.0),
    OptimalWienerMultiplier: OptimalWienerMultiplier(HEAT, UnitMultiplier(), HEAT),
    ProductMultiplier: ProductMultiplier(HEAT, UnitMultiplier()),
    ScaledMultiplier: ScaledMultiplier(-0.1, HEAT),
    SquaredExponentialMultiplier: SquaredExponentialMultiplier(0.1, dim=3),
    SumMultiplier: SumMultiplier(HEAT, HEAT),
    TruncatedGaussianMultiplier: TruncatedGaussianMultiplier(0.1, 0.3, dim=2),
    WienerMultiplier: WienerMultiplier(HEAT, 0.05),
    Composition: gaussian_mollifier(0.1) @ Identity(),
    Scaled: 0.1 * gaussian_mollifier(0.1),
    Sum: Identity() + gaussian_mollifier(0.1),
    ShiftedCosineSchedule: ShiftedCosineSchedule(1 / 3),
    TabulatedSchedule: TabulatedSchedule((0.0, 0.1, 1.0), (1.0, 0.8, 0.6), (0.0, 0.6, 0.8)),
    Blurring: Blurring(0.1, floor=1e-2),
}
"""A value of each class whose fields have no defaults."""


def strict(record):
    """What strict JSON makes of a record."""

    def refuse(text):
        raise AssertionError(f"{text} is no JSON")

    return json.loads(json.dumps(record, allow_nan=False), parse_constant=refuse)


def base_of(family: str, cls: type) -> type:
    """What a member of a family is read as: the family's base, or itself in one that has none."""
    declared = registry._families.get(family)
    return cls if declared is None else declared.base


def test_every_family_is_known():
    assert {family for family, _ in SHIPPED} == set(registry.FAMILIES)
    assert set(registry._families) == set(registry.FAMILIES) - {"domain"}


@pytest.mark.parametrize("key", sorted(SHIPPED), ids="-".join)
def test_a_value_of_every_kind_comes_back(key):
    family, kind = key
    cls = SHIPPED[key]
    value = EXAMPLES[cls] if cls in EXAMPLES else cls()
    record = strict(to_record(value))
    assert next(iter(record)) == "kind"
    assert record["kind"] == kind == kind_of(value) == cls.kind
    back = from_record(base_of(family, cls), record)
    assert type(back) is cls
    assert back == value
    assert hash(back) == hash(value)
    assert to_record(back) == to_record(value)
    assert kind in kinds(family)
    assert find(family, kind) is cls


@pytest.mark.parametrize("key", sorted(SHIPPED), ids="-".join)
def test_fields_that_are_left_out_take_their_defaults(key):
    family, kind = key
    cls = SHIPPED[key]
    needed = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if not needed:
        assert from_record(base_of(family, cls), {"kind": kind}) == cls()
        return
    with pytest.raises(ValueError, match=rf"{cls.__name__} cannot be made .*{needed[0]}"):
        from_record(base_of(family, cls), {"kind": kind})


@pytest.mark.parametrize("key", sorted(SHIPPED), ids="-".join)
def test_an_unknown_key_is_answered_with_the_nearest(key):
    family, kind = key
    cls = SHIPPED[key]
    names = [field.name for field in dataclasses.fields(cls)]
    near = f"; the nearest is '{names[0]}'" if names else ""
    wrong = f"{names[0]}x" if names else "width"
    with pytest.raises(
        ValueError, match=rf"^{cls.__name__} has no field '{wrong}'{near}\. Correct the record\.$"
    ):
        from_record(base_of(family, cls), {"kind": kind, wrong: 1})


@pytest.mark.parametrize("family", sorted(registry._families))
def test_an_unknown_kind_is_answered_with_the_nearest(family):
    kind = kinds(family)[0]
    said = family.replace("_", " ")
    with pytest.raises(ValueError, match=f"No {said} .* of the kind '{kind}x'; .* '{kind}'"):
        from_record(registry._families[family].base, {"kind": f"{kind}x"})


numbers = st.floats(1e-6, 1e6)
cutoffs = st.one_of(st.just(math.inf), numbers)
leaves = st.one_of(
    st.just(Identity()),
    numbers.map(gaussian_mollifier),
    st.builds(BesselMultiplier, numbers, numbers, cutoffs).map(SpectralOperator),
    st.builds(
        MaternMultiplier, numbers, numbers, dim=st.integers(1, 3), std=numbers, cutoff=cutoffs
    ).map(SpectralOperator),
    st.builds(SquaredExponentialMultiplier, numbers, dim=st.integers(1, 3), std=numbers).map(
        SpectralOperator
    ),
    st.builds(
        lambda width, radius, dim, cutoff: SpectralOperator(
            TruncatedGaussianMultiplier(width, radius, dim=dim, cutoff=cutoff)
        ),
        numbers,
        numbers,
        st.integers(1, 3),
        cutoffs,
    ),
)


def of_multipliers(operators):
    """Spectral operators whose multiplier is made of those of others."""
    spectral = operators.filter(lambda A: isinstance(A, SpectralOperator))
    inner = spectral.map(lambda A: A.multiplier)
    return st.one_of(
        st.builds(SumMultiplier, inner, inner),
        st.builds(ProductMultiplier, inner, inner),
        st.builds(ScaledMultiplier, st.floats(-1e6, 1e6), inner),
        st.builds(WienerMultiplier, inner, numbers),
    ).map(SpectralOperator)


spectral = st.recursive(leaves, of_multipliers, max_leaves=4)
operators = st.recursive(
    spectral,
    lambda inner: st.one_of(
        st.builds(lambda A, B: A + B, inner, inner),
        st.builds(lambda A, B: A - B, inner, inner),
        st.builds(lambda A, B: A @ B, inner, inner),
        st.builds(lambda c, A: c * A, st.floats(-1e6, 1e6), inner),
        inner.map(lambda A: -A),
    ),
    max_leaves=8,
)


@given(operators)
def test_composites_of_operators_come_back(operator):
    assert (
        from_record(LinearOperator, strict(to_record(holding(operator)))["mollifier"]) == operator
    )
    config = InftyDiffConfig(process=holding(operator))
    assert InftyDiffConfig.from_json(config.to_json()) == config


def holding(operator):
    """A process that holds an operator: a spectral one has no record but as a part."""
    return MollifiedProcess(operator)


@given(operators)
def test_a_multiple_by_a_tensor_has_no_record(operator):
    for scale in (torch.tensor(2.0), torch.tensor([1.0, 2.0])):
        with pytest.raises(TypeError, match=r"^Scaled\.scale must be what a record can hold"):
            to_record(holding(scale * operator))


@pytest.mark.parametrize("make", [BesselMultiplier, MaternMultiplier, TruncatedGaussianMultiplier])
def test_infinite_cutoffs_are_texts(make):
    value = EXAMPLES[make]
    endless = dataclasses.replace(value, cutoff=math.inf)
    record = strict(to_record(endless))
    assert record["cutoff"] == "inf"
    assert from_record(Multiplier, record) == endless
    for text in ("Infinity", "nan", "1e999", "-inf"):
        with pytest.raises(ValueError, match="cutoff|cut-off"):
            from_record(Multiplier, record | {"cutoff": text})


@dataclass(frozen=True)
class Nameless:
    """A schedule of someone's own, that has no kind."""

    def alpha(self, t):
        return 1.0 - 0.5 * t

    def sigma(self, t):
        return 0.5 * t


def test_a_value_without_a_kind_is_refused_with_advice():
    config = InftyDiffConfig(process=WhiteProcess(schedule=Nameless()))
    with pytest.raises(
        ValueError, match="WhiteProcess.schedule must be a schedule with a kind"
    ) as e:
        config.to_json()
    assert '@component("schedule", "its_kind")' in str(e.value)
    assert "entry point" in str(e.value)


class Own(LinearOperator):
    """An operator of someone's own that is no dataclass."""

    def __call__(self, f):
        return f

    @property
    def adjoint(self):
        return self


@pytest.mark.parametrize("operator", [Own(), Own() @ Identity(), 2.0 * Own()], ids=str)
def test_an_operator_without_a_kind_is_refused_wherever_it_is(operator):
    with pytest.raises(ValueError, match='component\\("operator", "its_kind"\\)'):
        to_record(holding(operator))


def test_a_multiplier_without_a_kind_is_refused():
    moving = Blurring(0.1).multiplier(torch.zeros(1))
    with pytest.raises(ValueError, match="its_kind"):
        to_record(holding(SpectralOperator(moving)))


@pytest.mark.parametrize(
    "kind",
    ["os.path", "subprocess:Popen", "antigravity", "antigravity:x", "__main__", "", "../x", "é"],
)
@pytest.mark.parametrize("family", sorted(registry._families))
def test_a_file_names_kinds_and_no_code(family, kind):
    before = set(sys.modules)
    with pytest.raises(ValueError, match="that is installed is of the kind"):
        from_record(registry._families[family].base, {"kind": kind, "args": ["true"]})
    assert set(sys.modules) == before


@pytest.mark.parametrize("kind", [None, 3, ["cosine"], {"kind": "cosine"}, True])
def test_a_kind_is_a_text(kind):
    base = registry._families["schedule"].base
    with pytest.raises(ValueError, match="A schedule is read from a mapping with a 'kind'"):
        from_record(base, {"kind": kind})


@pytest.mark.parametrize("record", [None, 3, "cosine", ["cosine"], {}])
def test_a_component_is_read_from_a_mapping(record):
    base = registry._families["schedule"].base
    with pytest.raises(ValueError, match="A schedule is read from a mapping with a 'kind'"):
        from_record(base, record)


@pytest.mark.parametrize(
    ("family", "kind"), [("schedule", "white"), ("process", "cosine"), ("multiplier", "identity")]
)
def test_kinds_of_one_family_are_none_of_another(family, kind):
    with pytest.raises(ValueError, match=f"is of the kind '{kind}'"):
        from_record(registry._families[family].base, {"kind": kind})


def test_a_record_of_one_class_is_none_of_another():
    with pytest.raises(ValueError, match="Point is of the kind 'point'; got a record of 'box'"):
        from_record(Point, {"kind": "box"})
    with pytest.raises(ValueError, match="MultiscaleConfig is of the kind 'multiscale'"):
        from_record(MultiscaleConfig, {"kind": "unet"})


@pytest.mark.parametrize("depth", [64, 200, 400, 700, 100_000])
def test_records_too_deep_for_the_stack_are_refused(depth):
    record = {"kind": "identity"}
    for _ in range(depth):
        record = {"kind": "multiple", "scale": 1.0, "operator": record}
    with pytest.raises(ValueError, match="At most 64 records may be within one another"):
        from_record(LinearOperator, record)


@pytest.mark.parametrize("depth", [64, 200, 700])
def test_values_too_deep_to_be_read_are_not_written(depth):
    operator = Identity()
    for _ in range(61):
        operator = 2.0 * operator
    config = InftyDiffConfig(process=holding(operator))
    assert InftyDiffConfig.from_json(config.to_json()) == config
    for _ in range(61, depth):
        operator = 2.0 * operator
    with pytest.raises(ValueError, match="At most 64 values may be within one another"):
        InftyDiffConfig(process=holding(operator)).to_json()


@pytest.mark.parametrize("kind", ["", "Mine", "my-net", "my.net", "1st", "my net", "os:path"])
def test_a_kind_is_a_name(kind):
    with pytest.raises(ValueError, match="A kind is a name of lower-case letters"):
        component("network", kind)


def test_a_kind_is_given_once():
    @dataclass(frozen=True)
    class Cosine:
        pass

    with pytest.raises(ValueError, match="The schedule 'cosine' is .*CosineSchedule. Take another"):
        component("schedule", "cosine")(Cosine)
    with pytest.raises(ValueError, match="family of a component must be one of"):
        component("network_", "mine")
    assert kind_of(Cosine) is None


def test_a_class_has_one_kind(monkeypatch):
    monkeypatch.setattr(registry, "_classes", dict(registry._classes))
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))

    @component("network", "one")
    @dataclass(frozen=True)
    class Both:
        pass

    assert component("encoder", "one")(Both) is Both
    with pytest.raises(ValueError, match="Both is of the kind 'one' already"):
        component("prior", "other")(Both)


def test_a_component_is_a_frozen_dataclass():
    @dataclass
    class Thawed:
        pass

    for wrong in (Thawed, int, type("Plain", (), {})):
        with pytest.raises(TypeError, match="A component is a frozen dataclass"):
            component("network", "mine")(wrong)
        assert kind_of(wrong) is None
        assert "mine" not in kinds("network")
