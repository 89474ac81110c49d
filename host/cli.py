# SPDX-License-Identifier: Apache-2.0
"""The command `antevolt`. Commands are imported when they are called.

An AntevoltError, and a file or folder that cannot be used, end with one message on stderr and exit
code 2, as wrong usage does.
"""

import io
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from antevolt.hdl.spec.errors import AntevoltError

__all__ = ["antevolt", "main"]


class LazyGroup(click.Group):
    """A group whose commands are given as (`module:attribute`, one line of help)."""

    def __init__(self, *args: object, commands_at: dict[str, tuple[str, str]], **kwargs: object):
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands_at:
            return None
        module, attribute = self.commands_at[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self.commands_at.items()])


class DemoGroup(LazyGroup):
    """Without a name of a demonstration, the first one is meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        names = self.list_commands(ctx)
        wants_help = args and args[0] in ("--help", "-h")
        if not wants_help and (not args or args[0].startswith("-")):
            args = [names[0], *args]
        return super().parse_args(ctx, args)


demo = DemoGroup(
    "demo",
    help="Learn something before your eyes (lagnet when none is named).",
    commands_at={
        "lagnet": ("antevolt.sim.tasks.lagnet_command:command", "learn a teacher network's lags"),
        "lagline": ("antevolt.sim.tasks.lagline:command", "learn a chain of lags"),
    },
)

task = LazyGroup(
    "task",
    help="Learn a task that is known from elsewhere, and say how well.",
    commands_at={
        "mnist1d": ("antevolt.sim.tasks.mnist1d:command", "classify sequences"),
        "mnist1d-ablations": (
            "antevolt.sim.tasks.mnist1d_ablations:command",
            "what the parts of its recipe are worth",
        ),
        "lagline": ("antevolt.sim.tasks.lagline_task:command", "learn weights and time constants"),
        "lagnet": ("antevolt.sim.tasks.lagnet_task:command", "find a teacher's weights"),
        "delayed-xor": ("antevolt.sim.tasks.delayed_xor:command", "remember two cues"),
        "mackey-glass": ("antevolt.sim.tasks.mackey_glass:command", "predict a chaotic series"),
        "japanese-vowels": (
            "antevolt.sim.tasks.japanese_vowels:command",
            "recognise speakers",
        ),
        "speech-commands": (
            "antevolt.sim.tasks.speech_commands:command",
            "recognise spoken words in files that you have",
        ),
    },
)

export = LazyGroup(
    "export",
    help="Write the core in a form that other tools take.",
    commands_at={
        "verilog": (
            "antevolt.sim.ip.command:command",
            "Verilog with AXI ports, and what goes along",
        ),
    },
)

antevolt = LazyGroup(
    "antevolt",
    help="Networks of prospective neurons that learn while data streams through them.",
    context_settings={"help_option_names": ["-h", "--help"]},
    commands_at={
        "demo": ("antevolt.host.cli:demo", "learn something before your eyes"),
        "task": ("antevolt.host.cli:task", "learn a task and say how well"),
        "sweep": ("antevolt.sim.tasks.sweep_command:command", "search for the settings of a task"),
        "run": ("antevolt.host.run_command:command", "run a network over recorded data"),
        "report": ("antevolt.host.report.command:command", "a page about such a run"),
        "verify": ("antevolt.host.verify_command:command", "compare a device with the model"),
        "trace": ("antevolt.host.trace:command", "waveforms and operations of some steps"),
        "compile": ("antevolt.host.compile_command:command", "timetable and memory of a network"),
        "reference": (
            "antevolt.host.reference_command:command",
            "compare with the floating-point reference",
        ),
        "mutate": ("antevolt.sim.mutation.command:command", "does the comparison notice changes"),
        "coverage": (
            "antevolt.sim.mutation.coverage_command:command",
            "lines and branches of the gateware that the comparison reaches",
        ),
        "selftest": ("antevolt.host.selftest:command", "is a device in order"),
        "doctor": ("antevolt.host.doctor:command", "what of this machine can be used"),
        "boards": ("antevolt.boards.list_command:command", "the boards and their presets"),
        "estimate": (
            "antevolt.boards.estimate_command:command",
            "how a network would do on a board, before synthesis",
        ),
        "build": ("antevolt.boards.build_command:command", "a board's bitstream and report"),
        "program": ("antevolt.boards.program_command:command", "load a board"),
        "bench": ("antevolt.sim.peers.command:command", "the same job on boards and processors"),
        "export": ("antevolt.host.cli:export", "the core for other people's designs"),
        "devices": ("antevolt.host.link.devices_command:command", "boards on serial ports"),
        "serve": ("antevolt.host.link.serve:command", "lend a board to another machine"),
        "simulate": (
            "antevolt.sim.rtl.simulate_command:command",
            "a simulated board on a pseudo-terminal",
        ),
        "faults": (
            "antevolt.sim.rtl.faults_command:command",
            "does a line that errs get anything wrong through",
        ),
        "soak": (
            "antevolt.sim.rtl.soak_command:command",
            "much traffic with a host that pauses: does anything pile up",
        ),
        "fuzz": ("antevolt.sim.fuzz.command:command", "does broken input do any harm"),
        "version": ("antevolt.host.version:command", "what is installed"),
    },
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point; exits with 0, 1 (a comparison failed) or 2 (wrong usage or bad input)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may be no text
            stream.reconfigure(errors="backslashreplace")
    try:
        antevolt.main(args=arguments, prog_name="antevolt", standalone_mode=True)
    except AntevoltError as error:
        click.echo(f"antevolt: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # a name that the system does not take, a folder that is no folder
        if error.filename is None:
            raise
        click.echo(f"antevolt: {error.strerror}: {error.filename}", err=True)
        sys.exit(2)
