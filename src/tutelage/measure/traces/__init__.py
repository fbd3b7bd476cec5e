"""Records of several agents at work: are they whole, how well was the work divided, whom does the result owe."""

from tutelage.measure.traces.checks import Finding, findings
from tutelage.measure.traces.credit import Credit, leave_one_out, shapley
from tutelage.measure.traces.figures import TraceFigures, tainted_calls, trace_figures
from tutelage.measure.traces.trace import Edge, Event, Trace, parse_trace, read_traces

__all__ = [
    "Credit",
    "Edge",
    "Event",
    "Finding",
    "Trace",
    "TraceFigures",
    "findings",
    "leave_one_out",
    "parse_trace",
    "read_traces",
    "shapley",
    "tainted_calls",
    "trace_figures",
]
