"""Small tasks of inspect with a model that says what it is told; writes logs in both formats to the folder given."""

import sys

import inspect_ai
import tiktoken
from inspect_ai import Epochs, Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, ModelOutput, get_model
from inspect_ai.scorer import Score, accuracy, choice, includes, match, mean, scorer, stderr
from inspect_ai.solver import Generate, TaskState, generate, multiple_choice, solver

# tokens are counted by bytes, for the usual table of tokens would have to be downloaded
BYTES = tiktoken.Encoding(
    "bytes", pat_str=r"[\s\S]", mergeable_ranks={bytes([i]): i for i in range(256)}, special_tokens={}
)
tiktoken.get_encoding = lambda name: BYTES

CAPITALS = [("Norway", "Oslo"), ("France", "Paris"), ("Japan", "Tokyo"), ("Peru", "Lima")]


@solver
def breaks_on(sample_id: str):
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.sample_id == sample_id:
            raise ValueError("this sample breaks on purpose")
        return state

    return solve


@scorer(metrics={"length": [mean()], "polite": [accuracy(), stderr()]})
def manners():
    async def score(state: TaskState, target) -> Score:
        text = state.output.completion
        return Score(value={"length": len(text), "polite": "C" if "please" in text else "I"}, answer=text)

    return score


@task
def capitals():
    samples = [
        Sample(
            id=country.lower(),
            input=f"What is the capital of {country}?",
            target=city,
            metadata={"continent": "Europe" if country in ("Norway", "France") else "elsewhere"},
        )
        for country, city in CAPITALS
    ]
    return Task(
        dataset=samples,
        solver=[breaks_on("peru"), generate()],
        scorer=[match(), includes(), manners()],
        epochs=Epochs(2, "mean"),
        fail_on_error=False,
        version=3,
    )


@task
def quiz():
    asked = [ChatMessageSystem(content="Answer briefly."), ChatMessageUser(content="Which is a metal?")]
    samples = [
        Sample(id=1, input=asked, choices=["iron", "water", "sand"], target="A"),
        Sample(id=2, input="Which is a planet?", choices=["the Sun", "Mars", "the Moon"], target="B"),
        Sample(id=3, input="Which is a colour?", choices=["loud", "cold", "blue"], target="C"),
    ]
    return Task(dataset=samples, solver=multiple_choice(), scorer=choice())


def said(*texts):
    return get_model("mockllm/model", custom_outputs=[ModelOutput.from_content("mockllm/model", t) for t in texts])


folder = sys.argv[1]
cities = ["Oslo", "The city is Paris, please", "Kyoto", "Oslo", "Paris", "Tokyo is it"]
for log_format in ("eval", "json"):
    common = {"log_dir": folder, "log_format": log_format, "display": "none", "max_samples": 1}
    inspect_ai.eval(capitals(), model=said(*cities), **common)
    inspect_ai.eval(quiz(), model=said("ANSWER: A", "ANSWER: C", "ANSWER: C"), **common)
