# SPDX-License-Identifier: Apache-2.0
"""What is baked into a core is what loading it would have written, word for word."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.errors import BadFile, BadInput, BadNetwork, DoesNotFit
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register, size
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.bake import Baked, bake
from antevolt.host.device import Device
from antevolt.host.device import open as open_device
from antevolt.host.state import REGISTERS
from small import NETWORK, SMALL

CORE = Machine(rows=2, streams=2, contexts=2, moments=1, time_constants=True)
LEARNER = Network(
    2,
    (Population(5, "tanh", 2.0, eta_tau_m=2.0**-4), Population(2, "linear", 1.5)),
    eta=2.0**-4,
    optimizer="momentum",
    apply_every=3,
    seed=5,
)


def differences(baked: Baked, device: Device) -> list[str]:
    """Regions in which contents and the device's memories are not the same; writable registers."""
    found, backend = [], device.backend
    for region in Region:
        units, words = size(device.machine, region)
        for unit in range(units if words and region != Region.REGISTERS else 0):
            own, theirs = (core.read(region, unit, 0, words) for core in (baked.contents, backend))
            if region == Region.COEFFICIENTS:
                own, theirs = (each.reshape(-1, 4)[:, :3] for each in (own, theirs))
            if not np.array_equal(own, theirs):
                found.append(f"{region.name} {unit}")
    for name, register in REGISTERS.items():
        word = backend.read(Region.REGISTERS, 0, register, 1)[0]
        if baked.contents.register(register) != word:
            found.append(name)
    return found


@pytest.mark.parametrize(
    ("machine", "network"), [(SMALL, NETWORK), (CORE, LEARNER)], ids=["small", "learner"]
)
def test_the_same_words_as_after_load(machine: Machine, network: Network) -> None:
    with open_device("model:numpy", machine=machine) as device:
        device.load(network, outputs="last")
        baked = bake(network, machine, outputs="last")
        assert differences(baked, device) == []
        assert baked.image.fingerprint == device.image.fingerprint
        assert baked.to_dict()["network"] == network.fingerprint


def test_from_a_state_that_was_learned(tmp_path: Path) -> None:
    """The words of a device that was restored, learned time constants included."""
    file = tmp_path / "state.safetensors"
    draw = np.random.default_rng(1)
    x, y = (draw.normal(0, 1, (40, 4, 2)) for _ in range(2))
    with open_device("model:numpy", machine=CORE) as device:
        device.load(LEARNER)
        device.partial_fit(x, y)
        device.save(file)
        device.load(LEARNER)
        device.restore(file)
        baked = bake(LEARNER, CORE, state=file)
        assert differences(baked, device) == []
    assert baked.contents.register(Register.STEP) == 40
    assert baked.contents.digest != bake(LEARNER, CORE).contents.digest
    with pytest.raises(BadFile, match="another network"):
        bake(NETWORK, CORE, state=file)
    short = replace(CORE, formats=Formats(word=16))
    with pytest.raises(BadFile, match="words of 18 bits, this core has 16"):
        bake(LEARNER, short, state=file)
    with pytest.raises(BadFile, match="does not fit this core"):
        bake(LEARNER, replace(CORE, streams=1), state=file)


def test_what_does_not_fit_is_named() -> None:
    wide = Network(2, (Population(40, "tanh"), Population(2, "linear")))
    with pytest.raises(DoesNotFit, match="weight pairs per row needs .* the core has 16") as caught:
        bake(wide, replace(CORE, w_depth=16))
    assert (caught.value.resource, caught.value.limit) == ("weight pairs per row", 16)
    with pytest.raises(BadNetwork, match="0.weight"):
        bake(NETWORK, SMALL, parameters={})
    with pytest.raises(BadInput, match="the output mode is 'some'"):
        bake(NETWORK, SMALL, outputs="some")


def test_parameters_are_those_given() -> None:
    given = NETWORK.random_parameters(9, gain=40.0)
    baked = bake(NETWORK, SMALL, given)
    assert baked.saturated > 0
    banks, _ = baked.image.layout.pack_weights(given)
    found = baked.contents.read(Region.WEIGHTS, 0, 0, banks.shape[1])
    assert found.tolist() == banks[0].tolist()


def test_contents() -> None:
    contents = Contents(SMALL)
    assert contents.words(Region.WEIGHTS) == []
    assert contents.register(Register.APPLY_EVERY, 1) == 1
    empty = contents.digest
    contents.write(Region.WEIGHTS, 0, 2, [5, -1, 0])
    assert contents.words(Region.WEIGHTS) == [0, 0, 5, (1 << 36) - 1]
    assert contents.words(Region.WEIGHTS, way=(1, 1)) == [0, (1 << 36) - 1]
    contents.write(Region.REGISTERS, 0, Register.APPLY_EVERY, [0])
    assert contents.register(Register.APPLY_EVERY, 1) == 0
    assert contents.digest != empty
    assert repr(contents) == f"<Contents {contents.digest}>"
    copy = Contents(SMALL)
    for block in contents.blocks():
        copy.write(*block)
    assert copy.digest == contents.digest
    for unit, index in ((1, 0), (0, -1), (0, SMALL.w_depth)):
        with pytest.raises(BadInput, match="this core has 1 of 512 words"):
            contents.write(Region.WEIGHTS, unit, index, [1])


def test_sealed_contents_are_the_same_words() -> None:
    contents = bake(NETWORK, SMALL).contents
    sealed = contents.seal()
    assert (contents.sealed, sealed.sealed) == (False, True)
    assert sealed.digest == contents.digest
    contents.write(Region.REGISTERS, 0, Register.STEP, 7)
    contents.write(Region.PROGRAM, 0, 0, 1)
    assert sealed.digest != contents.digest
    assert sealed.register(Register.STEP) == 0
