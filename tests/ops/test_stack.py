"""Stacks, against TensorFlow."""

from __future__ import annotations

from typing import Any

from runstep.testing.stateful import RunstepApi, agree, compare, outcomes

BY_HAND = {
    f"Stack{stem}{generation}": "programs in this file"
    for stem in ("", "Push", "Pop", "Close")
    for generation in ("V2", "")
}


def pushed_and_popped(api: Any, generation: str = "V2") -> None:
    def op(stem: str, *inputs: Any, **attrs: Any) -> Any:
        return api.op(f"Stack{stem}{generation}", *inputs, **attrs)

    made = op("", 5, elem_type="float32") if generation else op("", elem_type="float32")
    first = op("Push", made, [1.0, 2.0])
    second = api.after(first, lambda: op("Push", made, [3.0]))
    last = api.after(second, lambda: op("Pop", made, elem_type="float32"))
    api.run([last, api.after(last, lambda: op("Pop", made, elem_type="float32")), second])
    api.run(op("Pop", made, elem_type="float32"))
    api.run(op("Close", made))


def test_push_and_pop() -> None:
    compare(pushed_and_popped)


def test_old_generation() -> None:
    # TensorFlow builds no graphs with these any more: they are compared with the newer.
    new, old = (
        [
            item
            for item in outcomes(RunstepApi(), lambda api, g=g: pushed_and_popped(api, g))  # type: ignore[misc]
            if not isinstance(item, str)
        ]
        for g in ("V2", "")
    )
    agree(new, old)


def test_misuse() -> None:
    def program(api: Any) -> None:
        # TensorFlow removes pushes that no pop needs, so each stack is popped at the end.
        def popped_after(push: Any, made: Any, dtype: str = "float32") -> None:
            api.run(api.after(push, lambda: api.op("StackPopV2", made, elem_type=dtype)))

        made = api.op("StackV2", 1, elem_type="float32")
        first = api.op("StackPushV2", made, [1.0])
        popped_after(api.after(first, lambda: api.op("StackPushV2", made, [1.0])), made)
        popped_after(api.op("StackPushV2", made, [1]), made)
        popped_after(first, made, "int32")
        closed = api.op("StackCloseV2", made)
        popped_after(api.after(closed, lambda: api.op("StackPushV2", made, [1.0])), made)
        api.run(api.op("StackPopV2", api.op("StackV2", api.hidden([1]), elem_type="float32"), elem_type="float32"))

    compare(program)
