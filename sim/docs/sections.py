# SPDX-License-Identifier: Apache-2.0
"""The generated sections by name. A function makes the text of one."""

from collections.abc import Callable

from antevolt.hdl.core import ports
from antevolt.hdl.spec import program, roundings
from antevolt.hdl.spec.formats import Formats
from antevolt.sim.docs import fit, mutants, results
from antevolt.sim.docs.design import design
from antevolt.sim.docs.files import files
from antevolt.sim.docs.mechanisms import mechanisms
from antevolt.sim.docs.numbers import coefficients, formats, learning_rates, limits, phi
from antevolt.sim.docs.timing import neurons, steps

__all__ = ["SECTIONS"]

SECTIONS: dict[str, Callable[[], str]] = {
    "coefficients": coefficients,
    "coverage": mutants.coverage,
    "design": design,
    "files": files,
    "fit_boards": fit.boards,
    "fit_deep": fit.deep,
    "fit_mechanisms": fit.mechanisms,
    "fit_model": fit.model,
    "fit_placed": fit.placed,
    "formats": formats,
    "learning_rates": learning_rates,
    "limits": limits,
    "mechanisms": mechanisms,
    "mutants_model": mutants.model,
    "mutants_netlist": mutants.netlist,
    "neurons": neurons,
    "phi": phi,
    "ports": ports.markdown,
    "program": program.markdown,
    "results_compared": results.compared,
    "results_mnist1d": results.mnist1d,
    "results_saturations": results.saturations,
    "roundings": lambda: roundings.markdown(Formats()),
    "steps": steps,
}
