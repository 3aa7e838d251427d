"""Rewrites that change results, as TensorFlow's default optimizer does: without them numbers would not agree.

Hard swish. A convolution with a bias, followed by `c * y * relu6(y + 3)` with `c` near 1/6, TensorFlow computes as one
`y * relu6(y + 3) / 6`: exactly 1/6, whatever `c` is. Files that were stored in half precision hold 0.16662598, and a
dozen such layers later the difference shows in the third digit.

When TensorFlow does so was found by trying (its optimizer's passes see one another's work):

- float32; |c - 1/6| and |3 - t| at most 0.01, both scalars; nothing else uses, fetches or waits for a value in between;
- the product must reach its last pass as (c * y) * relu6. A product c * (y * r) becomes y * (c * r), c going to the
  operand whose name sorts last. Then, unless the product is marked as done (files that an optimizer wrote), c goes to
  whichever of y and r comes first: the one outside where its name sorts before the inner product's, or where c was
  outside before;
- a bias that is added by Add needs the convolution's name to sort before the bias's, and a later layer with a bias:
  that makes the pass look at shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runstep.graph import dtypes
from runstep.plan.node import PASS, PlanNode, Ref

_CONVOLUTIONS = frozenset(("Conv2D", "DepthwiseConv2dNative"))
_CONTRACTIONS = _CONVOLUTIONS | {"MatMul"}
_SUMS = frozenset(("Add", "AddV2"))
_DONE = "_grappler_ArithmeticOptimizer_MinimizeBroadcasts"
_TOLERANCE = 0.01


def remap(nodes: list[PlanNode], fetched: Iterable[Ref]) -> list[PlanNode]:
    """Rewrites where TensorFlow would. Takes live nodes, producers first, and returns those that are left."""
    candidates = [node for node in nodes if node.type == "Relu6" and node.known is None and node.kernel is None]
    if not candidates:
        return nodes
    uses = _Uses(nodes, fetched)
    gone: set[PlanNode] = set()
    for relu in candidates:
        gone |= _hard_swish_at(relu, uses)
    return [node for node in nodes if node not in gone]


class _Uses:
    """Who uses a node's value; nodes that only pass values on are looked through."""

    def __init__(self, nodes: Sequence[PlanNode], fetched: Iterable[Ref]) -> None:
        self._users: dict[PlanNode, list[PlanNode]] = {}
        self._pinned = {source(ref) for ref in fetched}
        self.last_bias = -1
        for position, node in enumerate(nodes):
            self._pinned.update(node.controls)
            if node.kernel is PASS or node.known is not None:
                continue
            for ref in node.inputs:
                self._users.setdefault(source(ref), []).append(node)
            if _biased(node) is not None:
                self.last_bias = position
        self.position = {node: position for position, node in enumerate(nodes)}

    def of(self, node: PlanNode) -> list[PlanNode]:
        """The users of a node that has no other purpose; none when it is fetched, or waits or is waited for."""
        return [] if node in self._pinned or node.controls else self._users.get(node, [])


def source(ref: Ref) -> PlanNode:
    """The node that an input comes from, pass-through nodes left out."""
    node = ref[0]
    while node.kernel is PASS and node.known is None:
        node = node.inputs[0][0]
    return node


def _hard_swish_at(relu: PlanNode, uses: _Uses) -> set[PlanNode]:
    """Rewrites the pattern around one Relu6, where it is one; the nodes that it makes superfluous."""
    shifted = source(relu.inputs[0])
    if shifted.type not in _SUMS or uses.of(shifted) != [relu] or shifted.output_types[0] is not dtypes.float32:
        return set()
    varying = [ref for ref in shifted.inputs if not _near(ref, 3)]
    if len(varying) != 1:
        return set()
    y = source(varying[0])
    above = uses.of(relu)
    if len(above) != 1 or above[0].type != "Mul":
        return set()
    found = _product(above[0], relu, y, uses)
    if found is None:
        return set()
    product, inner, partner = found
    if uses.of(inner) != [product] or len(uses.of(y)) != 2 or product.device != y.device or product.controls:
        return set()
    if partner is not y or not _fuses_bias(y, product, uses):
        return set()
    product.inputs = varying
    from runstep.kernels.numpy import chain  # kernels are imported when a session first needs them

    product.kernel, product.type = chain.hard_swish, "_HardSwish"
    return {relu, shifted, inner}


def _product(first: PlanNode, relu: PlanNode, y: PlanNode, uses: _Uses) -> tuple[PlanNode, PlanNode, PlanNode] | None:
    """The outer and the inner product of c, y and `relu`, and which of these two c is multiplied with at last."""
    factors = [source(ref) for ref in first.inputs]
    other = next((node for node in factors if node is not relu), relu)
    if other.type == "Mul" and y in map(source, other.inputs) and _has_sixth(other):  # (c * y) * r
        return first, other, _settled(first, other, y, relu)
    above = uses.of(first)
    if len(above) != 1 or above[0].type != "Mul":
        return None
    product = above[0]
    if _has_sixth(first):  # y * (c * r)
        if {source(ref) for ref in product.inputs} != {y, first}:
            return None
        return product, first, _settled(product, first, relu, y)
    if other is y and _has_sixth(product):  # c * (y * r)
        early, late = sorted((y, relu), key=lambda node: node.name)
        return product, first, late if _DONE in product.attrs else early
    return None


def _settled(product: PlanNode, inner: PlanNode, inside: PlanNode, outside: PlanNode) -> PlanNode:
    return outside if _DONE not in product.attrs and outside.name < inner.name else inside


def _has_sixth(node: PlanNode) -> bool:
    return any(_near(ref, 1 / 6) for ref in node.inputs)


def _near(ref: Ref, wanted: float) -> bool:
    origin, output = ref
    if origin.known is None:
        return False
    value = origin.known[output]
    return value.size == 1 and abs(float(value.reshape(())) - wanted) <= _TOLERANCE


def _biased(node: PlanNode) -> PlanNode | None:
    """The convolution or matrix product that a node adds a bias to."""
    if node.type == "BiasAdd":
        below = source(node.inputs[0])
        return below if below.type in _CONTRACTIONS else None
    if node.type in _SUMS:
        return next((below for below in map(source, node.inputs) if below.type in _CONTRACTIONS), None)
    return None


def _fuses_bias(y: PlanNode, product: PlanNode, uses: _Uses) -> bool:
    below = _biased(y)
    if below is None or below.type not in _CONVOLUTIONS or uses.of(below) != [y]:
        return False
    if y.type == "BiasAdd":
        return True
    bias = next((ref for ref in y.inputs if source(ref) is not below), None)
    if bias is None or bias[0].known is None:
        return False
    value, shape = bias[0].known[bias[1]], y.output_shapes[0]
    channels = None if shape is None else shape[-1]
    return (
        below.attrs["data_format"] == b"NHWC"
        and value.size == channels
        and value.shape[-1:] == (channels,)
        and below.name < bias[0].name
        and uses.last_bias > uses.position[product]
    )
