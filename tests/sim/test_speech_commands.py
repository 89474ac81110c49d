# SPDX-License-Identifier: Apache-2.0
"""Speech commands on a small synthetic folder: words are tones of a pitch of their own."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import AntevoltError, BadFile, BadInput
from antevolt.sim.tasks.log_mel import log_mel
from antevolt.sim.tasks.speech_commands import command
from antevolt.sim.tasks.speech_commands_data import (
    BANDS,
    CLASSES,
    FRAMES,
    NOISE,
    RATE,
    SILENCE,
    UNKNOWN,
    WORDS,
    opened,
    read,
)

SPEAKERS = 6
SHORT = ("--epochs=6", "--train=240", "--valid=48", "--test=48", "--hidden=24,24", "--eta=4e-3")


def write(path: Path, sound: np.ndarray, rate: int = RATE, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve words of six speakers, one of whom is for validation, and one for the end."""
    rng, place = np.random.default_rng(0), tmp_path / "speech"
    listed: dict[str, list[str]] = {"validation_list.txt": [], "testing_list.txt": []}
    for number, word in enumerate((*WORDS, "bed", "cat")):
        for speaker in range(SPEAKERS):
            time = np.arange(int(RATE * rng.uniform(0.7, 1.1))) / RATE
            tone = np.sin(2 * np.pi * 200 * 1.35**number * rng.uniform(0.97, 1.03) * time)
            name = f"{word}/{speaker}_nohash_0.wav"
            write(place / name, 0.5 * tone + 0.01 * rng.normal(size=len(time)))
            if speaker < 2:
                listed[list(listed)[speaker]].append(name)
    for name, lines in listed.items():
        (place / name).write_text("\n".join(lines) + "\n")
    write(place / NOISE / "hiss.wav", 0.3 * rng.normal(size=3 * RATE))
    return place


def test_a_tone_is_in_its_band() -> None:
    """Power is where the pitch is; twice the amplitude is log 4 more; silence is the floor."""
    time = np.arange(RATE) / RATE
    low, high = (np.sin(2 * np.pi * pitch * time) for pitch in (300.0, 3000.0))
    of_low, of_high = (log_mel(s, RATE, BANDS, 1024, 400)[10:-10] for s in (low, high))
    assert log_mel(low, RATE, BANDS, 1024, 400).shape == (FRAMES, BANDS)
    places = [set(found.argmax(axis=1)) for found in (of_low, of_high)]
    assert all(len(p) == 1 for p in places)
    assert places[0].pop() < places[1].pop()
    louder = log_mel(2 * low, RATE, BANDS, 1024, 400)[10:-10].max(axis=1)
    assert louder - of_low.max(axis=1) == pytest.approx(np.log(4), abs=1e-6)
    assert np.ptp(log_mel(0 * low, RATE, BANDS, 1024, 400)) == 0


def test_parts_share_no_file(folder: Path) -> None:
    found = opened(folder)
    parts = [{p for paths in classes for p in paths} for classes in found.files.values()]
    assert [len(p) for p in parts] == [12 * (SPEAKERS - 2), 12, 12]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    unknown = {path.parent.name for path in found.files["train"][UNKNOWN]}
    assert unknown == {"bed", "cat"}


def test_features(folder: Path) -> None:
    """Scaled, the same for the same seed; variation changes them, looks do not vary."""
    found, classes = opened(folder), np.arange(CLASSES)

    def draw(seed: int, varied: bool) -> np.ndarray:
        return found.features("train", classes, np.random.default_rng(seed), varied)

    plain = draw(1, False)
    assert plain.shape == (CLASSES, FRAMES, BANDS)
    assert plain.mean(axis=(1, 2)) == pytest.approx(0, abs=1e-9)
    assert plain[:SILENCE].std(axis=(1, 2)) == pytest.approx(1)
    np.testing.assert_array_equal(plain, draw(1, False))
    assert (draw(1, True)[:SILENCE] != plain[:SILENCE]).any(axis=(1, 2)).all()


def test_it_is_learned(folder: Path, tmp_path: Path) -> None:
    """Far above one in twelve, on a speaker that was not heard."""
    out = tmp_path / "out"
    arguments = [f"--data={folder}", f"--out={out}", *SHORT]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    (run,) = json.loads((out / "speech-commands.json").read_text())["runs"]
    assert run["test"] > 0.5
    assert run["epochs"][-1]["train"] > run["epochs"][0]["train"]


@pytest.mark.parametrize("missing", ["testing_list.txt", "left", NOISE, "bed"])
def test_what_is_missing_is_named(folder: Path, missing: str) -> None:
    names = [missing, "cat"] if missing == "bed" else [missing]
    for name in names:
        (folder / name).rename(folder.parent / name)
    with pytest.raises(BadInput, match="other words" if missing == "bed" else missing):
        opened(folder)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (RATE, 2)])
def test_other_sounds_are_refused(tmp_path: Path, rate: int, channels: int) -> None:
    write(tmp_path / "one.wav", np.zeros(2 * RATE), rate, channels)
    with pytest.raises(BadFile, match="wanted are"):
        read(tmp_path / "one.wav")
    (tmp_path / "no.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(BadFile, match="cannot read"):
        read(tmp_path / "no.wav")


def test_bad_options_are_refused(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [f"--data={folder}", f"--out={tmp_path}", "--train=100"])
    assert isinstance(done.exception, AntevoltError)
    assert CliRunner().invoke(command, [f"--out={tmp_path}"]).exit_code == 2
