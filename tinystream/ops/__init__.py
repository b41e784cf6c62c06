"""TFLite operators, int8: one a file, found by TFLite's own name: CONV_2D is `class Conv2d` of conv_2d.py.

To add one, write two files, `tinystream/ops/<name>.py` and `firmware_templates/kernels/ts_<name>.h`; logistic.py is a short
one to start from.  The form is a stage's (plan, ideal, BOUND, run, EXAMPLES: the tests find them), but the options come
from the file: `read(operator)` makes the object from a `tinystream.plan.operator.Operator`, whose `option(slot)`,
`flow(position)` and `constant(position, dtype)` refuse what the operator does not support.  run() has BATCHED = True, and
an operator reads its inputs as so many values in a row, of the shape that it was told, whatever shape they come in.

An operator that is computed by a file of another name, such as STRIDED_SLICE by slice.py, is in
`tinystream.plan.operator.MODULES`.  read() may give an object of another file: MUL with a constant is mul_constant.py's.
An operator with state, svdf.py or history.py, has no BATCHED, but a run_many(k, s, *x) beside run(); remember.py writes another one's.
Files that start with _ are shared.
"""
