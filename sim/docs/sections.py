# SPDX-License-Identifier: Apache-2.0
"""The generated sections by name. A function makes the text of one."""

from collections.abc import Callable

from antevolt.hdl.core import ports
from antevolt.hdl.spec import axi_map, description, program, roundings
from antevolt.hdl.spec.formats import Formats
from antevolt.sim.docs import fit, link, mutants, pairs, results, task_results, tries
from antevolt.sim.docs.ablations import ablations
from antevolt.sim.docs.design import design
from antevolt.sim.docs.files import files
from antevolt.sim.docs.fuzz import fuzz
from antevolt.sim.docs.headline import headline
from antevolt.sim.docs.latency import latency, latency_by_rows
from antevolt.sim.docs.lost import lost
from antevolt.sim.docs.mechanisms import mechanisms
from antevolt.sim.docs.numbers import (
    coefficients,
    formats,
    learning_rates,
    lengths,
    limits,
    phi,
)
from antevolt.sim.docs.slots import slots
from antevolt.sim.docs.task_boards import task_boards
from antevolt.sim.docs.throughput import throughput
from antevolt.sim.docs.timing import neurons, steps
from antevolt.sim.docs.verified import campaign, netlists

__all__ = ["SECTIONS"]

SECTIONS: dict[str, Callable[[], str]] = {
    "axi_map": axi_map.markdown,
    "campaign": campaign,
    "coefficients": coefficients,
    "coverage": mutants.coverage,
    "description": description.markdown,
    "design": design,
    "files": files,
    "fit_boards": fit.boards,
    "fit_components": fit.components,
    "fit_deep": fit.deep,
    "fit_left_out": fit.left_out,
    "fit_mechanisms": fit.mechanisms,
    "fit_model": fit.model,
    "fit_placed": fit.placed,
    "fit_small": fit.small,
    "fit_sealed": fit.sealed,
    "formats": formats,
    "fuzz": fuzz,
    "headline": headline,
    "latency": latency,
    "latency_by_rows": latency_by_rows,
    "learning_rates": learning_rates,
    "lengths": lengths,
    "limits": limits,
    "link_cells": link.cells,
    "link_codes": link.codes,
    "link_description": link.description,
    "link_faults": link.faults,
    "link_soak": link.soak,
    "link_frames": link.frames,
    "link_limits": link.limits,
    "link_modes": link.modes,
    "link_resends": link.resends,
    "link_targets": link.targets,
    "mechanisms": mechanisms,
    "mutants_model": mutants.model,
    "mutants_netlist": mutants.netlist,
    "netlists": netlists,
    "neurons": neurons,
    "phi": phi,
    "ports": ports.markdown,
    "program": program.markdown,
    "results_compared": results.compared,
    "results_ablations": ablations,
    "results_stopped": tries.stopped,
    "results_tries": tries.tries,
    "results_tries_gle": tries.gle,
    "results_tries_trace": tries.trace,
    "results_cosines": results.cosines,
    "results_delayed_xor": task_results.delayed_xor,
    "results_japanese_vowels": task_results.japanese_vowels,
    "results_lagline": task_results.lagline,
    "results_lagnet": task_results.lagnet,
    "results_mackey_glass": task_results.mackey_glass,
    "results_mnist1d": results.mnist1d,
    "results_pairs": pairs.pairs,
    "results_pair_runs": pairs.runs,
    "results_saturations": results.saturations,
    "roundings": lambda: roundings.markdown(Formats()),
    "slots": slots,
    "slots_lost": lost,
    "steps": steps,
    "task_boards": task_boards,
    "throughput": throughput,
}
